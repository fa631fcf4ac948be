package evidence

import (
	"math"
)

// meanRule is how a mean or a ratio of sums is judged.
type meanRule struct {
	quantity quantity
	// logarithms: the quantity is a logarithm already, so that its mean is shifted where
	// another one's is multiplied.
	logarithms bool
	// lessIsWorse, as for scores.
	lessIsWorse bool
	// rollback is the limit and safe the margin, as new's value relative to old's; 0
	// if there is none. gain is what the estimate must show beyond that for safety.
	rollback, safe, gain float64
	// worse has the shifts of harm, apart the distances from the margin of safety.
	worse, apart *shiftTest
}

func (p *Plan) rule(m Metric) meanRule {
	switch m {
	case ProcessingTime:
		return meanRule{quantity: logTime, logarithms: true, rollback: p.RollbackTime, safe: p.SafeTime, worse: &slowerLogs, apart: &shiftedLogs}
	case MeanTime:
		return meanRule{quantity: meanTime, rollback: p.RollbackTime, safe: p.SafeTime, worse: &slower, apart: &shifted}
	case Quality:
		return meanRule{quantity: qualityMarks, lessIsWorse: true, rollback: p.RollbackQuality, safe: p.RollbackQuality, worse: &shifted, apart: &shifted}
	case F1, GoldF1:
		r := meanRule{quantity: f1Score, lessIsWorse: true, rollback: p.RollbackF1, safe: 1, gain: p.SafeF1Gain, worse: &shifted, apart: &shifted}
		if p.SafeF1Gain == 0 {
			r.safe = p.RollbackF1
		}
		return r
	default:
		return meanRule{quantity: descriptionsPerText, lessIsWorse: true, worse: &shifted, apart: &shifted}
	}
}

// contrasts is a rule applied to what was measured: D and V for any c, on the scale on
// which the test's shifts are shares of scale.
type contrasts struct {
	meanRule
	at    func(c float64) contrast
	ratio float64 // new's value relative to old's
	scale float64
}

func (r meanRule) contrasts(onNew, onOld moments, broken without) contrasts {
	k := contrasts{meanRule: r, ratio: onNew.ratio() / onOld.ratio(), scale: onOld.ratio()}
	k.at = func(c float64) contrast { return ratioContrast(onNew, onOld, c, broken) }
	if r.logarithms {
		k.ratio, k.scale = math.Exp(onNew.ratio()-onOld.ratio()), 1
		k.at = func(c float64) contrast { return logContrast(onNew, onOld, c, broken) }
	}
	return k
}

func (k contrasts) harm() float64 {
	c := k.at(1)
	if k.lessIsWorse {
		c = c.flip()
	}
	return k.worse.logE(c, k.scale)
}

func (k contrasts) safety() float64 {
	if k.safe == 0 {
		return 0
	}
	c := k.at(k.safe)
	if !k.lessIsWorse {
		c = c.flip()
	}
	return k.apart.logE(c, k.scale)
}

// difference is the interval of new - old; of logarithms where the quantity is one.
func (k contrasts) difference(alpha float64) Interval {
	one := k.at(1)
	return around(one.d, one.v, k.scale, alpha)
}

// change is the interval of new/old.
func (k contrasts) change(alpha float64) Interval {
	if !k.logarithms {
		return changeInterval(k.ratio, k.scale, alpha, k.at)
	}
	i := k.difference(alpha)
	return Interval{math.Exp(i.Estimate), math.Exp(i.Low), math.Exp(i.High)}
}

func (k contrasts) past() bool {
	if k.rollback == 0 {
		return false
	}
	if k.lessIsWorse {
		return k.ratio < k.rollback
	}
	return k.ratio > k.rollback
}

// shows reports whether the estimate is as good as an advance asks for.
func (k contrasts) shows() bool { return k.gain == 0 || k.ratio >= 1+k.gain }

// mean judges a mean or a ratio of sums: statistics.md, C.
func (j *judge) mean(m Metric) Finding {
	rule := j.plan.rule(m)
	onNew, onOld := j.both(rule.quantity)
	countNew, countOld := onNew, onOld
	if m == F1 {
		countNew, countOld = j.both(labelledTexts)
	}
	f := j.finding(m, countNew, countOld)
	f.New = cohortMean(rule, j.plan, onNew, countNew, startOf(m))
	f.Old = cohortMean(rule, j.plan, onOld, countOld, startOf(m))
	if f.Verdict == NoData || onNew.d == 0 || onOld.d == 0 {
		f.Verdict = NoData
		return f
	}
	f.compareMeans(j.plan, rule.contrasts(onNew, onOld, j.plan.broken), f.started(true))
	return f
}

