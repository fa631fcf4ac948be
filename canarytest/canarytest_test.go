package canarytest_test

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/canarytest"
	"github.com/nlpcanary/nlpcanary/client"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// decides waits until the client decides so.
func decides(t *testing.T, c *client.Client, user rollout.UserID, v rollout.Variant, r rollout.Reason) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		d := c.Decide(user)
		if d.Variant == v && d.Reason == r {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("decided %s (%s), want %s (%s); %+v", d.Variant, d.Reason, v, r, c.Status())
		}
	}
}

func TestEverythingATestMayWant(t *testing.T) {
	s := canarytest.New(t, canarytest.Config{Lease: time.Second})
	c := s.Client()
	decides(t, c, "u", rollout.New, rollout.ReasonStatic)
	s.Kill()
	decides(t, c, "u", rollout.Old, rollout.ReasonDisabled)
	s.Revive()
	decides(t, c, "u", rollout.New, rollout.ReasonStatic)
	s.Override("u", rollout.Old)
	decides(t, c, "u", rollout.Old, rollout.ReasonTargetingMatch)
	s.SetStage(rollout.Disabled)
	decides(t, c, "v", rollout.Old, rollout.ReasonStatic)
	s.SetStage(rollout.FullRollout)
	decides(t, c, "v", rollout.New, rollout.ReasonStatic)
	s.CutOff()
	decides(t, c, "v", rollout.Old, rollout.ReasonStale)
	s.Reconnect()
	decides(t, c, "v", rollout.New, rollout.ReasonStatic)
	answer, err := client.Run(t.Context(), c, "v",
		func(context.Context) (string, error) { return "old", nil },
		func(context.Context) (string, error) { return "new", nil })
	if err != nil || answer.Value != "new" {
		t.Fatalf("%+v, %v", answer, err)
	}
	if err := c.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if old, canary := s.Counted(rollout.Old), s.Counted(rollout.New); old != 0 || canary != 1 {
		t.Errorf("%d outcomes of old, %d of new", old, canary)
	}
}

// What a server and its clients have started is gone when they are closed.
func TestCloseLeavesNothingBehind(t *testing.T) {
	before := runtime.NumGoroutine()
	s, err := canarytest.Start(canarytest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	s.Client()
	s.CutOff() // a client that is cut off must end as well
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<20)
			t.Fatalf("%d goroutines, before there were %d:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}
