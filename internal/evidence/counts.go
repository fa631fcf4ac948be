package evidence

import (
	"math"
	"time"

	"github.com/nlpcanary/nlpcanary/outcome"
)

// strata sums the blocks of one kind of event for all tests of it.
type strata struct {
	harm, safe         ratioTest
	harmSums, safeSums ratioSums
	pooled             pooled
	bins               shareBins
	total              cell
}

// stratify adds up the blocks from a minute on.
func (j *judge) stratify(from outcome.Minute, safe float64, weights [alternatives]float64, events func(outcome.Counts) int64) *strata {
	s := &strata{
		harm: newRatioTest(1, harmRatios, weights),
		safe: newRatioTest(safe, safeRatios, defaultRatioWeights),
		bins: make(shareBins),
	}
	add := func(c cell) {
		s.harm.add(&s.harmSums, c)
		s.safe.add(&s.safeSums, c)
		s.pooled.add(c)
		s.bins.add(c)
	}
	for i := range j.w.Blocks {
		b := &j.w.Blocks[i]
		if b.Minute < from {
			continue
		}
		c := cell{float64(b.New.Requests), float64(events(b.New)), float64(b.Old.Requests), float64(events(b.Old))}
		s.total.newRequests += c.newRequests
		s.total.newEvents += c.newEvents
		s.total.oldRequests += c.oldRequests
		s.total.oldEvents += c.oldEvents
		if !j.plan.broken.strata {
			add(c)
		}
	}
	if j.plan.broken.strata {
		add(s.total)
	}
	return s
}

// errors judges the rate of errors: statistics.md, A. Harm is the mean of A1 and A2,
// safety is A1 alone.
func (j *judge) errors() Finding {
	onNew, onOld := j.both(errorsPerRequest)
	f := j.finding(Errors, onNew, onOld)
	f.cohortRates(j.plan, onNew, onOld)
	if f.Verdict == NoData {
		return f
	}
	s := j.stratify(math.MinInt64, j.plan.SafeErrors, j.plan.ErrorWeights, func(c outcome.Counts) int64 { return c.Errors })
	phi := func(c float64) float64 { return j.plan.designEffect(onNew, onOld, c) }
	f.DesignEffect = phi(1)
	f.LogHarm = s.harm.logHarm(&s.harmSums, f.DesignEffect, j.firstErrors(), j.share)
	f.compareRates(j, s, phi, onNew, onOld)
	f.Past = f.Change != nil && 1+f.Change.Estimate > j.plan.RollbackErrors
	f.decide()
	f.forecastRates(j, s, math.Log(j.plan.RollbackErrors))
	return f
}

// firstErrors counts the erring users of both cohorts below the lesser of their limits,
// which is a sample that does not depend on the cohort. Without a design split, none.
func (j *judge) firstErrors() firstErrors {
	if j.share <= 0 || j.share >= 1 {
		return firstErrors{}
	}
	newHashes, newLimit := j.w.New.Tally.Erring()
	oldHashes, oldLimit := j.w.Old.Tally.Erring()
	limit := min(newLimit, oldLimit)
	count := func(hashes []uint64) (n float64) {
		for _, h := range hashes {
			if h < limit {
				n++
			}
		}
		return n
	}
	return firstErrors{count(newHashes), count(oldHashes)}
}

