package outcome_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// A limit is the end of a bin: what is slow by the sketch is slow by the clock.
func TestSlowerIsExactForASlowLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		times := rapid.SliceOfN(rapid.Int64Range(0, outcome.MaxTime.Microseconds()), 1, 50).Draw(t, "times")
		p95 := time.Duration(rapid.Int64Range(0, outcome.MaxTime.Microseconds()).Draw(t, "p95")) * time.Microsecond
		limit := outcome.SlowLimit(p95)
		// Times at the limit itself are where it would show.
		times = append(times, limit.Microseconds(), min(limit+time.Microsecond, outcome.MaxTime).Microseconds())
		tally, want := new(outcome.Tally), int64(0)
		for _, micros := range times {
			took := time.Duration(micros) * time.Microsecond
			tally.Add(&outcome.Outcome{Rollout: "nlp", Epoch: 1, Variant: rollout.Old, ProcessingTime: took})
			if took > limit {
				want++
			}
		}
		if got := tally.Slower(limit); got != want {
			t.Fatalf("%d outcomes took longer than %v, %d are counted", want, limit, got)
		}
		wanted := time.Duration(outcome.SlowFactor * float64(p95))
		if limit < outcome.MaxTime && (limit < wanted-time.Microsecond || float64(limit) > 1.0203*float64(wanted)+3000) {
			t.Fatalf("the limit for a p95 of %v is %v", p95, limit)
		}
	})
}
