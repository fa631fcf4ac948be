package evidence

import "math"

// times: lognormal processing times, by their mean and by the mean of their logarithms.
func (s simulation) times(name string, factor, sigma float64, trials int) trialCase {
	const share = .05
	typical := math.Log(200_000) // microseconds
	k := trialCase{name: name, trials: trials}
	k.trial = func(c chance) []float64 {
		plain, logs := newLiveMean(s.plan, MeanTime), newLiveMean(s.plan, ProcessingTime)
		request := func(onNew bool) {
			l := typical + sigma*c.NormFloat64()
			if onNew {
				l += math.Log(factor)
			}
			bucket := c.bucket()
			logs.count(onNew, bucket, l, 1)
			plain.count(onNew, bucket, math.Exp(l)/1e3, 1)
		}
		// Whether the intervals of the difference ever miss the truth.
		var missed [2]bool
		misses := func(l *liveMean, truth float64) bool {
			if !l.started() {
				return false
			}
			i := l.rule.contrasts(l.onNew.moments, l.onOld.moments, l.broken).difference(s.plan.AlphaInterval)
			return truth < i.Low || truth > i.High
		}
		// When harm was found, then when safety was, in requests on new.
		found := []float64{math.Inf(1), math.Inf(1), math.Inf(1), math.Inf(1)}
		requests := s.length(10_000)
		if factor != 1 {
			requests = max(requests, 1000) // time enough to find it
		}
		looker(c, share, requests, request, nothing, func(n int) bool {
			for i, logE := range []float64{plain.logHarm(), logs.logHarm(), plain.logSafe(), logs.logSafe()} {
				if math.IsInf(found[i], 1) && logE >= proof {
					found[i] = float64(n)
				}
			}
			if factor == 1 {
				missed[0] = missed[0] || misses(plain, 0)
				missed[1] = missed[1] || misses(logs, 0)
			}
			return false
		})
		if factor == 1 {
			return []float64{flag(!math.IsInf(found[0], 1)), flag(!math.IsInf(found[1], 1)), flag(missed[0]), flag(missed[1])}
		}
		return []float64{found[0], found[1], flag(!math.IsInf(found[2], 1)), flag(!math.IsInf(found[3], 1))}
	}
	if factor == 1 {
		k.rows = []rowRule{
			atMost(name+": mean", "false rollback", 0, .05),
			atMost(name+": log-mean", "false rollback", 1, .05),
			atMost("interval of the mean time's difference, at every look", "misses the truth", 2, .05),
			atMost("interval of the log-mean time's difference, at every look", "misses the truth", 3, .05),
		}
		return k
	}
	k.rows = []rowRule{
		median(name+": mean", "new requests", 0, 200),
		median(name+": log-mean", "new requests", 1, 150),
		atMost("advance at the boundary: mean time +30 %, 5/95", "falsely advanced", 2, .05),
		atMost("advance at the boundary: log-mean time +30 %, 5/95", "falsely advanced", 3, .05),
	}
	if sigma > 1 { // too wide for the speeds that are promised
		k.rows = []rowRule{
			atMost("advance at the boundary: mean time +30 %, long tail, 5/95", "falsely advanced", 2, .05),
			atMost("advance at the boundary: log-mean time +30 %, long tail, 5/95", "falsely advanced", 3, .05),
		}
	}
	return k
}

// text is a labelled text: how many descriptions there are to find, and how well this
// text can be read at all.
type text struct {
	gold int
	ease float64
}

func (c chance) text() text {
	return text{1 + c.poisson(2), math.Exp(.1 * c.NormFloat64())}
}

// The skill 1 finds four of five, and four of five that it finds are right.
const recall, precision = .8, .8

// misread is how many wrong descriptions a skill gives on average for each one to find: as
// many as bring the precision to .8 times the skill.
func misread(skill float64) float64 {
	return recall * skill * (1 - precision*skill) / (precision * skill)
}

// read is what an architecture of a skill finds in a text, as sums of F1.
func (c chance) read(t text, skill float64) (x, d float64) {
	found := c.binomial(t.gold, min(recall*skill*t.ease, 1))
	wrong := c.poisson(float64(t.gold) * misread(skill))
	return float64(2 * found), float64(found + wrong + t.gold)
}

// readBoth is what two architectures find in the same text: half of what makes a
// description hard, and of what misleads, is the same for both.
func (c chance) readBoth(t text, skill float64) (x0, d0, x1, d1 float64) {
	var found [2]int
	for range t.gold {
		hard := c.Float64()
		for i, own := range []float64{1, skill} {
			if c.happens(.5) {
				hard = c.Float64()
			}
			if hard < recall*own*t.ease {
				found[i]++
			}
		}
	}
	g := float64(t.gold)
	both := c.poisson(g * misread(1) / 2)
	wrong0 := both + c.poisson(g*misread(1)/2)
	wrong1 := both + c.poisson(g*(misread(skill)-misread(1)/2))
	x := func(found int) float64 { return float64(2 * found) }
	all := func(found, wrong int) float64 { return float64(found + wrong + t.gold) }
	return x(found[0]), all(found[0], wrong0), x(found[1]), all(found[1], wrong1)
}

// scores: F1 from feedback on labelled texts.
func (s simulation) scores(name string, skill float64, trials int) trialCase {
	const share = .05
	k := trialCase{name: name, trials: trials}
	k.trial = func(c chance) []float64 {
		l := newLiveMean(s.plan, F1)
		request := func(onNew bool) {
			own := 1.0
			if onNew {
				own = skill
			}
			x, d := c.read(c.text(), own)
			bucket := c.bucket()
			l.count(onNew, bucket, x, d)
			l.countText(onNew, bucket)
		}
		harm, safe := math.Inf(1), false
		texts := 3000
		if skill == 1 {
			texts = s.length(texts)
		}
		looker(c, share, texts, request, nothing, func(n int) bool {
			if math.IsInf(harm, 1) && l.logHarm() >= proof {
				harm = float64(n)
			}
			safe = safe || l.logSafe() >= proof
			return skill != 1 && !math.IsInf(harm, 1)
		})
		if skill == 1 {
			return []float64{flag(!math.IsInf(harm, 1)), flag(safe)}
		}
		return []float64{harm}
	}
	if skill == 1 {
		k.rows = []rowRule{
			atMost(name, "false rollback", 0, .05),
			atMost("advance at the boundary: F1 unchanged, 5/95", "falsely advanced", 1, .05),
		}
		return k
	}
	k.rows = []rowRule{median(name, "labelled texts", 0, 200)}
	return k
}

// goldTexts: F1 of both architectures on the same texts.
func (s simulation) goldTexts(name string, skill float64, trials int) trialCase {
	k := trialCase{name: name, trials: trials}
	rule := s.plan.rule(GoldF1)
	k.trial = func(c chance) []float64 {
		var sums goldSums
		harm := math.Inf(1)
		for n := 1; n <= 3000 && math.IsInf(harm, 1); n++ {
			sums.addSums(c.readBoth(c.text(), skill))
			if n >= startTexts && n%lookEvery == 0 {
				g := sums.contrasts(rule)
				if g.harm() >= proof {
					harm = float64(n)
				}
			}
		}
		if skill == 1 {
			return []float64{flag(!math.IsInf(harm, 1))}
		}
		return []float64{harm}
	}
	if skill == 1 {
		k.rows = []rowRule{atMost(name, "false rollback", 0, .05)}
		return k
	}
	k.rows = []rowRule{median(name, "texts read by both", 0, 200)}
	return k
}