// slow judges how often requests take longer than the frozen limit: statistics.md, D.
// It is past the rollback limit if more than 5 % of new's requests do: then new's
// 95th percentile is past 1.3 times what old's was.
func (j *judge) slow() Finding {
	const slowShare = .05
	if j.w.SlowOver <= 0 {
		f := j.finding(Slow, moments{}, moments{})
		f.Reasons = []Reason{NotFrozen}
		return f
	}
	s := j.stratify(j.w.SlowFrom, j.plan.SafeTime, defaultRatioWeights, func(c outcome.Counts) int64 { return c.Slow })
	effectNew, effectOld := slowEffect(&j.w.New), slowEffect(&j.w.Old)
	if j.plan.broken.phi {
		effectNew, effectOld = 1, 1
	}
	requestsNew, requestsOld := j.both(errorsPerRequest)
	f := j.finding(Slow, moments{d: s.total.newRequests}, moments{d: s.total.oldRequests})
	f.NewEffective, f.OldEffective = requestsNew.effective(), requestsOld.effective()
	// The buckets do not know the slow requests: moments with the same design effect
	// stand in for theirs.
	onNew := standIn(s.total.newEvents, s.total.newRequests, effectNew)
	onOld := standIn(s.total.oldEvents, s.total.oldRequests, effectOld)
	f.cohortRates(j.plan, onNew, onOld)
	if f.Verdict == NoData {
		return f
	}
	phi := func(c float64) float64 { return designEffect(onNew, onOld, c) }
	f.DesignEffect = phi(1)
	f.LogHarm = s.harm.logE(&s.harmSums, f.DesignEffect)
	f.compareRates(j, s, phi, onNew, onOld)
	f.Past = onNew.ratio() > slowShare
	f.decide()
	f.forecastRates(j, s, math.Log(slowShare/onOld.ratio()))
	return f
}

// standIn are moments of a rate with a given design effect.
func standIn(x, d, effect float64) moments {
	m := moments{x: x, d: d}
	if d == 0 {
		return m
	}
	r := x / d
	m.xx = effect*r*(1-r)*d*(nBuckets-1)/nBuckets + r*x
	m.xd = x
	m.dd = d
	return m
}

// slowEffect is the design effect of a cohort's logarithms of times: the variance between
// buckets over that of independent requests, which is taken from the sketch of times.
// That of "slower than a limit" is at most as large where times are near lognormal,
// since cutting a quantity in two loses correlation.
func slowEffect(c *outcome.Cohort) float64 {
	const points = 100
	m := momentsOf(c, logTime)
	if m.d < 2 {
		return 1
	}
	var sum, squares float64
	for i := range points {
		t, ok := c.Tally.Quantile((float64(i) + .5) / points)
		if !ok {
			return 1
		}
		l := math.Log1p(float64(t) / float64(time.Microsecond))
		sum += l
		squares += l * l
	}
	v := squares/points - sum*sum/points/points
	if v <= 0 {
		return 1
	}
	return max(1, m.variance()*m.d/v)
}

// timeouts judges new's rate of timeouts against a fixed limit: statistics.md, B. If old
// is past it too, rolling back would not help.
func (j *judge) timeouts() Finding {
	onNew, onOld := j.both(timeoutsPerRequest)
	f := j.finding(Timeouts, onNew, onOld)
	f.cohortRates(j.plan, onNew, onOld)
	if f.Verdict == NoData {
		return f
	}
	limit := j.plan.TimeoutRate
	f.DesignEffect = j.plan.designEffect(onNew, moments{}, 1)
	harm, safe := newRateTest(limit, harmRates), newRateTest(limit, safeRates)
	f.LogHarm = harm.logE(onNew.x, onNew.d, f.DesignEffect)
	if onOld.d > 0 {
		f.Difference = rateDifference(onNew, onOld, j.plan.AlphaInterval)
		f.Effect = logRatioOf(onNew, onOld, f.DesignEffect)
	}
	if f.started(false) {
		f.LogSafe = safe.logE(onNew.x, onNew.d, f.DesignEffect)
	} else if f.Difference != nil {
		*f.Difference = unknown(f.Difference.Estimate)
	}
	f.Past = onNew.ratio() > limit
	if onOld.d > 0 && onOld.ratio() > limit {
		f.Past = false
		f.Reasons = append(f.Reasons, OldToo)
	}
	f.decide()

	// Against old, if there is one: what was learned of past rollouts is relative.
	base, at := onOld, f.Effect
	prior := j.plan.Priors[Timeouts]
	if at == nil || at.StdErr == 0 {
		base, at, prior = onNew, &PastEffect{StdErr: math.Sqrt(f.DesignEffect / (onNew.x + .5))}, Prior{}
	}
	m, sd := prior.Posterior(at)
	// As if half a timeout had been seen before in as many requests as have one at the
	// limit: few requests without any are no sign of danger.
	baseRate := (base.x + .5) / (base.d + 1/limit)
	risk := above(math.Log(limit/baseRate), m, sd)
	f.Risk = &risk
	f.ToHarm = path{f.LogHarm, f.HarmLimit, harm.logWeights, harm.growth(baseRate), f.DesignEffect}.forecast(m, sd)
	f.ToSafe = path{f.LogSafe, f.SafeLimit, safe.logWeights, safe.growth(baseRate), f.DesignEffect}.forecast(m, sd)
	return f
}

