package evidence

import (
	"encoding/json"
	"math"
	"slices"
	"testing"
)

// The growth of L_j in nats per request on new is the divergence of statistics.md, "Time
// to decision", where the truth is on the grid.
func TestGrowthIsTheDivergence(t *testing.T) {
	test := newRatioTest(1, harmRatios, defaultRatioWeights)
	const q, p0, r = .05, .02, 1.5
	theta := q * r / (q*r + 1 - q)
	kl := theta*math.Log(theta/q) + (1-theta)*math.Log((1-theta)/(1-q))
	want := kl * p0 * (q*r + 1 - q) / q
	if got := test.growth(p0, q)(math.Log(r), 1); math.Abs(got-want) > 1e-12 {
		t.Errorf("%v, want %v", got, want)
	}
}

// A forecast made before the first request, with the effect known, against the simulated
// times to detection.
func TestForecastMeetsTheSimulation(t *testing.T) {
	test := newRatioTest(1, harmRatios, defaultRatioWeights)
	for rate, trials := range map[float64]int{.03: 40, .06: 120} {
		s := simulation{plan: validationPlan(), effort: effort{1, 1}}
		k := s.moreErrors(rate, 1, 1)
		var times []float64
		for i := range trials {
			times = append(times, k.trial(newChance(5, uint64(i)))[0])
		}
		slices.Sort(times)
		f := path{0, proof, test.logWeights, test.growth(.02, .05), 1}.forecast(math.Log(rate/.02), 1e-6)
		middle := times[len(times)/2]
		if ratio := f.Median / middle; ratio < .6 || ratio > 1.6 {
			t.Errorf("to %v: forecast %.0f, simulated %.0f", rate, f.Median, middle)
		}
		inside := 0
		for _, n := range times {
			if n >= f.Low && n <= f.High {
				inside++
			}
		}
		if share := float64(inside) / float64(len(times)); share < .65 || share > .95 {
			t.Errorf("to %v: the 80 %% band %.0f to %.0f holds %.0f %%", rate, f.Low, f.High, 100*share)
		}
	}
}

func TestForecastOfWhatNeverComes(t *testing.T) {
	test := newRatioTest(1, harmRatios, defaultRatioWeights)
	f := path{0, proof, test.logWeights, test.growth(.02, .05), 1}.forecast(math.Log(.8), .01)
	if f.Chance != 0 || !math.IsInf(f.Median, 1) {
		t.Errorf("harm is forecast of an improvement: %+v", f)
	}
	raw, err := json.Marshal(f)
	if err != nil || string(raw) != `{"chance":0,"high":null,"low":null,"median":null}` {
		t.Errorf("%s, %v", raw, err)
	}
	if f := (path{5, proof, test.logWeights, test.growth(.02, .05), 1}).forecast(0, 1); f.High != 0 || f.Chance != 1 {
		t.Errorf("it is decided already: %+v", f)
	}
}

func TestInverseGaussian(t *testing.T) {
	// Its mean: the integral of 1 - F.
	const mean, shape = 100, 250
	var sum float64
	for x := .5; x < 5000; x++ {
		sum += 1 - inverseGaussian(x, mean, shape)
	}
	if math.Abs(sum-mean) > .1 {
		t.Errorf("mean %v", sum)
	}
	if p := inverseGaussian(1e9, 10, 1e6); p != 1 {
		t.Errorf("%v", p)
	}
}
