package remote

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/sony/gobreaker/v2"
)

// probeTimeout bounds one probe.
const probeTimeout = 2 * time.Second

// failuresToLeave is how many probes fail in a row before the service is left alone:
// one may be lost on the way.
const failuresToLeave = 2

// Watch probes the service's health until the context ends; at once if it has nothing
// to probe. A service whose probe fails gets no texts until it succeeds again.
func (s *Service) Watch(ctx context.Context) {
	if s.config.Health == "" {
		return
	}
	tick := time.NewTicker(s.config.HealthEvery)
	defer tick.Stop()
	for failures := 0; ; {
		switch err := s.probe(ctx); {
		case ctx.Err() != nil:
			return
		case err == nil:
			failures = 0
			s.notReady.Store(nil)
		default:
			if failures++; failures >= failuresToLeave {
				why := err.Error()
				s.notReady.Store(&why)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Service) probe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.config.Health, nil)
	if err != nil {
		return fmt.Errorf("making the probe: %w", err)
	}
	answer, err := s.client.Do(request)
	if err != nil {
		return fmt.Errorf("probing: %w", withoutURL(err))
	}
	defer answer.Body.Close()
	s.drain(answer.Body)
	if answer.StatusCode != http.StatusOK {
		return &StatusError{answer.StatusCode}
	}
	return nil
}

// Condition is how a service is doing.
type Condition struct {
	// Breaker is "closed", "open" or "half-open" (trying again).
	Breaker string
	// NotReady is why the health probe fails; empty if it does not, or if there is none.
	NotReady string
	// UnderWay is how many requests are.
	UnderWay int
}

// Condition tells how the service is doing now.
func (s *Service) Condition() Condition {
	c := Condition{UnderWay: len(s.slots)}
	switch s.breaker.State() {
	case gobreaker.StateOpen:
		c.Breaker = "open"
	case gobreaker.StateHalfOpen:
		c.Breaker = "half-open"
	default:
		c.Breaker = "closed"
	}
	if why := s.notReady.Load(); why != nil {
		c.NotReady = *why
	}
	return c
}

// URL is where the service is, without a password.
func (s *Service) URL() string { return s.speaker.shown() }

// Protocol is how the service is spoken to.
func (s *Service) Protocol() Protocol { return s.config.Protocol }
