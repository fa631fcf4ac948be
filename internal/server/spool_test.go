package server

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/pgtest"
	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

func addOutcomes(tb testing.TB, set *outcome.Set, n int, at time.Time) {
	tb.Helper()
	for i := range n {
		o := outcome.Outcome{Rollout: "nlp", Epoch: 1, Variant: rollout.New, Region: "eu", UserKey: rollout.UserKey{byte(i)}, ProcessingTime: time.Millisecond}
		if err := set.Add(o, at); err != nil {
			tb.Fatal(err)
		}
	}
}

// A process counts while PostgreSQL is away, and dies. The next one ships what was
// spooled, and nothing counts twice although the first had stored a part.
func TestSpoolSurvivesTheProcess(t *testing.T) {
	database := pgtest.StartOwn(t, pgtest.Config{})
	st, err := store.Open(t.Context(), database.NewDatabase(t), store.Options{Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	total := func() int64 {
		t.Helper()
		w, err := st.Window(t.Context(), store.OutcomeQuery{Rollout: "nlp"})
		if err != nil {
			t.Fatal(err)
		}
		return w.New.Tally.Total().Requests
	}
	ship := func(s *shipper, fails bool) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		err := s.ship(ctx)
		if err == nil {
			err = s.shipLeft(ctx)
		}
		if (err != nil) != fails {
			t.Fatalf("shipping: %v", err)
		}
	}
	prefix := filepath.Join(t.TempDir(), "nlpcanary.outcomes-")
	spools := func() int {
		t.Helper()
		return len(leftBehind(prefix, ""))
	}
	set, at := outcome.NewSet(), time.Now()
	first := newShipper(st, set, outcome.NewShadowSet(), "first", prefix, nil, slog.New(slog.DiscardHandler))
	addOutcomes(t, set, 10, at)
	ship(first, false)
	database.Kill(t)
	addOutcomes(t, set, 5, at) // in the minute that is stored in part
	ship(first, true)
	addOutcomes(t, set, 7, at.Add(time.Minute))
	ship(first, true)
	addOutcomes(t, set, 100, at.Add(2*time.Minute)) // never spooled, so lost with the process
	if n := spools(); n != 1 {
		t.Fatalf("%d spools", n)
	}
	// The next process finds PostgreSQL still away, and spools too.
	otherSet := outcome.NewSet()
	second := newShipper(st, otherSet, outcome.NewShadowSet(), "second", prefix, nil, slog.New(slog.DiscardHandler))
	addOutcomes(t, otherSet, 3, at.Add(time.Minute))
	ship(second, true)
	if n := spools(); n != 2 {
		t.Fatalf("%d spools", n)
	}
	database.Restart(t)
	ship(second, false)
	if n := total(); n != 25 || spools() != 0 {
		t.Errorf("%d outcomes, want 25; %d spools are left", n, spools())
	}
	ship(first, false) // it was not dead after all
	if n := total(); n != 125 {
		t.Errorf("%d outcomes, want 125", n)
	}
}

// Wherever a crash cuts the file off, what is read is a version of each tally.
func TestSpoolToleratesATornEnd(t *testing.T) {
	set, at := outcome.NewSet(), time.Unix(6000, 0)
	s := newSpool(filepath.Join(t.TempDir(), "x.outcomes-"), "p")
	var whole []outcome.Shipment
	for i := range 3 {
		addOutcomes(t, set, 2, at.Add(time.Duration(i)*time.Minute))
		var err error
		if whole, err = set.Pending(at); err != nil {
			t.Fatal(err)
		}
		if err := s.keep(whole); err != nil {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	if producer, list, ok := readSpool(content); !ok || producer != "p" || len(list) != 3 || list[2].Seq != 2 {
		t.Fatalf("%q, %d tallies, %v", producer, len(list), ok)
	}
	before := 0
	for cut := range content {
		_, list, _ := readSpool(content[:cut])
		if len(list) < before || len(list) > 2 {
			t.Fatalf("%d tallies in %d bytes after %d in one less", len(list), cut, before)
		}
		before = len(list)
	}
	for at := len(spoolMagic) + 2; at < len(content); at++ {
		broken := bytes.Clone(content)
		broken[at] ^= 0x40
		for _, got := range func() []outcome.Shipment { _, list, _ := readSpool(broken); return list }() {
			found := false
			for _, want := range whole {
				found = found || got.Key == want.Key && got.Seq <= want.Seq
			}
			if !found {
				t.Fatalf("byte %d broken: a tally that was never written: %+v", at, got.Key)
			}
		}
	}
	if err := s.clear(); err != nil || len(leftBehind(filepath.Join(filepath.Dir(s.path), "x.outcomes-"), "")) != 0 {
		t.Errorf("clearing: %v", err)
	}
}

func FuzzReadSpool(f *testing.F) {
	set := outcome.NewSet()
	addOutcomes(f, set, 2, time.Unix(6000, 0))
	list, err := set.Pending(time.Unix(6000, 0))
	if err != nil {
		f.Fatal(err)
	}
	content := append([]byte(spoolMagic), 1, 'p')
	f.Add(appendSpooled(content, list[0]))
	f.Add(content)
	f.Fuzz(func(t *testing.T, data []byte) {
		_, list, ok := readSpool(data)
		if !ok && len(list) > 0 {
			t.Fatal("tallies from what is no spool")
		}
		for _, s := range list {
			if s.Seq < 1 || new(outcome.Tally).UnmarshalBinary(s.Data) != nil {
				t.Fatalf("a tally that cannot be: %+v", s)
			}
		}
	})
}
