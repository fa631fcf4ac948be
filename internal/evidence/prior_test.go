package evidence

import (
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

func rollouts(n int, mean, spread, stdErr float64) []PastEffect {
	r := rand.New(rand.NewPCG(3, uint64(n)))
	var list []PastEffect
	for range n {
		list = append(list, PastEffect{mean + spread*r.NormFloat64() + stdErr*r.NormFloat64(), stdErr})
	}
	return list
}

func TestPriorIsUsedOnlyIfItPredicts(t *testing.T) {
	for _, c := range []struct {
		name string
		past []PastEffect
		used bool
	}{
		{"none", nil, false},
		{"four", rollouts(4, .02, .02, .02), false},
		{"thirty alike", rollouts(30, .02, .02, .02), true},
		{"thirty worse", rollouts(30, .4, .1, .05), true},
		{"thirty without a standard error", rollouts(30, .02, .02, 0), false},
		{"six all over", []PastEffect{{1.5, .1}, {-1.5, .1}, {1.6, .1}, {-1.4, .1}, {.1, .1}, {-1, .1}}, true},
	} {
		p := LearnPrior(c.past)
		if got := p.Rollouts > 0; got != c.used {
			t.Errorf("%s: used %v: %+v", c.name, got, p)
		}
		if c.used && !(p.Gain > 0) {
			t.Errorf("%s: used without a gain: %+v", c.name, p)
		}
	}
	p := LearnPrior(rollouts(200, .4, .1, .05))
	if math.Abs(p.Mean-.4) > .03 || p.Spread < .08 || p.Spread > .16 {
		t.Errorf("the truth is .4 and .1, shrunk towards .3: %+v", p)
	}
}

// Shrinkage as it is written down: of k rollouts with no spread at all, the variance is
// 10 tau0^2/(10+k).
func TestPriorShrinksTheSpread(t *testing.T) {
	same := make([]PastEffect, 30)
	for i := range same {
		same[i] = PastEffect{.1, .05}
	}
	want := math.Sqrt(10 * defaultSpread * defaultSpread / 40)
	if got := fit(same); math.Abs(got.Spread-want) > 1e-12 || math.Abs(got.Mean-.1) > 1e-12 {
		t.Errorf("%+v, want a spread of %v", got, want)
	}
}

func TestPosteriorLiesBetween(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Prior{Rollouts: 9, Mean: rapid.Float64Range(-1, 1).Draw(t, "mean"), Spread: rapid.Float64Range(.01, 1).Draw(t, "spread")}
		e := PastEffect{rapid.Float64Range(-2, 2).Draw(t, "effect"), rapid.Float64Range(.01, 2).Draw(t, "error")}
		m, sd := p.Posterior(&e)
		if m < min(p.Mean, e.LogRatio)-1e-9 || m > max(p.Mean, e.LogRatio)+1e-9 {
			t.Errorf("posterior mean %v of %v and %v", m, p.Mean, e.LogRatio)
		}
		if sd > min(p.Spread, e.StdErr)+1e-12 {
			t.Errorf("knowing more made it less certain: %v", sd)
		}
	})
}

// Whatever was learned, at least half of each default weight stays: at most ln 2 is lost.
func TestLearnedWeights(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Prior{Rollouts: 9, Mean: rapid.Float64Range(-3, 3).Draw(t, "mean"), Spread: rapid.Float64Range(.01, 2).Draw(t, "spread")}
		var sum float64
		for j, w := range p.RatioWeights() {
			sum += w
			if w < defaultRatioWeights[j]/2 {
				t.Errorf("weight %d is %v", j, w)
			}
		}
		if math.Abs(sum-1) > 1e-9 {
			t.Errorf("the weights add up to %v", sum)
		}
	})
	if w := (Prior{Rollouts: 9, Mean: math.Log(3), Spread: .1}).RatioWeights(); w[3] < .5 {
		t.Errorf("new triples errors each time, and the weights are %v", w)
	}
	if w := (Prior{}).RatioWeights(); w != defaultRatioWeights {
		t.Errorf("%v", w)
	}
}
