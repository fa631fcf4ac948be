package evidence

import (
	"fmt"
	"math"
	"testing"

	"github.com/nlpcanary/nlpcanary/outcome"
)

func pair(i int, old, canary outcome.Labels) GoldPair {
	return GoldPair{Document: fmt.Sprint(i), Old: old, New: canary}
}

func judgeGold(pairs []GoldPair) Finding {
	r := Judge(Input{Window: &newBuilder().window, Gold: pairs}, testPlan())
	return *r.Finding(GoldF1)
}

// The variance of the paired contrast, against the sum over texts as it is written down
// in statistics.md, F.
func TestPairedVarianceByHand(t *testing.T) {
	var s goldSums
	var pairs []GoldPair
	for i := range int64(60) {
		p := pair(int(i), outcome.Labels{Correct: 2 + i%3, Wrong: i % 2, Missed: i % 4}, outcome.Labels{Correct: 2 + i%2, Wrong: i % 3, Missed: i % 5})
		pairs = append(pairs, p)
		s.add(p)
	}
	const c = 1.05
	n := float64(len(pairs))
	mean := func(d float64) float64 { return d / n }
	var sum float64
	for _, p := range pairs {
		x0, d0 := f1Sums(p.Old)
		x1, d1 := f1Sums(p.New)
		u := (x1-s.new.ratio()*d1)/mean(s.new.d) - c*(x0-s.old.ratio()*d0)/mean(s.old.d)
		sum += u * u
	}
	want := n / (n - 1) * sum / (n * n)
	if got := s.contrast(c); math.Abs(got.v-want) > 1e-12 || math.Abs(got.d-(s.new.ratio()-c*s.old.ratio())) > 1e-12 {
		t.Errorf("%+v, want a variance of %v", got, want)
	}
}

func TestGoldSet(t *testing.T) {
	same := outcome.Labels{Correct: 4, Wrong: 1, Missed: 1}
	better := outcome.Labels{Correct: 5, Wrong: 0, Missed: 1}
	worse := outcome.Labels{Correct: 3, Wrong: 2, Missed: 2}
	texts := func(n int, canary func(i int) outcome.Labels) []GoldPair {
		var list []GoldPair
		for i := range n {
			list = append(list, pair(i, same, canary(i)))
		}
		return list
	}
	mostly := func(l outcome.Labels) func(int) outcome.Labels {
		return func(i int) outcome.Labels {
			if i%3 == 0 {
				return same
			}
			return l
		}
	}
	for _, c := range []struct {
		name  string
		pairs []GoldPair
		want  Verdict
	}{
		{"no texts", nil, NoData},
		{"too few texts", texts(30, mostly(worse)), Undecided},
		{"worse", texts(150, mostly(worse)), Harm},
		{"better", texts(150, mostly(better)), Safe},
		{"the same answers", texts(150, func(int) outcome.Labels { return same }), Undecided},
		{"nothing to find and nothing found", []GoldPair{pair(0, outcome.Labels{}, outcome.Labels{})}, NoData},
		{"new finds nothing", texts(150, func(int) outcome.Labels { return outcome.Labels{Missed: 5} }), Harm},
	} {
		if f := judgeGold(c.pairs); f.Verdict != c.want {
			t.Errorf("%s: %s %v, harm %.1f, safe %.1f, want %s", c.name, f.Verdict, f.Reasons, f.LogHarm, f.LogSafe, c.want)
		}
	}
	r := Judge(Input{Window: &newBuilder().window, Gold: texts(150, mostly(better))}, testPlan())
	for _, m := range r.Unproven() {
		if m == F1 {
			t.Error("F1 is unproven although the labelled texts prove it")
		}
	}
}
