package demo

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/internal/prose"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// traffic sends passages as users, round and round, and keeps what came back.
type traffic struct {
	client  *client
	texts   []prose.Passage
	pause   time.Duration // between two requests of one worker
	next    atomic.Int64
	stopped sync.WaitGroup
	cancel  context.CancelFunc

	mu      sync.Mutex
	phase   int // 1, 2, …
	count   counts
	users   []reader
	lastNew time.Time // when the last request decided for new was sent
	failure error
}

// reader is what is known of one user.
type reader struct {
	last  rollout.Variant
	asked map[rollout.Variant]int // the last phase in which the user was on the architecture
}

// counts is what was counted since the phase began.
type counts struct {
	requests, decidedNew, fallbacks, descriptions int
	// Users who were on an architecture, and users whose architecture changed.
	usersNew, usersOld, movedToNew, movedToOld int
	elapsedMS                                  float64
	began                                      time.Time
}

// startTraffic begins to send with the given number of workers.
func startTraffic(ctx context.Context, c *client, users, workers int, pause time.Duration) *traffic {
	ctx, cancel := context.WithCancel(ctx)
	t := &traffic{client: c, texts: prose.Passages(), pause: pause, cancel: cancel, phase: 1, users: make([]reader, users)}
	t.count.began = time.Now()
	for i := range t.users {
		t.users[i].asked = map[rollout.Variant]int{}
	}
	for range workers {
		t.stopped.Go(func() {
			for ctx.Err() == nil {
				t.one(ctx)
			}
		})
	}
	return t
}

func (t *traffic) stop() {
	t.cancel()
	t.stopped.Wait()
}

// begin starts a new phase of counting.
func (t *traffic) begin() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.phase++
	t.count = counts{began: time.Now()}
}

// look sums up the present phase. The error is the first text that was not answered.
func (t *traffic) look() (counts, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.count
	for i := range t.users {
		if t.users[i].asked[rollout.New] == t.phase {
			c.usersNew++
		}
		if t.users[i].asked[rollout.Old] == t.phase {
			c.usersOld++
		}
	}
	return c, t.failure
}

// lastDecidedNew is when the last request that was decided for new was sent.
func (t *traffic) lastDecidedNew() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lastNew
}

func (t *traffic) one(ctx context.Context) {
	n := int(t.next.Add(1) - 1)
	user := n % len(t.users)
	// A user reads on: each round takes the next passage.
	passage := t.texts[(user+n/len(t.users))%len(t.texts)]
	sent := time.Now()
	answer, err := t.client.extract(ctx, userName(user), passage.Text, passage.Language)
	if ctx.Err() != nil {
		return
	}
	t.keep(user, sent, answer, err)
	select {
	case <-ctx.Done():
	case <-time.After(t.pause):
	}
}

func (t *traffic) keep(user int, sent time.Time, answer api.Extraction, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		if t.failure == nil {
			t.failure = fmt.Errorf("a text of user %d was not answered: %w", user, err)
		}
		return
	}
	decided := rollout.Old
	if answer.Architecture == string(rollout.New) || answer.Fallback {
		decided = rollout.New
	}
	if decided == rollout.New && sent.After(t.lastNew) {
		t.lastNew = sent
	}
	was := t.users[user].last
	// On a machine so busy that a lease ends, everyone is sent to old until it is
	// renewed: that moves nobody.
	stale := answer.Reason == string(rollout.ReasonStale)
	if stale {
		decided, was = rollout.Old, rollout.Old
	} else {
		t.users[user].last = decided
	}
	c := &t.count
	if sent.Before(c.began) {
		return // it belongs to the phase before
	}
	c.requests++
	c.descriptions += len(answer.Descriptions)
	c.elapsedMS += answer.ProcessingTimeMS
	if answer.Fallback {
		c.fallbacks++
	}
	if !stale {
		t.users[user].asked[decided] = t.phase
	}
	if decided == rollout.New {
		c.decidedNew++
	}
	switch {
	case was == rollout.Old && decided == rollout.New:
		c.movedToNew++
	case was == rollout.New && decided == rollout.Old:
		c.movedToOld++
	}
}

func userName(n int) string { return fmt.Sprintf("reader-%04d", n) }
