package outcome_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

func userKey(n uint64) rollout.UserKey {
	keyer := rollout.NewKeyer([]byte("test"))
	return keyer.Key(rollout.UserID(fmt.Sprintf("user-%d", n)))
}

func genOutcome() *rapid.Generator[outcome.Outcome] {
	return rapid.Custom(func(t *rapid.T) outcome.Outcome {
		o := outcome.Outcome{
			Rollout: "nlp", Epoch: 1, Variant: rapid.SampledFrom([]rollout.Variant{rollout.Old, rollout.New}).Draw(t, "variant"),
			UserKey:        userKey(rapid.Uint64Range(0, 500).Draw(t, "user")),
			Excluded:       rapid.IntRange(0, 9).Draw(t, "excluded") == 0,
			ProcessingTime: time.Duration(rapid.Int64Range(0, int64(outcome.MaxTime)).Draw(t, "time")),
			Descriptions:   rapid.IntRange(0, 100).Draw(t, "descriptions"),
		}
		switch rapid.IntRange(0, 3).Draw(t, "end") {
		case 0:
			o.Error = true
		case 1:
			o.Timeout = true
		}
		o.Fallback = o.Variant == rollout.New && (o.Error || o.Timeout)
		if rapid.IntRange(0, 3).Draw(t, "marked") == 0 {
			quality, counts := rapid.IntRange(1, 10).Draw(t, "quality"), rapid.IntRange(1, 9).Draw(t, "counts")
			f := outcome.Feedback{Quality: &quality}
			if counts > 4 {
				f.Correct, f.Wrong, f.Missed = &counts, &quality, &counts
			}
			o.Marks = f.Marks()
		}
		return o
	})
}

func tallyOf(list []outcome.Outcome) *outcome.Tally {
	t := new(outcome.Tally)
	for i := range list {
		t.Add(&list[i])
	}
	return t
}

func encode(t interface{ Fatal(...any) }, tally *outcome.Tally) []byte {
	b, err := tally.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Any split of the same outcomes over any number of producers, in any order, with
// any of them sent through the binary form, gives a tally with the same bytes.
func TestAnySplitAndOrderGiveTheSameBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := rapid.SliceOfN(genOutcome(), 0, 200).Draw(t, "outcomes")
		want := encode(t, tallyOf(list))

		shuffled := rapid.Permutation(list).Draw(t, "order")
		parts := make([]*outcome.Tally, rapid.IntRange(1, 7).Draw(t, "producers"))
		for i := range parts {
			parts[i] = new(outcome.Tally)
		}
		for i := range shuffled {
			parts[rapid.IntRange(0, len(parts)-1).Draw(t, "producer")].Add(&shuffled[i])
		}
		sum := new(outcome.Tally)
		for _, part := range parts {
			if rapid.Bool().Draw(t, "sent") {
				var received outcome.Tally
				if err := received.UnmarshalBinary(encode(t, part)); err != nil {
					t.Fatal(err)
				}
				part = &received
			}
			sum.Merge(part)
		}
		if got := encode(t, sum); !bytes.Equal(got, want) {
			t.Fatalf("split over %d producers: %x\nat once: %x", len(parts), got, want)
		}
	})
}

func TestMergeLeavesTheOtherTallyAlone(t *testing.T) {
	a := tallyOf([]outcome.Outcome{{Rollout: "nlp", Epoch: 1, Variant: rollout.New, UserKey: userKey(1), ProcessingTime: time.Millisecond}})
	before := encode(t, a)
	sum := new(outcome.Tally)
	sum.Merge(a)
	sum.Merge(a)
	if !bytes.Equal(before, encode(t, a)) {
		t.Error("merging a tally into another changed it")
	}
	if n := sum.Total().Requests; n != 2 {
		t.Errorf("two merges sum to %d requests", n)
	}
}