// cohortRates sets the cohorts' own rates.
func (f *Finding) cohortRates(plan Plan, onNew, onOld moments) {
	at := func(m moments) *Interval {
		if m.d == 0 {
			return nil
		}
		i := rateInterval(m, plan.AlphaInterval, designEffect(m, moments{}, 1))
		return &i
	}
	f.New, f.Old = at(onNew), at(onOld)
}

// compareRates sets what compares two rates, and the evidence of safety.
func (f *Finding) compareRates(j *judge, s *strata, phi func(float64) float64, onNew, onOld moments) {
	ratio := s.pooled.ratio()
	f.Difference = rateDifference(onNew, onOld, j.plan.AlphaInterval)
	if f.started(true) {
		f.LogSafe = s.safe.logE(&s.safeSums, phi(s.safe.null))
	} else {
		*f.Difference = unknown(f.Difference.Estimate)
	}
	i := Interval{math.NaN(), 0, math.Inf(1)}
	if !math.IsNaN(ratio) {
		i = ratioInterval(ratio, s.bins.sorted(), s.harmSums.newEvents, j.plan.AlphaInterval, phi)
	}
	f.Change = &Interval{i.Estimate - 1, i.Low - 1, i.High - 1}
	f.Effect = logRatioOf(onNew, onOld, f.DesignEffect)
}

// rateDifference is the confidence sequence of a difference of rates. One more event in
// each cohort is allowed for in the variance, so that "none so far" is no certainty.
func rateDifference(onNew, onOld moments, alpha float64) *Interval {
	d := onNew.ratio() - onOld.ratio()
	v := onNew.variance() + onOld.variance() + 1/(onNew.d*onNew.d) + 1/(onOld.d*onOld.d)
	i := around(d, v, max(onOld.ratio(), onNew.ratio(), 1/onOld.d), alpha)
	return &i
}

// logRatioOf is ln(new/old) of two rates with its standard error. Half an event is added
// to both, which also takes most of the bias away (Gart and Zweifel, 1967).
func logRatioOf(onNew, onOld moments, phi float64) *PastEffect {
	x1, x0 := onNew.x+.5, onOld.x+.5
	return &PastEffect{
		LogRatio: math.Log(x1/(onNew.d+.5)) - math.Log(x0/(onOld.d+.5)),
		StdErr:   math.Sqrt(phi * (1/x1 + 1/x0)),
	}
}

// forecastRates sets the risk and the forecasts of a comparison of rates. The limit is
// that of a rollback, as ln(new/old).
func (f *Finding) forecastRates(j *judge, s *strata, limit float64) {
	m, sd := j.plan.Priors[f.Metric].Posterior(f.Effect)
	risk := above(limit, m, sd)
	f.Risk = &risk
	p0 := (s.total.oldEvents + .5) / (s.total.oldRequests + 1)
	q := s.total.share()
	if q <= 0 || q >= 1 {
		return
	}
	f.ToHarm = path{f.LogHarm, f.HarmLimit, s.harm.logWeights, s.harm.growth(p0, q), f.DesignEffect}.forecast(m, sd)
	f.ToSafe = path{f.LogSafe, f.SafeLimit, s.safe.logWeights, s.safe.growth(p0, q), f.DesignEffect}.forecast(m, sd)
}
