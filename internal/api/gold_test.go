package api

import (
	"testing"

	"github.com/nlpcanary/nlpcanary/outcome"
)

// Gold shows only while no user labelled anything, on either side: the two are never mixed.
func TestGoldAndUsersAreNeverMixed(t *testing.T) {
	labelled := cohort{labels: outcome.Labels{Correct: 1}, labelled: 1}
	pairs := []outcome.Pair{{Document: "a", Old: outcome.Labels{Correct: 1, Wrong: 1}, New: outcome.Labels{Correct: 1, Missed: 3}}}
	source := func(m ArchitectureMetrics) string {
		if m.F1Source == nil {
			return "none"
		}
		return *m.F1Source
	}
	for _, c := range []struct {
		name        string
		old, canary cohort
		pairs       []outcome.Pair
		want        [2]string
		f1          *float64 // of new
	}{
		{"nothing", cohort{}, cohort{}, nil, [2]string{"none", "none"}, nil},
		{"gold only", cohort{}, cohort{}, pairs, [2]string{"gold", "gold"}, outcome.Labels{Correct: 1, Missed: 3}.F1()},
		{"one side labelled", labelled, cohort{}, pairs, [2]string{"users", "none"}, nil},
		{"both labelled", labelled, labelled, pairs, [2]string{"users", "users"}, outcome.Labels{Correct: 1}.F1()},
	} {
		old, canary := architecture("o", c.old), architecture("n", c.canary)
		byGold(&old, &canary, c.pairs)
		if got := [2]string{source(old), source(canary)}; got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
		if (canary.F1Score == nil) != (c.f1 == nil) || c.f1 != nil && *canary.F1Score != *c.f1 {
			t.Errorf("%s: F1 %v, want %v", c.name, canary.F1Score, c.f1)
		}
	}
}