func TestExcludedOutcomesAreInNoCohort(t *testing.T) {
	o := outcome.Outcome{Rollout: "nlp", Epoch: 1, Variant: rollout.New, UserKey: userKey(1), Error: true, Excluded: true, ProcessingTime: time.Second}
	tally := tallyOf([]outcome.Outcome{o})
	if tally.Total() != (outcome.Sums{}) || tally.Users() != 0 {
		t.Errorf("an excluded outcome is in the cohort: %+v, %d users", tally.Total(), tally.Users())
	}
	if _, measured := tally.Quantile(.5); measured {
		t.Error("an excluded outcome is in the quantiles")
	}
	if tally.Excluded().Errors != 1 {
		t.Errorf("the excluded outcome was lost: %+v", tally.Excluded())
	}
}

// The sum of the buckets is the total: every outcome is in exactly one.
func TestBucketsSumToTheTotal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tally := tallyOf(rapid.SliceOfN(genOutcome(), 0, 300).Draw(t, "outcomes"))
		var sum outcome.Sums
		for i := range outcome.Buckets {
			b := tally.Bucket(i)
			sum.Requests += b.Requests
			sum.Errors += b.Errors
			sum.Timeouts += b.Timeouts
			sum.Fallbacks += b.Fallbacks
			sum.Descriptions += b.Descriptions
			sum.Micros += b.Micros
			sum.LogMicros += b.LogMicros
		}
		if sum != tally.Total() {
			t.Fatalf("buckets sum to %+v, the total is %+v", sum, tally.Total())
		}
	})
}

func TestUsersAreEstimatedWithinFivePerCent(t *testing.T) {
	for _, n := range []int{1, 2, 10, 100, 1000, 2000, 5000, 20_000, 200_000} {
		var tally outcome.Tally
		for i := range n {
			o := outcome.Outcome{UserKey: userKey(uint64(i)), Variant: rollout.Old}
			tally.Add(&o)
			tally.Add(&o) // a user who comes twice is one user
		}
		got := tally.Users()
		// 3 standard errors of 1.6 %, and half a user of rounding.
		if limit := 0.05*float64(n) + 0.5; math.Abs(float64(got)-float64(n)) > limit {
			t.Errorf("%d users were estimated as %d", n, got)
		}
	}
}

func TestQuantilesAreWithinOnePerCent(t *testing.T) {
	var tally outcome.Tally
	random := rand.New(rand.NewPCG(1, 2))
	times := make([]float64, 0, 10_000)
	for range 10_000 {
		d := time.Duration(math.Exp(random.NormFloat64())*30_000) * time.Microsecond
		times = append(times, float64(d))
		tally.Add(&outcome.Outcome{ProcessingTime: d})
	}
	for _, q := range []float64{0, .01, .5, .95, .99, 1} {
		got, ok := tally.Quantile(q)
		want := exactQuantile(times, q)
		if !ok || math.Abs(float64(got)-want) > 0.0101*want+1000 {
			t.Errorf("quantile %v is %v, exactly %v", q, got, time.Duration(want))
		}
	}
}

func TestSummaryOfNothingMeasuresNothing(t *testing.T) {
	s := new(outcome.Tally).Summary()
	if s != (outcome.Summary{}) {
		t.Errorf("an empty tally has a summary: %+v", s)
	}
}

func TestSummary(t *testing.T) {
	var tally outcome.Tally
	for i := range 4 {
		o := outcome.Outcome{UserKey: userKey(uint64(i)), Variant: rollout.New, ProcessingTime: time.Duration(i+1) * 10 * time.Millisecond, Descriptions: i}
		o.Error = i == 0
		o.Timeout = i == 1
		o.Fallback = i < 2
		tally.Add(&o)
	}
	s := tally.Summary()
	for _, c := range []struct {
		name string
		got  *float64
		want float64
	}{
		{"error rate", s.ErrorRate, .25}, {"timeout rate", s.TimeoutRate, .25}, {"fallback rate", s.FallbackRate, .5}, {"mean time", s.AvgMS, 25}, {"descriptions per text", s.DescriptionsPerText, 1.5},
	} {
		if c.got == nil || *c.got != c.want {
			t.Errorf("%s is %v, want %v", c.name, c.got, c.want)
		}
	}
	if s.Total != 4 || *s.Descriptions != 6 || *s.Users != 4 {
		t.Errorf("total %d, descriptions %d, users %d; want 4, 6, 4", s.Total, *s.Descriptions, *s.Users)
	}
}
