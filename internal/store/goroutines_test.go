package store

import (
	"runtime"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// A store that is closed leaves nothing running. Not parallel: it counts.
func TestCloseLeavesNoGoroutines(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		before := runtime.NumGoroutine()
		for range 3 {
			s := d.open(t)
			f := follow.Start(follow.Config{Source: s, Instance: "i"})
			if err := f.WaitValid(t.Context()); err != nil {
				t.Fatal(err)
			}
			mustApply(t, s, Request{Change: rollout.ClearCache{}, Actor: operator("ann")})
			wantSound(t, s)
			if err := f.Close(); err != nil {
				t.Error(err)
			}
			closeNow(t, s)
		}
		wantGoroutines(t, before)
	})
}

// wantGoroutines waits until no more goroutines run than before.
func wantGoroutines(t *testing.T, before int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, before there were %d:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}
