package store

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/store/gen"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// longRollout fills a database with what ninety days of eight instances in three
// regions leave in it: days and hours of all but the last minutes, single minutes of
// the last two days, and ten minutes that are not folded yet.
func longRollout(b *testing.B, s *Store, now time.Time) {
	b.Helper()
	chance := rand.New(rand.NewPCG(1, 2))
	tally := func(texts int) *outcome.Tally {
		t := new(outcome.Tally)
		for range texts {
			o := outcome.Outcome{ProcessingTime: time.Duration(20e6 * (1 + chance.ExpFloat64())), Error: chance.IntN(50) == 0, Descriptions: chance.IntN(9)}
			user := chance.Uint64N(20_000)
			for i := range o.UserKey {
				o.UserKey[i] = byte(user * 0x9e3779b97f4a7c15 >> (4 * i))
			}
			if quality := 1 + chance.IntN(10); chance.IntN(20) == 0 {
				o.Marks = outcome.Feedback{Quality: &quality}.Marks()
			}
			t.Add(&o)
		}
		return t
	}
	encode := func(t *outcome.Tally) []byte {
		data, err := t.MarshalBinary()
		if err != nil {
			b.Fatal(err)
		}
		return data
	}
	some := func(n, texts int) [][]byte {
		list := make([][]byte, n)
		for i := range list {
			list[i] = encode(tally(texts))
		}
		return list
	}
	minutes, hours, days := some(20, 200), some(8, 12_000), some(4, 100_000)
	lists := map[int64][][]byte{hour: hours, day: days, ever: days}
	end := int64(outcome.MinuteOf(now))
	first := end - end%day - 90*day
	pick := func(list [][]byte) []byte { return list[chance.IntN(len(list))] }
	err := s.transact(b.Context(), "filling", func(q *gen.Queries) (bool, error) {
		for _, span := range spans {
			from := first
			if span == ever {
				from = 0
			}
			for start := from; start < end-10; start += span {
				for region := range 3 {
					var list blocks
					for minute := max(start, first); minute < min(start+span, end-10); minute++ {
						n := int64(100 + chance.IntN(200))
						list = append(list, outcome.Block{Minute: outcome.Minute(minute), Old: outcome.Counts{Requests: n, Errors: n / 50, Slow: n / 20}, New: outcome.Counts{Requests: n, Errors: n / 50, Slow: n / 20}})
					}
					if span == ever {
						list = nil
					}
					data := lists[span]
					err := q.PutPeriod(b.Context(), gen.PutPeriodParams{
						Rollout: "nlp", Epoch: 1, Region: fmt.Sprint("region", region), Span: span, Start: start,
						Blocks: list.encode(outcome.Minute(start)), Old: pick(data), New: pick(data),
					})
					if err != nil {
						return false, err
					}
				}
			}
		}
		for instance := range 8 {
			for minute := end - 2*day; minute < end; minute++ {
				for _, v := range []rollout.Variant{rollout.Old, rollout.New} {
					key := gen.PutTallyParams{
						Producer: fmt.Sprint("instance", instance), Rollout: "nlp", Epoch: 1, Variant: string(v), Region: fmt.Sprint("region", instance%3),
						Minute: minute, Seq: 1, Data: pick(minutes),
					}
					if _, err := q.PutTally(b.Context(), key); err != nil {
						return false, err
					}
				}
			}
		}
		return true, nil
	})
	if err != nil {
		b.Fatal(err)
	}
	s.sql(b, "UPDATE nlpcanary_tallies SET folded = true WHERE minute < $1", end-10)
	s.sql(b, "UPDATE nlpcanary_folding SET compacted = $1", (end-2*day)/hour*hour)
}

// Metrics and recommendations stand on this. It must stay below 100 ms.
func BenchmarkWindow90Days(b *testing.B) {
	benchmarkOnBoth(b, func(b *testing.B, s *Store) {
		now := time.Date(2030, 4, 2, 13, 37, 0, 0, time.UTC)
		longRollout(b, s, now)
		if s.at.dialect == Postgres {
			s.sql(b, "ANALYZE") // as autovacuum does
		}
		for _, c := range []struct {
			name  string
			query OutcomeQuery
		}{
			{"stage", OutcomeQuery{Rollout: "nlp", Epoch: 1}},
			{"rollout", OutcomeQuery{Rollout: "nlp"}},
			{"last day", OutcomeQuery{Rollout: "nlp", Epoch: 1, From: now.Add(-24 * time.Hour)}},
			{"the month before", OutcomeQuery{Rollout: "nlp", Epoch: 1, From: now.AddDate(0, -2, 0), To: now.AddDate(0, -1, 0)}},
		} {
			b.Run(c.name, func(b *testing.B) {
				for b.Loop() {
					if _, err := s.Window(context.Background(), c.query); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	})
}
