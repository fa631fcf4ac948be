package api

import (
	"context"
	"net/http"
	"time"
)

// gate lets a bounded number in at once and a bounded number wait for a bounded time.
type gate struct {
	inside, waiting chan struct{}
	patience        time.Duration
}

func newGate(inside, waiting int, patience time.Duration) *gate {
	return &gate{inside: make(chan struct{}, inside), waiting: make(chan struct{}, waiting), patience: patience}
}

// enter returns how to leave, or a problem that says when to try again.
func (g *gate) enter(ctx context.Context) (leave func(), err error) {
	leave = func() { <-g.inside }
	select {
	case g.inside <- struct{}{}:
		return leave, nil
	default:
	}
	select {
	case g.waiting <- struct{}{}:
		defer func() { <-g.waiting }()
	default:
		return nil, overloaded()
	}
	timer := time.NewTimer(g.patience)
	defer timer.Stop()
	select {
	case g.inside <- struct{}{}:
		return leave, nil
	case <-timer.C:
		return nil, overloaded()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func overloaded() error {
	p := newProblem(http.StatusServiceUnavailable, codeOverloaded, "this instance has as much to do as it can take", "try again after the time in Retry-After")
	p.retryAfter = 1
	return p
}
