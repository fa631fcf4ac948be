package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nlpcanary/nlpcanary/outcome"
)

const (
	// shipWithin bounds one shipment.
	shipWithin = 10 * time.Second
	// parcelBytes bounds the tallies of one parcel: in base64 and with their keys they
	// stay below the server's bound of 2 MiB.
	parcelBytes = 1 << 20
)

// shipper brings tallies to a server. Each is sent again until a server has it, which
// counts it once.
type shipper struct {
	source   *source
	set      *outcome.Set
	producer string
	log      *slog.Logger
	refused  atomic.Int64 // outcomes that a server would not have

	shipping sync.Mutex
	cancel   context.CancelFunc
	done     sync.WaitGroup
	failing  bool // so that an outage is logged once
}

func startShipper(from *source, set *outcome.Set, producer string, config Config) *shipper {
	ctx, cancel := context.WithCancel(context.Background())
	s := &shipper{source: from, set: set, producer: producer, log: config.Logger, cancel: cancel}
	s.done.Go(func() { s.loop(ctx, config.ShipEvery) })
	return s
}

func (s *shipper) loop(ctx context.Context, every time.Duration) {
	// Half to one and a half times, so that clients started together do not ship together.
	for pause(ctx, every/2+rand.N(every)) {
		switch err := s.ship(ctx); {
		case ctx.Err() != nil:
			return
		case err != nil && !s.failing:
			s.failing = true
			s.log.Warn("outcomes wait in memory", "error", err)
		case err == nil && s.failing:
			s.failing = false
			s.log.Info("outcomes are shipped again")
		}
	}
}

// ship sends all that is pending, in parcels.
func (s *shipper) ship(ctx context.Context) error {
	s.shipping.Lock()
	defer s.shipping.Unlock()
	pending, err := s.set.Pending(time.Now())
	if err != nil {
		return fmt.Errorf("collecting outcomes: %w", err)
	}
	for len(pending) > 0 {
		n := parcelOf(pending)
		if err := s.send(ctx, pending[:n]); err != nil {
			return fmt.Errorf("shipping outcomes: %w", err)
		}
		pending = pending[n:]
	}
	return nil
}

// parcelOf is how many of the tallies go together, at least one.
func parcelOf(list []outcome.Shipment) int {
	bytes := 0
	for n, shipment := range list {
		if bytes += len(shipment.Data); n > 0 && bytes > parcelBytes || n == outcome.MaxParcel {
			return n
		}
	}
	return len(list)
}

// send sends a parcel. What the server says cannot be true is left out, and lost: it
// would be refused for ever, and what comes after it must not wait for that.
func (s *shipper) send(ctx context.Context, list []outcome.Shipment) error {
	ctx, cancel := context.WithTimeout(ctx, shipWithin)
	defer cancel()
	err := s.post(ctx, list)
	var refusal *ServerError
	if !errors.As(err, &refusal) || refusal.Status != http.StatusUnprocessableEntity {
		if err == nil {
			s.set.Acknowledge(list)
		}
		return err
	}
	wrong := map[int]bool{}
	for _, f := range refusal.Fields {
		var at int
		if _, scanErr := fmt.Sscanf(f.Field, "tallies[%d]", &at); scanErr == nil && at >= 0 && at < len(list) {
			wrong[at] = true
		}
	}
	if len(wrong) == 0 {
		return err
	}
	var kept, dropped []outcome.Shipment
	for i, shipment := range list {
		if wrong[i] {
			dropped = append(dropped, shipment)
		} else {
			kept = append(kept, shipment)
		}
	}
	if len(kept) > 0 {
		if err := s.post(ctx, kept); err != nil {
			return err
		}
	}
	s.set.Acknowledge(list)
	s.refused.Add(outcomesIn(dropped))
	s.log.Error("a server refused outcomes; they are lost", "tallies", len(dropped), "error", refusal)
	return nil
}

func (s *shipper) post(ctx context.Context, list []outcome.Shipment) error {
	return s.source.each(func(server string) error {
		return s.source.call(ctx, http.MethodPost, server, "/api/v1/tallies", outcome.Parcel{Producer: s.producer, Tallies: list})
	})
}

func outcomesIn(list []outcome.Shipment) int64 {
	var n int64
	for _, shipment := range list {
		var t outcome.Tally
		if err := t.UnmarshalBinary(shipment.Data); err == nil {
			n += t.Total().Requests + t.Excluded().Requests
		}
	}
	return n
}

// close ships what is left.
func (s *shipper) close() error {
	s.cancel()
	s.done.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return s.ship(ctx)
}
