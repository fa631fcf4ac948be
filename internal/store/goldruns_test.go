package store

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nlpcanary/nlpcanary/outcome"
)

func TestGoldRuns(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		s := d.open(t)
		noon := time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)
		run := func(at time.Time, correct int64) GoldRun {
			return GoldRun{
				Rollout: "nlp", At: at, Revision: 3, OldName: "single", NewName: "mine", Gold: "builtin test", Failed: 1,
				Pairs: []outcome.Pair{{Document: "a", Old: outcome.Labels{Correct: correct, Wrong: 2, Missed: 3}, New: outcome.Labels{Correct: 4}}},
			}
		}
		if pairs, err := s.GoldPairs(t.Context(), "nlp"); err != nil || len(pairs) != 0 {
			t.Errorf("before the first run: %v, %v", pairs, err)
		}
		ancient, first, second := run(noon.Add(-100*24*time.Hour), 1), run(noon, 2), run(noon.Add(time.Hour), 3)
		for _, r := range []GoldRun{ancient, first, second, second} { // the last again: an answer was lost
			if err := s.PutGoldRun(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		runs, err := s.GoldRuns(t.Context(), "nlp", 0)
		if diff := cmp.Diff([]GoldRun{second, first}, runs); err != nil || diff != "" {
			t.Errorf("%v (-want +got)\n%s", err, diff)
		}
		if runs, err := s.GoldRuns(t.Context(), "nlp", 1); err != nil || len(runs) != 1 {
			t.Errorf("%d runs, %v", len(runs), err)
		}
		pairs, err := s.GoldPairs(t.Context(), "nlp")
		if diff := cmp.Diff(second.Pairs, pairs); err != nil || diff != "" {
			t.Errorf("%v (-want +got)\n%s", err, diff)
		}
		if pairs, err := s.GoldPairs(t.Context(), "another"); err != nil || len(pairs) != 0 {
			t.Errorf("of another rollout: %v, %v", pairs, err)
		}
		s.sql(t, "UPDATE nlpcanary_gold_runs SET pairs = $1", "nonsense")
		if _, err := s.GoldPairs(t.Context(), "nlp"); !errors.Is(err, ErrDatabase) {
			t.Errorf("unreadable pairs: %v", err)
		}
	})
}
