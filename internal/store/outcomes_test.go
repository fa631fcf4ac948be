package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

func TestTallies(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		s := d.open(t)
		noon := time.Date(2030, 1, 2, 12, 0, 30, 0, time.UTC)
		set := outcome.NewSet()
		add := func(at time.Time, epoch int64, v rollout.Variant, region rollout.Region) {
			t.Helper()
			err := set.Add(outcome.Outcome{Rollout: "nlp", Epoch: epoch, Variant: v, Region: region, ProcessingTime: 5 * time.Millisecond}, at)
			if err != nil {
				t.Fatal(err)
			}
		}
		put := func(producer string) []outcome.Shipment {
			t.Helper()
			list, err := set.Pending(noon)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.PutTallies(t.Context(), producer, list); err != nil {
				t.Fatal(err)
			}
			return list
		}
		add(noon, 1, rollout.New, "eu")
		early := put("p1")
		add(noon, 1, rollout.New, "eu")
		add(noon, 1, rollout.Old, "eu")
		add(noon.Add(time.Minute), 1, rollout.New, "")
		add(noon, 2, rollout.New, "us")
		late := put("p1")
		put("p2") // another producer's count besides
		for range 3 {
			// Repeated and overtaken shipments count once.
			for _, list := range [][]outcome.Shipment{late, early} {
				if err := s.PutTallies(t.Context(), "p1", list); err != nil {
					t.Fatal(err)
				}
			}
		}
		eu, none := rollout.Region("eu"), rollout.Region("")
		cases := []struct {
			name  string
			query OutcomeQuery
			want  map[rollout.Variant]int64
		}{
			{"all", OutcomeQuery{Rollout: "nlp"}, map[rollout.Variant]int64{rollout.New: 8, rollout.Old: 2}},
			{"another rollout", OutcomeQuery{Rollout: "x"}, map[rollout.Variant]int64{}},
			{"one epoch", OutcomeQuery{Rollout: "nlp", Epoch: 1}, map[rollout.Variant]int64{rollout.New: 6, rollout.Old: 2}},
			{"one region", OutcomeQuery{Rollout: "nlp", Region: &eu}, map[rollout.Variant]int64{rollout.New: 4, rollout.Old: 2}},
			{"no region", OutcomeQuery{Rollout: "nlp", Region: &none}, map[rollout.Variant]int64{rollout.New: 2}},
			{"from", OutcomeQuery{Rollout: "nlp", From: noon.Add(45 * time.Second)}, map[rollout.Variant]int64{rollout.New: 2}},
			{"to", OutcomeQuery{Rollout: "nlp", To: noon.Add(30 * time.Second)}, map[rollout.Variant]int64{rollout.New: 6, rollout.Old: 2}},
		}
		for _, c := range cases {
			w := mustWindow(t, s, c.query)
			got := map[rollout.Variant]int64{}
			for v, cohort := range map[rollout.Variant]outcome.Cohort{rollout.Old: w.Old, rollout.New: w.New} {
				if n := cohort.Tally.Summary().Total; n > 0 {
					got[v] = n
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.name, diff)
			}
		}
		s.sql(t, "UPDATE nlpcanary_tallies SET data = $1", []byte("nonsense"))
		if _, err := s.Window(t.Context(), OutcomeQuery{Rollout: "nlp"}); !errors.Is(err, ErrDatabase) {
			t.Errorf("unreadable tallies: %v", err)
		}
	})
}

func TestFeedback(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		s := d.open(t)
		noon := time.Date(2030, 1, 2, 12, 0, 30, 0, time.UTC)
		number := func(n int) *int { return &n }
		ticket := outcome.Ticket{Rollout: "nlp", Epoch: 3, Variant: rollout.New, Region: "eu", Minute: outcome.MinuteOf(noon), UserKey: rollout.UserKey{7}}
		put := func(id string, ticket outcome.Ticket, f outcome.Feedback) error {
			return s.PutFeedback(t.Context(), Feedback{OutcomeID: id, Ticket: ticket, Feedback: f, Actor: "ann"})
		}
		mark := outcome.Feedback{Quality: number(8)}
		counts := outcome.Feedback{Correct: number(5), Wrong: number(0), Missed: number(2)}
		both := outcome.Feedback{Quality: number(3), Correct: number(1), Wrong: number(1), Missed: number(0)}
		old, pinned := ticket, ticket
		old.Variant, pinned.Excluded = rollout.Old, true
		for i, put := range []func() error{
			func() error { return put("a", ticket, mark) },
			func() error { return put("a", ticket, mark) }, // again the same
			func() error { return put("b", ticket, counts) },
			func() error { return put("c", ticket, both) },
			func() error { return put("d", old, both) },
			func() error { return put("e", pinned, both) },
		} {
			if err := put(); err != nil {
				t.Fatalf("feedback %d: %v", i, err)
			}
		}
		if err := put("a", ticket, both); !errors.Is(err, ErrFeedbackExists) || errors.Is(err, ErrDatabase) {
			t.Errorf("other feedback on the same outcome: %v", err)
		}
		wantMarks := func(q OutcomeQuery, old, canary outcome.Marks) {
			t.Helper()
			w := mustWindow(t, s, q)
			if w.Old.Marks[7] != old || w.New.Marks[7] != canary {
				t.Errorf("%+v: %+v, %+v", q, w.Old.Marks[7], w.New.Marks[7])
			}
		}
		onNew := outcome.Marks{Quality: 11, Rated: 2, Labelled: 2, Labels: outcome.Labels{Correct: 6, Wrong: 1, Missed: 2}}
		onOld := outcome.Marks{Quality: 3, Rated: 1, Labelled: 1, Labels: outcome.Labels{Correct: 1, Wrong: 1}}
		wantMarks(OutcomeQuery{Rollout: "nlp", Epoch: 3, From: noon, To: noon.Add(time.Second)}, onOld, onNew)
		for _, q := range []OutcomeQuery{{Rollout: "nlp", Epoch: 2}, {Rollout: "x"}, {Rollout: "nlp", From: noon.Add(time.Hour)}, {Rollout: "nlp", To: noon.Add(-time.Hour)}} {
			wantMarks(q, outcome.Marks{}, outcome.Marks{})
		}
	})
}

