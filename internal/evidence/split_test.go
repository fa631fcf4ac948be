package evidence

import (
	"math"
	"testing"
)

func TestSplit(t *testing.T) {
	b := newBuilder()
	for i := range 20_000 {
		b.add(one{user: uint64(i), onNew: i%20 < 2}) // 10 % where 5 % were meant
	}
	for _, c := range []struct {
		share    float64
		mismatch bool
	}{{.05, true}, {.1, false}, {0, false}, {1, false}} {
		s := Judge(Input{Window: &b.window, Share: c.share}, testPlan()).Split
		if s.Mismatch != c.mismatch {
			t.Errorf("%d of %d users on new where %v were meant: %+v", s.NewUsers, s.OldUsers, c.share, s)
		}
	}
}

// A million users of whom the sketches miss or invent 3 % are no alarm, a lost third is.
func TestSplitAllowsForTheSketches(t *testing.T) {
	plan := testPlan()
	limit := -math.Log(plan.AlphaSplit)
	if e := logSplit(51_500, 935_000, .05); e >= limit {
		t.Errorf("sketches' errors raise an alarm: %v", e)
	}
	if e := logSplit(33_000, 950_000, .05); e < limit {
		t.Errorf("a third of new's users is missing, and nobody notices: %v", e)
	}
}
