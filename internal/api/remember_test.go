package api

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestDearAnswersAreUsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m remembered[int]
		var computed atomic.Int64
		takes := func(d time.Duration) func(context.Context) (int, error) {
			return func(context.Context) (int, error) {
				time.Sleep(d)
				return int(computed.Add(1)), nil
			}
		}
		get := func(d time.Duration) int {
			n, err := m.get(t.Context(), "key", takes(d))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		if get(time.Millisecond) != 1 || get(time.Millisecond) != 2 {
			t.Error("a cheap answer was used again")
		}
		for range 3 {
			if n := get(time.Second); n != 3 {
				t.Errorf("a dear answer was not used again: %d", n)
			}
		}
		time.Sleep(keepFactor * time.Second)
		if get(time.Second) != 4 {
			t.Error("a dear answer was kept for ever")
		}
		time.Sleep(time.Hour)
		var asked sync.WaitGroup
		for range 10 {
			asked.Go(func() { get(time.Second) })
		}
		asked.Wait()
		if n := computed.Load(); n != 5 {
			t.Errorf("ten who asked at once had it computed %d times", n-4)
		}
		time.Sleep(time.Hour)
		impatient, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if _, err := m.get(impatient, "key", takes(time.Second)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("an impatient one got %v", err)
		}
		time.Sleep(2 * time.Second)
		if get(time.Second) != 6 {
			t.Error("the answer that nobody waited for was lost")
		}
	})
}