// Whatever goes through the store, nothing of a user, a token's secret or a text is
// in the database afterwards.
func TestNothingPrivateIsKept(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		s := d.open(t)
		const user, secret = "planted-user-4711", "planted-secret-0815"
		keyer := rollout.NewKeyer(s.Secrets().UserKey)
		key := keyer.Key(user)
		token := rollout.CreateToken{ID: "t1", Name: "bot", Role: rollout.RoleClient, Hash: rollout.HashToken(secret)}
		mustApply(t, s, Request{Change: token, Actor: admin("ann"), IdempotencyKey: "k1"})
		mustApply(t, s, Request{Change: rollout.AddOverride{User: key, Variant: rollout.Old, Label: "a tester"}, Actor: admin("ann"), IdempotencyKey: "k2"})
		if _, ok := mustState(t, s).TokenBySecret(secret); !ok {
			t.Error("the token does not work")
		}
		if _, err := s.Renew(t.Context(), follow.Heartbeat{Instance: "i1"}); err != nil {
			t.Fatal(err)
		}
		set := outcome.NewSet()
		if err := set.Add(outcome.Outcome{Rollout: "nlp", Epoch: 1, Variant: rollout.New, UserKey: key}, time.Now()); err != nil {
			t.Fatal(err)
		}
		list, err := set.Pending(time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := s.PutTallies(t.Context(), "p", list); err != nil {
			t.Fatal(err)
		}
		id := outcome.NewSealer(s.Secrets().OutcomeID).Seal(outcome.Ticket{Rollout: "nlp", Epoch: 1, Variant: rollout.New, UserKey: key})
		quality := 9
		if err := s.PutFeedback(t.Context(), Feedback{OutcomeID: id, Ticket: outcome.Ticket{Rollout: "nlp"}, Feedback: outcome.Feedback{Quality: &quality}, Actor: "bot"}); err != nil {
			t.Fatal(err)
		}
		dump := s.dump(t)
		if !bytes.Contains(dump, []byte("a tester")) {
			t.Fatal("the dump is not one")
		}
		for _, planted := range []string{user, secret} {
			if bytes.Contains(dump, []byte(planted)) {
				t.Errorf("%q is in the database", planted)
			}
		}
		// The audit trail, which is meant to be shown, does not even have the hash.
		for _, e := range mustAudit(t, s, AuditQuery{}) {
			if strings.Contains(fmt.Sprintf("%s%s", e.Before, e.After), rollout.HashToken(secret)) {
				t.Errorf("revision %d of the audit trail has the token's hash", e.Revision)
			}
		}
	})
}

// dump is everything that the database holds.
func (s *Store) dump(tb testing.TB) []byte {
	tb.Helper()
	var dump bytes.Buffer
	if s.at.dialect == SQLite {
		for _, file := range []string{s.at.path, s.at.path + "-wal"} {
			content, err := os.ReadFile(file)
			if err != nil {
				tb.Fatal(err)
			}
			dump.Write(content)
		}
		return dump.Bytes()
	}
	ctx := context.Background()
	conn, err := s.dial(ctx)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	tables := s.scalar(tb, "SELECT string_agg(tablename, ' ') FROM pg_tables WHERE schemaname = 'public'")
	for _, table := range strings.Fields(tables) {
		if _, err := conn.PgConn().CopyTo(ctx, &dump, "COPY "+table+" TO STDOUT"); err != nil {
			tb.Fatal(err)
		}
	}
	return dump.Bytes()
}
