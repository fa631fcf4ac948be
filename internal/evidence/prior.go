package evidence

import "math"

// PastEffect is what a rollout did to one metric: ln(new/old) with its standard error.
type PastEffect struct{ LogRatio, StdErr float64 }

const (
	// defaultSpread is the standard deviation of ln(new/old) between rollouts that is
	// assumed where nothing was learned: two of three change a metric by less than 35 %.
	defaultSpread = .3
	// minRollouts is how many must have finished before anything is learned from them.
	minRollouts = 5
	// shrinkage is how many rollouts the default counts for.
	shrinkage = 10
)

// Prior is what is expected of ln(new/old) before a rollout begins: a normal
// distribution. The zero Prior is the default, centred on no effect.
type Prior struct {
	// Rollouts is how many it was learned from; 0 for the default.
	Rollouts int
	// Mean and Spread are the normal distribution's; of no meaning for the default.
	Mean, Spread float64
	// Gain is the leave-one-out log score per rollout over the default's.
	Gain float64
}

// LearnPrior learns from the finished rollouts of one metric, those rolled back and those
// of equal architectures too: normal-normal empirical Bayes (Efron and Morris, 1973) with
// the between-rollout variance after DerSimonian and Laird (1986), shrunk to the default
// as (10 tau0^2 + k tau^2)/(10 + k); statistics.md, "Learning from past rollouts". It
// gives the default for fewer than 5 rollouts, or if the default predicts each of them
// at least as well as what the others teach.
func LearnPrior(past []PastEffect) Prior {
	var usable []PastEffect
	for _, e := range past {
		if e.StdErr > 0 && finite(e.StdErr) != nil && finite(e.LogRatio) != nil {
			usable = append(usable, e)
		}
	}
	if len(usable) < minRollouts {
		return Prior{}
	}
	var gain float64
	others := make([]PastEffect, 0, len(usable)-1)
	for i, e := range usable {
		others = append(append(others[:0], usable[:i]...), usable[i+1:]...)
		gain += fit(others).logScore(e) - Prior{}.logScore(e)
	}
	gain /= float64(len(usable))
	if gain <= 0 {
		return Prior{}
	}
	p := fit(usable)
	p.Gain = gain
	return p
}

// fit is the prior that these rollouts teach, whether it is of use or not.
func fit(past []PastEffect) Prior {
	k := float64(len(past))
	var sum, sumSquares, weighted float64
	for _, e := range past {
		w := 1 / (e.StdErr * e.StdErr)
		sum += w
		sumSquares += w * w
		weighted += w * e.LogRatio
	}
	fixed := weighted / sum
	var q float64
	for _, e := range past {
		d := (e.LogRatio - fixed) / e.StdErr
		q += d * d
	}
	var between float64
	if c := sum - sumSquares/sum; c > 0 {
		between = max(0, (q-(k-1))/c)
	}
	spread2 := (shrinkage*defaultSpread*defaultSpread + k*between) / (shrinkage + k)
	sum, weighted = 0, 0
	for _, e := range past {
		w := 1 / (spread2 + e.StdErr*e.StdErr)
		sum += w
		weighted += w * e.LogRatio
	}
	return Prior{Rollouts: len(past), Mean: weighted / sum, Spread: math.Sqrt(spread2)}
}

func (p Prior) normal() (mean, spread float64) {
	if p.Rollouts == 0 {
		return 0, defaultSpread
	}
	return p.Mean, p.Spread
}

// logScore is the logarithm of the density that the prior gives to an effect.
func (p Prior) logScore(e PastEffect) float64 {
	m, s := p.normal()
	v := s*s + e.StdErr*e.StdErr
	d := e.LogRatio - m
	return -.5 * (math.Log(2*math.Pi*v) + d*d/v)
}

// Posterior is what is expected of ln(new/old) once an effect was measured; of a nil
// effect, the prior itself.
func (p Prior) Posterior(e *PastEffect) (mean, stdDev float64) {
	m, s := p.normal()
	if e == nil || e.StdErr <= 0 || finite(e.LogRatio) == nil || finite(e.StdErr) == nil {
		return m, s
	}
	ours, theirs := 1/(s*s), 1/(e.StdErr*e.StdErr)
	return (m*ours + e.LogRatio*theirs) / (ours + theirs), 1 / math.Sqrt(ours+theirs)
}

// RatioWeights are [Plan.ErrorWeights] half from the default and half from what was
// learned, which costs at most ln 2 of evidence if it misleads. They must be set before
// the stage begins.
func (p Prior) RatioWeights() [6]float64 {
	weights := defaultRatioWeights
	if p.Rollouts == 0 {
		return weights
	}
	// Each ratio stands for the effects that are nearest to it, on the scale of ln r.
	var learned [alternatives]float64
	var sum float64
	low := 0.0
	for j, r := range harmRatios {
		high := math.Inf(1)
		if j+1 < alternatives {
			high = (math.Log(r) + math.Log(harmRatios[j+1])) / 2
		}
		learned[j] = above(low, p.Mean, p.Spread) - above(high, p.Mean, p.Spread)
		sum += learned[j]
		low = high
	}
	if sum < 1e-12 {
		return weights // harm was never seen: nothing to learn about its size
	}
	for j := range weights {
		weights[j] = weights[j]/2 + learned[j]/sum/2
	}
	return weights
}

// above is the probability that a normal variable is greater than x.
func above(x, mean, stdDev float64) float64 {
	return math.Erfc((x-mean)/(stdDev*math.Sqrt2)) / 2
}

// quantile is the p-quantile of a normal variable.
func quantile(p, mean, stdDev float64) float64 {
	return mean + stdDev*math.Sqrt2*math.Erfinv(2*p-1)
}
