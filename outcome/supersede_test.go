package outcome_test

import (
	"bytes"
	"errors"
	"testing"

	"pgregory.net/rapid"

	"github.com/nlpcanary/nlpcanary/outcome"
)

// A sum in which a later version took the place of an earlier one has the bytes of a
// sum that never had the earlier one.
func TestSupersedeLeavesNoTraceOfTheEarlierVersion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		some := rapid.SliceOfN(genOutcome(), 0, 30)
		others, first, more := some.Draw(t, "others"), some.Draw(t, "first"), some.Draw(t, "more")
		earlier, later := tallyOf(first), tallyOf(append(first, more...))
		sum, want := tallyOf(others), tallyOf(others)
		sum.Merge(earlier)
		if err := sum.Supersede(earlier, later); err != nil {
			t.Fatal(err)
		}
		want.Merge(later)
		if !bytes.Equal(encode(t, sum), encode(t, want)) {
			t.Fatal("the sum differs")
		}
		if kept := later.Total().Requests + later.Excluded().Requests; kept > 0 {
			if err := tallyOf(nil).Supersede(later, later); !errors.Is(err, outcome.ErrCorrupt) {
				t.Fatalf("superseded what was never there: %v", err)
			}
		}
	})
}
