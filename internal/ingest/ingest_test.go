package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nlpcanary/nlpcanary/internal/ingest"
	"github.com/nlpcanary/nlpcanary/internal/pgtest"
	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

func open(tb testing.TB, url string) *store.Store {
	tb.Helper()
	s, err := store.Open(tb.Context(), url, store.Options{Migrate: true})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	return s
}

func start(tb testing.TB, s *store.Store, name string) *ingest.Ingest {
	tb.Helper()
	g := ingest.Start(ingest.Config{Store: s, Instance: name, Logger: slog.New(slog.DiscardHandler)})
	tb.Cleanup(g.Close)
	return g
}

// report is the n-th outcome; everything in it follows from n.
func report(g *ingest.Ingest, n int) ingest.Report {
	o := outcome.Outcome{
		Rollout: "nlp", Epoch: 1, Variant: rollout.Old, UserKey: rollout.UserKey{byte(n), byte(n >> 8), 2: byte(n * 31)},
		ProcessingTime: time.Duration(n%1000) * time.Millisecond, Error: n%10 == 0,
	}
	if n%3 == 0 {
		o.Variant = rollout.New
	}
	return ingest.Report{ID: g.ID([]byte(fmt.Sprint("id ", n))), Outcome: o}
}

func encoded(tb testing.TB, s *store.Store) string {
	tb.Helper()
	w, err := s.Window(tb.Context(), store.OutcomeQuery{Rollout: "nlp", Epoch: 1})
	if err != nil {
		tb.Fatal(err)
	}
	old, err := w.Old.Tally.MarshalBinary()
	if err != nil {
		tb.Fatal(err)
	}
	canary, err := w.New.Tally.MarshalBinary()
	if err != nil {
		tb.Fatal(err)
	}
	return fmt.Sprintf("%x %x", old, canary)
}

// However reports are split, ordered, repeated, sent to one instance or the other, and
// however often an instance stops and another begins: the sums have the same bytes.
func TestAnySplitOrderAndRepetitionCountsTheSame(t *testing.T) {
	const n = 60
	once := open(t, "sqlite:"+filepath.Join(t.TempDir(), "once.db"))
	g := start(t, once, "one")
	var all []ingest.Report
	for i := range n {
		all = append(all, report(g, i))
	}
	if r, err := g.Add(t.Context(), all); err != nil || r.Counted != n {
		t.Fatalf("%+v, %v", r, err)
	}
	want := encoded(t, once)
	rounds := 0
	rapid.Check(t, func(rt *rapid.T) {
		if rounds++; rounds > 12 { // each waits for some transactions
			return
		}
		s := open(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"))
		instances := []*ingest.Ingest{start(t, s, "a"), start(t, s, "b")}
		order := rapid.Permutation(makeRange(n)).Draw(rt, "order")
		for len(order) > 0 {
			size := rapid.IntRange(1, len(order)).Draw(rt, "size")
			which := rapid.IntRange(0, 1).Draw(rt, "instance")
			var list []ingest.Report
			for _, i := range order[:size] {
				list = append(list, report(instances[which], i))
			}
			if rapid.Bool().Draw(rt, "twice in one") {
				list = append(list, list[0])
			}
			for range rapid.IntRange(1, 3).Draw(rt, "times") {
				if _, err := instances[which].Add(t.Context(), list); err != nil {
					rt.Fatal(err)
				}
				which = rapid.IntRange(0, 1).Draw(rt, "instance again")
			}
			if rapid.IntRange(0, 3).Draw(rt, "restart") == 0 {
				instances[which].Close()
				instances[which] = start(t, s, fmt.Sprint("restarted ", len(order)))
			}
			order = order[size:]
		}
		if got := encoded(t, s); got != want {
			rt.Fatal("the sums differ")
		}
	})
}

func makeRange(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	return list
}

// Many instances at once, each told the same by many callers at once.
func TestInstancesShareWhatTheyKnow(t *testing.T) {
	for _, dialect := range []string{store.SQLite, store.Postgres} {
		t.Run(dialect, func(t *testing.T) {
			url := "sqlite:" + filepath.Join(t.TempDir(), "test.db")
			if dialect == store.Postgres {
				url = pgtest.Start(t).NewDatabase(t)
			}
			s := open(t, url)
			var instances []*ingest.Ingest
			for i := range 3 {
				instances = append(instances, start(t, open(t, url), fmt.Sprint("i", i)))
			}
			var counted atomic.Int64
			var group sync.WaitGroup
			for caller := range 12 {
				g := instances[caller%3]
				group.Go(func() {
					for batch := range 10 {
						var list []ingest.Report
						for i := range 50 {
							list = append(list, report(g, (batch*50+i*7+caller)%500))
						}
						r, err := g.Add(context.Background(), list)
						if err != nil {
							t.Error(err)
							return
						}
						counted.Add(int64(r.Counted))
					}
				})
			}
			group.Wait()
			w, err := s.Window(t.Context(), store.OutcomeQuery{Rollout: "nlp"})
			if err != nil {
				t.Fatal(err)
			}
			kept := w.Old.Tally.Total().Requests + w.New.Tally.Total().Requests
			if kept != counted.Load() || kept > 500 || kept < 400 {
				t.Errorf("%d were counted and %d are kept, of 500 different ones", counted.Load(), kept)
			}
		})
	}
}

// Ten times the traffic makes no more transactions: they depend on time alone.
func TestWritesDependOnTimeNotOnTraffic(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	s := open(t, "sqlite:"+path)
	next := 0
	for _, size := range []int{20, 200} {
		g := start(t, s, fmt.Sprint("size", size))
		batches := func() int64 {
			last := int64(0)
			for {
				list, err := s.ReportedIDs(t.Context(), last)
				if err != nil {
					t.Fatal(err)
				}
				if len(list) == 0 {
					return last
				}
				last = list[len(list)-1].Number
			}
		}
		before, began := batches(), time.Now()
		var group sync.WaitGroup
		sent := 0
		for range 16 {
			first := next
			next += 15 * size
			sent += 15 * size
			group.Go(func() {
				for batch := range 15 {
					var list []ingest.Report
					for i := range size {
						list = append(list, report(g, first+batch*size+i))
					}
					if _, err := g.Add(context.Background(), list); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		group.Wait()
		took := time.Since(began)
		wrote := batches() - before
		t.Logf("%d outcomes in %d transactions in %v", sent, wrote, took.Round(time.Millisecond))
		if most := int64(took/(20*time.Millisecond)) + 2; wrote > most {
			t.Errorf("%d transactions in %v, at most %d may be", wrote, took, most)
		}
	}
}

func TestFloodIsRefused(t *testing.T) {
	s := open(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"))
	g := start(t, s, "flooded")
	huge := make([]ingest.Report, 200_001)
	if _, err := g.Add(t.Context(), huge); !errors.Is(err, ingest.ErrBusy) {
		t.Errorf("%v", err)
	}
	if r, err := g.Add(t.Context(), []ingest.Report{report(g, 1)}); err != nil || r.Counted != 1 {
		t.Errorf("after a flood: %+v, %v", r, err)
	}
	g.Close()
	if _, err := g.Add(t.Context(), []ingest.Report{report(g, 2)}); !errors.Is(err, ingest.ErrClosed) {
		t.Errorf("%v", err)
	}
}
