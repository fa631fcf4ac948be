package evidence

import (
	"math"
	"slices"
)

// The intervals here turn tests around: a value is in the interval if its e-value has
// not reached the limit. Such a confidence sequence holds at every look, for the reason
// that the test does (Ville). Bisecting finds the bounds.

const (
	// widest is the greatest ratio, or least rate, that is looked for, as a logarithm.
	widest = 9
	// halvings give the bounds to within 3e-7 on the scale of logarithms.
	halvings = 25
)

// bisect finds the bound between a value that is inside the interval and the widest one,
// both on the scale of logarithms; false if even that one is inside.
func bisect(inside, outside float64, excluded func(log float64) bool) (float64, bool) {
	if !excluded(outside) {
		return outside, false
	}
	for range halvings {
		if middle := (inside + outside) / 2; excluded(middle) {
			outside = middle
		} else {
			inside = middle
		}
	}
	return outside, true
}

// shareBin sums the events of blocks with nearly the same share of new.
type shareBin struct{ share, events float64 }

// shareBins gathers blocks by their share, so that tests against many nulls need not go
// through all blocks. A bin spans .01 in the log-odds of the share, which moves L by less
// than a hundred-thousandth per event: enough for an interval, and not used for proofs.
type shareBins map[int]*shareBin

func (b shareBins) add(c cell) {
	events := c.newEvents + c.oldEvents
	if events == 0 || !c.compares() {
		return
	}
	index := int(math.Round(100 * math.Log(c.newRequests/c.oldRequests)))
	bin := b[index]
	if bin == nil {
		bin = &shareBin{}
		b[index] = bin
	}
	bin.share += events * c.share() // a weighted sum; see sorted
	bin.events += events
}

func (b shareBins) sorted() []shareBin {
	list := make([]shareBin, 0, len(b))
	for _, bin := range b {
		list = append(list, shareBin{bin.share / bin.events, bin.events})
	}
	// Floating-point sums depend on their order, and a report must not.
	slices.SortFunc(list, func(x, y shareBin) int {
		if x.share < y.share {
			return -1
		}
		return 1
	})
	return list
}

// ratioInterval is the confidence sequence of the rate ratio: those c for which neither
// "the ratio is at most c" nor "at least c" is refuted at alpha/2 by ratioTest.
func ratioInterval(estimate float64, bins []shareBin, newEvents, alpha float64, phi func(c float64) float64) Interval {
	out := Interval{estimate, 0, math.Inf(1)}
	if len(bins) == 0 {
		return out
	}
	limit := math.Log(2 / alpha)
	tilt := func(r float64) float64 {
		var sum float64
		for _, b := range bins {
			sum += b.events * math.Log(1+(r-1)*b.share)
		}
		return sum
	}
	excluded := func(multiples [alternatives]float64) func(float64) bool {
		t := newRatioTest(1, multiples, defaultRatioWeights)
		return func(log float64) bool {
			c := math.Exp(log)
			null := tilt(c)
			s := ratioSums{newEvents: newEvents}
			for j, m := range multiples {
				s.tilts[j] = tilt(c*m) - null
			}
			return t.logE(&s, phi(c)) >= limit
		}
	}
	inside := min(max(math.Log(estimate), -widest), widest)
	if low, found := bisect(inside, -widest, excluded(harmRatios)); found {
		out.Low = math.Exp(low)
	}
	if high, found := bisect(inside, widest, excluded(safeRatios)); found {
		out.High = math.Exp(high)
	}
	return out
}

// rateInterval is the same for one cohort's rate, by rateTest.
func rateInterval(m moments, alpha, phi float64) Interval {
	out := Interval{m.ratio(), 0, 1}
	limit := math.Log(2 / alpha)
	excluded := func(multiples []float64) func(float64) bool {
		return func(log float64) bool {
			t := newRateTest(math.Exp(log), multiples)
			return t.logE(m.x, m.d, phi) >= limit
		}
	}
	const most = -1e-9
	inside := max(math.Log(out.Estimate), -2*widest)
	if low, found := bisect(min(inside, most), -2*widest, excluded(harmRates)); found {
		out.Low = math.Exp(low)
	}
	if high, found := bisect(min(inside, most), most, excluded(safeRates)); found {
		out.High = math.Exp(high)
	}
	return out
}

// changeInterval is the confidence sequence of R1/R0: those c for which D = R1 - c R0 is
// within its radius. c0 is the estimate.
func changeInterval(estimate, scale, alpha float64, at func(c float64) contrast) Interval {
	out := Interval{estimate, 0, math.Inf(1)}
	if !(estimate > 0) || math.IsInf(estimate, 0) {
		return out
	}
	excluded := func(sign float64) func(float64) bool {
		return func(log float64) bool {
			k := at(math.Exp(log))
			return sign*k.d > radius(k.v, shiftScale*scale, alpha)
		}
	}
	inside := min(max(math.Log(estimate), -widest), widest)
	if low, found := bisect(inside, -widest, excluded(1)); found {
		out.Low = math.Exp(low)
	}
	if high, found := bisect(inside, widest, excluded(-1)); found {
		out.High = math.Exp(high)
	}
	return out
}

// shiftScale is tau of the displayed intervals, as a share of the baseline.
const shiftScale = .3

// unknown is the interval of an estimate that too little is known of for bounds.
func unknown(estimate float64) Interval {
	return Interval{estimate, math.Inf(-1), math.Inf(1)}
}

// around is an interval of a value with a variance.
func around(estimate, v, scale, alpha float64) Interval {
	r := radius(v, shiftScale*scale, alpha)
	return Interval{estimate, estimate - r, estimate + r}
}
