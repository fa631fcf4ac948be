package outcome_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// traffic is n outcomes of as many users with times all over the range that matters.
func traffic(n int, failing bool) []outcome.Outcome {
	list := make([]outcome.Outcome, n)
	for i := range list {
		list[i] = outcome.Outcome{
			Rollout: "nlp", Epoch: 1, Variant: rollout.New, UserKey: userKey(uint64(i)),
			ProcessingTime: time.Duration(i*37) * time.Microsecond, Error: failing || i%50 == 0,
		}
	}
	return list
}

func TestAddDoesNotAllocate(t *testing.T) {
	list, now := traffic(1024, false), time.Unix(6000, 0)
	tally, set := tallyOf(list), outcome.NewSet()
	for i := range list {
		if err := set.Add(list[i], now); err != nil {
			t.Fatal(err)
		}
	}
	i := 0
	for name, add := range map[string]func(outcome.Outcome){
		"Tally": func(o outcome.Outcome) { tally.Add(&o) },
		"Set":   func(o outcome.Outcome) { _ = set.Add(o, now) }, // it was accepted above
	} {
		if n := testing.AllocsPerRun(2000, func() { add(list[i%len(list)]); i++ }); n != 0 {
			t.Errorf("%s.Add allocates %v times", name, n)
		}
	}
}

func BenchmarkAdd(b *testing.B) {
	for _, c := range []struct {
		name string
		list []outcome.Outcome
	}{
		{"tally", traffic(1024, false)},
		{"tally/all errors of 1,024 users", traffic(1024, true)},
		{"tally/all errors of 16,384 users", traffic(16_384, true)},
	} {
		b.Run(c.name, func(b *testing.B) {
			tally := tallyOf(c.list)
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				tally.Add(&c.list[i%len(c.list)])
			}
		})
	}
	list := traffic(1024, false)
	b.Run("set", func(b *testing.B) {
		set, now := outcome.NewSet(), time.Now()
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if err := set.Add(list[i%len(list)], now); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("set/parallel", func(b *testing.B) {
		set, now := outcome.NewSet(), time.Now()
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				if err := set.Add(list[i%len(list)], now); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

// A thousand tallies of a minute each, for minutes with few and with very many texts.
func BenchmarkMerge1000(b *testing.B) {
	for _, texts := range []int{200, 10_000} {
		for _, c := range []struct {
			name    string
			failing bool
		}{{"", false}, {" all failing", true}} {
			tallies := make([]*outcome.Tally, 1000)
			encoded := make([][]byte, 1000)
			list := traffic(texts+50*50, c.failing)
			for i := range tallies {
				// Fifty different ones: other users and times from minute to minute.
				if i < 50 {
					tallies[i] = tallyOf(list[i*50:][:texts])
				} else {
					tallies[i] = tallies[i%50]
				}
				encoded[i] = encode(b, tallies[i])
			}
			b.Run(fmt.Sprintf("%d texts%s", texts, c.name), func(b *testing.B) {
				for b.Loop() {
					sum := new(outcome.Tally)
					for _, t := range tallies {
						sum.Merge(t)
					}
				}
			})
			b.Run(fmt.Sprintf("%d texts%s, decoded", texts, c.name), func(b *testing.B) {
				for b.Loop() {
					sum, read := new(outcome.Tally), new(outcome.Tally)
					for _, data := range encoded {
						if err := read.UnmarshalBinary(data); err != nil {
							b.Fatal(err)
						}
						sum.Merge(read)
					}
				}
				b.ReportMetric(float64(len(encoded[0])), "bytes/tally")
			})
		}
	}
}

// What a full set costs each time that the store is tried during an outage.
func BenchmarkPendingOfAFullSet(b *testing.B) {
	set, list := outcome.NewSet(), traffic(200, false)
	at := time.Unix(6000, 0)
	for range outcome.MaxTallies {
		for _, o := range list {
			if err := set.Add(o, at); err != nil {
				b.Fatal(err)
			}
		}
		at = at.Add(time.Minute)
	}
	for b.Loop() {
		if _, err := set.Pending(at); err != nil {
			b.Fatal(err)
		}
	}
}
