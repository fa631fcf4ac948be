package evidence

import (
	"math"
	"testing"
)

// The interval of the ratio of errors, looked at again and again, ever misses the truth in
// at most 5 % of rollouts.
func TestRatioIntervalHoldsAtEveryLook(t *testing.T) {
	const trials, blocks, requests = 40, 60, 500
	for _, ratio := range []float64{1, 3} {
		missed := 0
		for i := range trials {
			c := newChance(77, uint64(i))
			bins, p, events, miss := shareBins{}, pooled{}, 0.0, false
			for block := range blocks {
				n1 := c.binomial(requests, .1)
				k := cell{float64(n1), float64(c.binomial(n1, .04*ratio)), float64(requests - n1), float64(c.binomial(requests-n1, .04))}
				bins.add(k)
				p.add(k)
				events += k.newEvents
				if block%3 != 2 || p.below == 0 {
					continue
				}
				i := ratioInterval(p.ratio(), bins.sorted(), events, .05, func(float64) float64 { return 1 })
				miss = miss || i.Low > ratio || i.High < ratio
				if block == blocks-1 && !(i.Low > ratio/2 && i.High < ratio*2) {
					t.Errorf("after %d requests the interval is still %+v", blocks*requests, i)
				}
			}
			if miss {
				missed++
			}
		}
		if missed > trials/10 {
			t.Errorf("ratio %v: missed in %d of %d rollouts", ratio, missed, trials)
		}
	}
}

func TestRateInterval(t *testing.T) {
	for _, c := range []struct {
		events, requests float64
		low, high        float64 // the least and the greatest bounds that make sense
	}{
		{0, 1000, 0, .02},
		{10, 1000, .002, .04},
		{1000, 1000, .95, 1},
		{500, 1000, .4, .6},
	} {
		i := rateInterval(moments{x: c.events, d: c.requests}, .05, 1)
		if i.Low < c.low || i.High > c.high || i.Low > i.Estimate || i.High < i.Estimate {
			t.Errorf("%v of %v: %+v", c.events, c.requests, i)
		}
	}
}

// Turning the contrast around gives the interval that its radius gives directly, where the
// baseline is known exactly.
func TestChangeIntervalByHand(t *testing.T) {
	const old, d, v = 100, 10, 4
	i := changeInterval((old+d)/100., old, .05, func(c float64) contrast { return contrast{old + d - c*old, v} })
	r := radius(v, shiftScale*old, .05) / old
	if math.Abs(i.Low-(1.1-r)) > 1e-5 || math.Abs(i.High-(1.1+r)) > 1e-5 {
		t.Errorf("%+v, want 1.1 +- %v", i, r)
	}
	if r := radius(0, 30, .05); !math.IsInf(r, 1) {
		t.Errorf("no variation seen, and a radius of %v", r)
	}
}