// cohortMean is a cohort's own value; count are the moments of what it was measured on.
func cohortMean(rule meanRule, plan Plan, m, count moments, start float64) *Interval {
	if m.d == 0 {
		return nil
	}
	scale := m.ratio()
	if rule.logarithms {
		scale = 1
	}
	i := unknown(m.ratio())
	if count.d >= start && count.effective() >= startUsers {
		i = around(m.ratio(), m.variance(), scale, plan.AlphaInterval)
	}
	if rule.logarithms { // of microseconds; shown as milliseconds
		return &Interval{math.Exp(i.Estimate) / 1e3, math.Exp(i.Low) / 1e3, math.Exp(i.High) / 1e3}
	}
	i.Low = max(0, i.Low)
	return &i
}

// compareMeans sets what compares two means. Before the start there are estimates, but
// neither bounds nor evidence: a few values of a skewed quantity know nothing of how
// skewed it is.
func (f *Finding) compareMeans(plan Plan, k contrasts, started bool) {
	one := k.at(1)
	change, difference := unknown(k.ratio), unknown(one.d)
	if started {
		f.LogHarm, f.LogSafe = k.harm(), k.safety()
		change, difference = k.change(plan.AlphaInterval), k.difference(plan.AlphaInterval)
	}
	f.Change = &Interval{change.Estimate - 1, max(0, change.Low) - 1, change.High - 1}
	if k.logarithms {
		f.Effect = &PastEffect{one.d, math.Sqrt(one.v)}
	} else {
		f.Difference = &difference
		if k.ratio > 0 && k.scale > 0 {
			f.Effect = &PastEffect{math.Log(k.ratio), math.Sqrt(one.v) / k.scale}
		}
	}
	f.Past = k.past()
	proven := f.LogSafe
	if !k.shows() && f.LogSafe >= f.SafeLimit {
		f.LogSafe = math.Inf(-1) // for decide only
		f.Reasons = append(f.Reasons, GainNotShown)
	}
	f.decide()
	f.LogSafe = proven
	if f.Effect != nil && f.Effect.StdErr > 0 {
		f.forecastMeans(plan, k)
	}
}

func (f *Finding) forecastMeans(plan Plan, k contrasts) {
	m, sd := plan.Priors[f.Metric].Posterior(f.Effect)
	if k.rollback > 0 {
		risk := above(math.Log(k.rollback), m, sd)
		if k.lessIsWorse {
			risk = 1 - risk
		}
		f.Risk = &risk
	}
	// shift is the contrast against c if the effect is y, greater being worse if sign is 1.
	shift := func(c, sign float64) func(y float64) float64 {
		return func(y float64) float64 {
			if k.logarithms {
				return sign * (y - math.Log(c))
			}
			return sign * k.scale * (math.Exp(y) - c)
		}
	}
	worse := 1.0
	if k.lessIsWorse {
		worse = -1
	}
	n := float64(f.NewRequests)
	f.ToHarm = path{f.LogHarm, f.HarmLimit, k.worse.logWeights, k.worse.growth(shift(1, worse), k.scale, k.at(1).v, n), 1}.forecast(m, sd)
	if k.safe > 0 {
		f.ToSafe = path{f.LogSafe, f.SafeLimit, k.apart.logWeights, k.apart.growth(shift(k.safe, -worse), k.scale, k.at(k.safe).v, n), 1}.forecast(m, sd)
	}
}

// gold judges F1 on labelled texts that both architectures read: statistics.md, F.
func (j *judge) gold(pairs []GoldPair) Finding {
	var s goldSums
	for _, p := range pairs {
		s.add(p)
	}
	texts := moments{d: s.texts, dd: s.texts}
	f := j.finding(GoldF1, texts, texts)
	f.NewEffective, f.OldEffective = s.texts, s.texts
	if f.Verdict == NoData || s.old.d == 0 || s.new.d == 0 {
		f.Verdict = NoData
		return f
	}
	own := func(m moments) *Interval {
		i := unknown(m.ratio())
		if s.texts >= startTexts {
			i = around(m.ratio(), s.variance(m), m.ratio(), j.plan.AlphaInterval)
		}
		i.Low, i.High = max(0, i.Low), min(1, i.High)
		return &i
	}
	f.New, f.Old = own(s.new), own(s.old)
	f.compareMeans(j.plan, s.contrasts(j.plan.rule(GoldF1)), f.started(true))
	return f
}
