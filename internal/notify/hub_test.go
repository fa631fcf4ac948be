package notify

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// scripted fails as it is told, and then delivers.
type scripted struct {
	name   string
	fails  []error
	mu     sync.Mutex
	at     []time.Time
	got    []Alert
	before func(context.Context)
}

func (s *scripted) Name() string { return s.name }

func (s *scripted) Notify(ctx context.Context, a Alert) error {
	if s.before != nil {
		s.before(ctx)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = append(s.at, time.Now())
	if n := len(s.at); n <= len(s.fails) && s.fails[n-1] != nil {
		return s.fails[n-1]
	}
	s.got = append(s.got, a)
	return nil
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

var errBroken = errors.New("broken")

func TestDeliveriesAreRepeated(t *testing.T) {
	forever := make([]error, attempts+1)
	for i := range forever {
		forever[i] = errBroken
	}
	for name, c := range map[string]struct {
		fails    []error
		attempts int
		want     Counts
		least    time.Duration // between the first and the second attempt
	}{
		"at once":         {nil, 1, Counts{Delivered: 1}, 0},
		"after two":       {[]error{errBroken, errBroken}, 3, Counts{Delivered: 1}, firstPause / 2},
		"never":           {forever, attempts, Counts{Failed: 1}, firstPause / 2},
		"permanently not": {[]error{&Permanent{errBroken}}, 1, Counts{Failed: 1}, 0},
		"later":           {[]error{&Later{errBroken, 40 * time.Second}}, 2, Counts{Delivered: 1}, 40 * time.Second},
		"much later":      {[]error{&Later{errBroken, 40 * time.Hour}}, 2, Counts{Delivered: 1}, longestPause},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := &scripted{name: "n", fails: c.fails}
				h := Start([]Notifier{n}, quiet())
				h.Tell(firing)
				time.Sleep(time.Hour)
				if got := h.Counts()["n"]; got != c.want {
					t.Errorf("%+v, want %+v", got, c.want)
				}
				if len(n.at) != c.attempts {
					t.Fatalf("%d attempts, want %d", len(n.at), c.attempts)
				}
				for i := 1; i < len(n.at); i++ {
					if pause := n.at[i].Sub(n.at[i-1]); pause < firstPause/2 || pause > longestPause {
						t.Errorf("pause %d is %s", i, pause)
					}
				}
				if len(n.at) > 1 && n.at[1].Sub(n.at[0]) < c.least {
					t.Errorf("the second attempt comes after %s, want at least %s", n.at[1].Sub(n.at[0]), c.least)
				}
				if err := h.Close(t.Context()); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// One that hangs keeps nobody from their work, and does not grow.
func TestNotifiersDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hanging := &scripted{name: "hanging", before: func(ctx context.Context) { <-ctx.Done() }}
		good := &scripted{name: "good"}
		h := Start([]Notifier{hanging, good}, quiet())
		for range queued + 10 {
			h.Tell(firing)
			synctest.Wait() // the good one keeps up
		}
		if got := h.Counts()["good"]; got.Delivered != queued+10 {
			t.Errorf("the good one: %+v", got)
		}
		if got := h.Counts()["hanging"]; got.Dropped != 9 {
			t.Errorf("the hanging one: %+v, want 9 dropped: one is under way, %d wait", got, queued)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := h.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v", err)
		}
	})
}

func TestCloseDeliversWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &scripted{name: "slow", before: func(context.Context) { time.Sleep(time.Second) }}
		h := Start([]Notifier{n}, nil)
		for range 3 {
			h.Tell(resolved)
		}
		if err := h.Close(t.Context()); err != nil || len(n.got) != 3 {
			t.Errorf("Close: %v, %d delivered", err, len(n.got))
		}
	})
}
