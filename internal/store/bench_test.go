package store

import (
	"fmt"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

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

// grow brings the store to a revision by writing the log directly, in one
// transaction, and the clock once: PostgreSQL slows down with each update of the
// same row within a transaction.
func grow(tb testing.TB, s *Store, revision int64) {
	tb.Helper()
	state := mustState(tb, s)
	err := s.transact(tb.Context(), "growing", func(q *gen.Queries) (bool, error) {
		was := state.Revision
		var v verification
		v.grow(mustAudit(tb, s, AuditQuery{})[0].leaf())
		state.Revision = revision
		document, err := encodeState(state)
		if err != nil {
			return false, err
		}
		for r := was + 1; r <= revision; r++ {
			e := AuditEntry{
				Revision: r, At: timeOf(s.now()), Actor: "ann", Role: rollout.RoleOperator, Action: rollout.ActionClearCache, Subject: "cache",
				Before: []byte("1"), After: []byte("2"), Note: "a change like many others", Warnings: []string{}, Source: rollout.SourceAPI, StateDigest: digestOf(document),
			}
			if _, err := insertAudit(tb.Context(), q, e); err != nil {
				return false, err
			}
			for i, hash := range v.grow(e.leaf()) {
				if err := q.PutAuditHash(tb.Context(), gen.PutAuditHashParams{Idx: tlog.StoredHashIndex(0, r-1) + int64(i), Hash: hash[:]}); err != nil {
					return false, err
				}
			}
		}
		_, err = q.SetClock(tb.Context(), gen.SetClockParams{Revision: revision, Document: document, Was: was})
		return true, err
	})
	if err != nil {
		tb.Fatal(err)
	}
}
