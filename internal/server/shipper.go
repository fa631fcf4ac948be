package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/outcome"
)

// shipEvery is how often tallies are written. A tally's row is replaced as a
// whole, so the number of writes depends on time, never on traffic.
const shipEvery = 2 * time.Second

// foldEvery is how often this instance asks whether it is its turn to fold tallies
// into hours and days.
const foldEvery = 30 * time.Second

// shipper brings tallies to the store, has them folded there, and has SQL changes of
// the flags recorded.
// While the database is away the tallies stay in memory, within the bound that
// outcome.Set documents, and in a spool on disk, from which the next process ships them
// if this one ends before.
type shipper struct {
	store     *store.Store
	set       *outcome.Set
	shadows   *outcome.ShadowSet
	producer  string
	reconcile <-chan struct{}
	log       *slog.Logger

	cancel  context.CancelFunc
	done    sync.WaitGroup
	failing bool // so that an outage is logged once

	spoolMu sync.Mutex
	spool   *spool
	left    []string // spools of processes that ended, to be shipped
}

func newShipper(st *store.Store, set *outcome.Set, shadows *outcome.ShadowSet, producer, spools string, reconcile <-chan struct{}, log *slog.Logger) *shipper {
	s := &shipper{store: st, set: set, shadows: shadows, producer: producer, reconcile: reconcile, log: log, spool: newSpool(spools, producer)}
	s.left = leftBehind(spools, s.spool.path)
	return s
}

func startShipper(st *store.Store, set *outcome.Set, shadows *outcome.ShadowSet, producer, spools string, reconcile <-chan struct{}, log *slog.Logger) *shipper {
	ctx, cancel := context.WithCancel(context.Background())
	s := newShipper(st, set, shadows, producer, spools, reconcile, log)
	s.cancel = cancel
	s.done.Go(func() { s.shipLoop(ctx) })
	s.done.Go(func() { s.foldLoop(ctx) })
	s.done.Go(func() { s.reconcileLoop(ctx) })
	return s
}

func (s *shipper) shipLoop(ctx context.Context) {
	tick := time.NewTicker(shipEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := s.ship(ctx)
		if err == nil {
			err = s.shipLeft(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !s.failing:
			s.failing = true
			s.log.Warn("outcomes wait in memory and on disk", "error", err)
		case err == nil && s.failing:
			s.failing = false
			s.log.Info("outcomes are stored again")
		}
	}
}

func (s *shipper) ship(ctx context.Context) error {
	return errors.Join(s.shipOutcomes(ctx), s.shipShadows(ctx))
}

func (s *shipper) shipShadows(ctx context.Context) error {
	pending, err := s.shadows.Pending()
	if err != nil {
		return fmt.Errorf("collecting shadow pairs: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := s.store.PutShadows(ctx, s.producer, pending); err != nil {
		return fmt.Errorf("storing shadow pairs: %w", err)
	}
	s.shadows.Acknowledge(pending)
	return nil
}

func (s *shipper) shipOutcomes(ctx context.Context) error {
	pending, err := s.set.Pending(time.Now())
	if err != nil {
		return fmt.Errorf("collecting outcomes: %w", err)
	}
	if len(pending) > 0 {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		if err := s.store.PutTallies(ctx, s.producer, pending); err != nil {
			s.spoolMu.Lock()
			defer s.spoolMu.Unlock()
			return fmt.Errorf("storing outcomes: %w", errors.Join(err, s.spool.keep(pending)))
		}
		s.set.Acknowledge(pending)
	}
	s.spoolMu.Lock()
	defer s.spoolMu.Unlock()
	return s.spool.clear()
}

// shipLeft ships what processes before this one could not.
func (s *shipper) shipLeft(ctx context.Context) error {
	for len(s.left) > 0 {
		if err := adopt(ctx, s.left[0], s.store.PutTallies); err != nil {
			return err
		}
		s.left = s.left[1:]
	}
	return nil
}

// foldLoop keeps what is read of a long rollout small. Where it fails, metrics get
// slower to read, and are right all the same.
func (s *shipper) foldLoop(ctx context.Context) {
	tick := time.NewTicker(foldEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.store.Fold(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("folding minutes into hours", "error", err)
		}
	}
}

// reconcileLoop looks for SQL changes of the flags whenever the state changed: such
// a change holds already, and belongs in the audit trail too.
func (s *shipper) reconcileLoop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.reconcile:
		}
		if err := s.store.Reconcile(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("looking for changes made directly in the database", "error", err)
		}
	}
}

// close ships what is left.
func (s *shipper) close() error {
	s.cancel()
	s.done.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return s.ship(ctx)
}
