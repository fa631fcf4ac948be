package notify

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"
)

// Of deliveries.
const (
	// queued is how many alerts may wait for one notifier.
	queued = 256
	// attemptWithin bounds one attempt.
	attemptWithin = 15 * time.Second
	// attempts is how often a delivery is tried: with the pauses below, for about ten
	// minutes.
	attempts = 8
	// firstPause and longestPause bound the pause between two attempts, which is a
	// random part of a doubling length, so that many instances do not come together.
	firstPause   = 2 * time.Second
	longestPause = 5 * time.Minute
)

// Permanent is the error of a delivery that another attempt would not mend: the
// configuration is wrong.
type Permanent struct{ Err error }

// Error says why.
func (p *Permanent) Error() string { return p.Err.Error() }

// Unwrap is the cause.
func (p *Permanent) Unwrap() error { return p.Err }

// Later is the error of a delivery that the other side wants to have later.
type Later struct {
	Err   error
	After time.Duration
}

// Error says why.
func (l *Later) Error() string { return l.Err.Error() }

// Unwrap is the cause.
func (l *Later) Unwrap() error { return l.Err }

// Counts are how many alerts a notifier has delivered, given up, and dropped because
// too many were waiting.
type Counts struct{ Delivered, Failed, Dropped int64 }

// Hub delivers alerts to all notifiers. It is safe for concurrent use.
type Hub struct {
	desks []*desk
	done  sync.WaitGroup
	stop  context.CancelFunc
	log   *slog.Logger
}

// desk is one notifier at work.
type desk struct {
	notifier Notifier
	waiting  chan Alert
	mu       sync.Mutex
	counts   Counts
}

// Start begins to deliver to the notifiers.
func Start(notifiers []Notifier, log *slog.Logger) *Hub {
	if log == nil {
		log = slog.Default()
	}
	ctx, stop := context.WithCancel(context.Background())
	h := &Hub{stop: stop, log: log}
	for _, n := range notifiers {
		d := &desk{notifier: n, waiting: make(chan Alert, queued)}
		h.desks = append(h.desks, d)
		h.done.Go(func() { h.work(ctx, d) })
	}
	return h
}

// Tell hands an alert to every notifier, and does not wait. An alert that finds a
// notifier's queue full is dropped there, counted and logged.
func (h *Hub) Tell(a Alert) {
	for _, d := range h.desks {
		select {
		case d.waiting <- a:
		default:
			d.count(func(c *Counts) { c.Dropped++ })
			h.log.Error("an alert is dropped: too many wait", "notifier", d.notifier.Name(), "alert", a.Key())
		}
	}
}

// Counts are the deliveries so far, by the notifiers' names.
func (h *Hub) Counts() map[string]Counts {
	all := map[string]Counts{}
	for _, d := range h.desks {
		d.mu.Lock()
		all[d.notifier.Name()] = d.counts
		d.mu.Unlock()
	}
	return all
}

// Close delivers what waits, each once and for as long as the context lasts, and
// stops. The hub must not be told anything afterwards.
func (h *Hub) Close(ctx context.Context) error {
	for _, d := range h.desks {
		close(d.waiting)
	}
	finished := make(chan struct{})
	go func() {
		h.done.Wait()
		close(finished)
	}()
	select {
	case <-finished:
		h.stop()
		return nil
	case <-ctx.Done():
		h.stop()
		<-finished
		return ctx.Err()
	}
}

func (h *Hub) work(ctx context.Context, d *desk) {
	for a := range d.waiting {
		err := deliver(ctx, d.notifier, a)
		if err == nil {
			d.count(func(c *Counts) { c.Delivered++ })
			continue
		}
		d.count(func(c *Counts) { c.Failed++ })
		h.log.Error("an alert could not be delivered", "notifier", d.notifier.Name(), "alert", a.Key(), "resolved", a.Resolved, "error", err)
	}
}

// deliver tries until the alert is delivered, cannot be, or has been tried enough.
func deliver(ctx context.Context, n Notifier, a Alert) error {
	for attempt := 1; ; attempt++ {
		err := once(ctx, n, a)
		var permanent *Permanent
		if err == nil || errors.As(err, &permanent) || attempt == attempts {
			return err
		}
		pause := time.NewTimer(pauseAfter(attempt, err))
		select {
		case <-ctx.Done():
			pause.Stop()
			return err
		case <-pause.C:
		}
	}
}

func once(ctx context.Context, n Notifier, a Alert) error {
	ctx, cancel := context.WithTimeout(ctx, attemptWithin)
	defer cancel()
	return n.Notify(ctx, a)
}

// pauseAfter is how long to wait after an attempt: at least what the other side asked
// for, within the longest pause.
func pauseAfter(attempt int, err error) time.Duration {
	length := min(firstPause<<(attempt-1), longestPause)
	pause := length/2 + rand.N(length/2)
	var later *Later
	if errors.As(err, &later) {
		pause = max(pause, min(later.After, longestPause))
	}
	return pause
}

func (d *desk) count(change func(*Counts)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(&d.counts)
}
