package store

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/internal/pgtest"
	"github.com/nlpcanary/nlpcanary/internal/store/gen"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// benchmarkOnBoth runs on SQLite, and on a PostgreSQL that flushes every commit to
// disk, as SQLite does here.
func benchmarkOnBoth(b *testing.B, run func(b *testing.B, s *Store)) {
	b.Run(SQLite, func(b *testing.B) {
		run(b, (&database{dialect: SQLite, url: newURL(b, SQLite)}).open(b))
	})
	b.Run(Postgres, func(b *testing.B) {
		url := pgtest.StartOwn(b, pgtest.Config{Durable: true}).NewDatabase(b)
		run(b, (&database{dialect: Postgres, url: url}).open(b))
	})
}

func BenchmarkApply(b *testing.B) {
	benchmarkOnBoth(b, func(b *testing.B, s *Store) {
		for b.Loop() {
			if _, err := s.Apply(b.Context(), Request{Change: rollout.ClearCache{}, Actor: operator("ann"), Note: "because"}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkRenew(b *testing.B) {
	for _, changed := range []bool{false, true} {
		b.Run(fmt.Sprintf("changed=%v", changed), func(b *testing.B) {
			benchmarkOnBoth(b, func(b *testing.B, s *Store) {
				beat := follow.Heartbeat{Instance: "i1", Region: "eu", Lease: follow.DefaultLease, StartedAt: time.Now()}
				first, err := s.Renew(b.Context(), beat)
				if err != nil {
					b.Fatal(err)
				}
				if !changed {
					beat.Known, beat.Honours = first.Version, first.Version.Revision
				}
				for b.Loop() {
					if _, err := s.Renew(b.Context(), beat); err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}

func BenchmarkVerify100k(b *testing.B) {
	benchmarkOnBoth(b, func(b *testing.B, s *Store) {
		grow(b, s, 100_000)
		for b.Loop() {
			if report := mustVerify(b, s, ""); !report.OK || report.Entries != 100_000 {
				b.Fatalf("report = %+v", report)
			}
		}
	})
}

// grow brings the store to a revision, many changes to a transaction.
func grow(tb testing.TB, s *Store, revision int64) {
	tb.Helper()
	for mustState(tb, s).Revision < revision {
		err := s.transact(tb.Context(), "growing", func(q *gen.Queries) (bool, error) {
			return true, growABit(tb.Context(), s, q, revision)
		})
		if err != nil {
			tb.Fatal(err)
		}
	}
}

func growABit(ctx context.Context, s *Store, q *gen.Queries, revision int64) error {
	a := &applying{store: s, q: q}
	for range 2000 {
		if _, _, err := a.run(ctx, Request{Change: rollout.ClearCache{}, Actor: operator("ann"), Note: "a change like many others"}, nil); err != nil {
			return err
		}
		if a.state.Revision >= revision {
			return nil
		}
	}
	return nil
}
