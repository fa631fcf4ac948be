package evidence

import "math"

// Forecast is when a decision will come, in requests on new from now on: the median and
// an 80 % band. It is infinite where the decision would come never; null in JSON.
type Forecast struct {
	Low, Median, High float64
	// Chance is the probability that it ever comes.
	Chance float64
}

// MarshalJSON writes null for what is infinite.
func (f Forecast) MarshalJSON() ([]byte, error) {
	return marshalFinite(map[string]float64{"low": f.Low, "median": f.Median, "high": f.High, "chance": f.Chance})
}

// Decision is the forecast of when the stage will be decided.
type Decision struct {
	// Harm says that a rollback is the likelier end.
	Harm bool
	// Metric is the one that decides: that of the harm, or the guardrail that is proven
	// safe last.
	Metric Metric
	Forecast
}

// nodes is how many equally probable values of an effect a forecast is averaged over.
const nodes = 15

// path is how a test's evidence grows: what is needed and how fast it comes.
type path struct {
	// logE is the evidence now, limit what it must reach.
	logE, limit float64
	logWeights  []float64
	// growth is the mean growth of L_j per request on new if the effect is y = ln(new/old):
	// for L_j of the truth, the Kullback-Leibler divergence.
	growth func(y float64, j int) float64
	// phi is the design effect that L is divided by.
	phi float64
}

// forecast is statistics.md, "Time to decision": phi (ln(1/alpha) + ln(1/w_j) - ln E)/KL
// requests on new, for the j that gets there first. That is the mean for one effect. The
// evidence is a random walk whose variance is twice its mean growth (as that of any
// log-likelihood ratio is, nearly), so the time for one effect is inverse Gaussian
// (Wald's distribution); the band comes of both that and of not knowing the effect,
// which has the normal posterior with this mean and standard deviation.
func (p path) forecast(mean, stdDev float64) *Forecast {
	if p.logE >= p.limit {
		return &Forecast{Chance: 1}
	}
	type walk struct{ mean, need float64 }
	var walks []walk
	for i := range nodes {
		y := quantile((float64(i)+.5)/nodes, mean, stdDev)
		best := walk{mean: math.Inf(1)}
		for j, lw := range p.logWeights {
			need := p.limit - lw - p.logE
			if g := p.growth(y, j); g > 0 && need*p.phi/g < best.mean {
				best = walk{need * p.phi / g, need}
			}
		}
		if !math.IsInf(best.mean, 1) {
			walks = append(walks, best)
		}
	}
	f := &Forecast{Chance: float64(len(walks)) / nodes}
	at := func(share float64) float64 {
		if share >= f.Chance {
			return math.Inf(1)
		}
		by := func(t float64) float64 {
			var sum float64
			for _, w := range walks {
				sum += inverseGaussian(t, w.mean, w.mean*w.need/2)
			}
			return sum / nodes
		}
		low, high := 0.0, 1.0
		for by(high) < share && high < 1e15 {
			high *= 4
		}
		for range 60 {
			if middle := (low + high) / 2; by(middle) < share {
				low = middle
			} else {
				high = middle
			}
		}
		return high
	}
	f.Low, f.Median, f.High = at(.1), at(.5), at(.9)
	return f
}

// inverseGaussian is the distribution function of the time at which a random walk with
// drift first gets somewhere, for its mean and shape: shape = mean need/2 where the
// variance is twice the drift.
func inverseGaussian(t, mean, shape float64) float64 {
	if t <= 0 {
		return 0
	}
	a := math.Sqrt(shape / t)
	first := above(-a*(t/mean-1), 0, 1)
	// exp(2 shape/mean) may overflow where the tail underflows; then the term is 0.
	second := above(a*(t/mean+1), 0, 1)
	if second > 0 {
		second = math.Exp(2*shape/mean + math.Log(second))
	}
	return min(1, first+second)
}

// ratioGrowth is the growth of ratioTest's L_j per request on new, if new has exp(y) times
// old's rate p0 and the share q of the requests. For r_j = exp(y) and c = 1 it is
// KL(theta||q) p0 (q r + 1 - q)/q with theta = q r/(q r + 1 - q).
func (t *ratioTest) growth(p0, q float64) func(y float64, j int) float64 {
	return func(y float64, j int) float64 {
		r := math.Exp(y)
		all := q*r + 1 - q
		theta := q * r / all
		perEvent := theta*t.logRatios[j] - math.Log((1+(t.ratios[j]-1)*q)/(1+(t.null-1)*q))
		return perEvent * p0 * all / q
	}
}

// growth is the same for rateTest, where the rate is exp(y) times base.
func (t *rateTest) growth(base float64) func(y float64, j int) float64 {
	return func(y float64, j int) float64 {
		p := min(base*math.Exp(y), 1)
		return p*t.logHit[j] + (1-p)*t.logMiss[j]
	}
}

// growth is the same for shiftTest: the contrast is then d(y), and its variance falls as
// 1/requests from v at n.
func (t *shiftTest) growth(d func(y float64) float64, scale, v, n float64) func(y float64, j int) float64 {
	return func(y float64, j int) float64 {
		delta := t.shares[j] * scale
		return (delta*d(y) - delta*delta/2) / (v * n)
	}
}
