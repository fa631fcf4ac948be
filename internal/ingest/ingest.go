// Package ingest counts outcomes that are reported one by one, each exactly once, and
// says so only when it is durable.
//
// # Invariants
//
//   - The ids of a batch of reports and the tallies that they were counted in are
//     written in one transaction, and batches of all instances one after the other: an
//     outcome whose id is kept is counted, and one that is counted has its id kept.
//   - After an error nobody knows whether a batch was kept. The next one goes under the
//     name of another producer, with empty tallies, and begins by reading the ids that
//     came since; what was kept stays, and counts as a repetition.
//   - Reports that come within [commitEvery] are kept together, so the number of
//     transactions depends on time, not on traffic.
//   - An id is remembered for 48 hours, but no more than the last ten million of an
//     installation (store.KeepReportIDs, store.MostReportIDs). Whoever repeats a report
//     later than that is counted twice.
//
// # Failure
//
// While the database is away, reports are refused with its error, and nothing is kept
// of them. Those that would wait behind too many others are refused with [ErrBusy].
package ingest

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/outcome"
)

const (
	// commitEvery is the shortest time between the beginnings of two transactions.
	commitEvery = 20 * time.Millisecond
	// maxWaiting is how many outcomes wait for a transaction at most.
	maxWaiting = 200_000
	// maxGroup is how many outcomes one transaction takes, or one request more.
	maxGroup = 50_000
	// patience bounds the attempts to keep one group.
	patience = 5 * time.Second
	attempts = 3
)

// Errors of reports.
var (
	// ErrBusy: as many outcomes wait to be kept as may.
	ErrBusy = errors.New("too many reported outcomes wait to be stored")
	// ErrClosed: this instance stops.
	ErrClosed = errors.New("this instance stops")
)

// Report is one outcome, which must be valid, and the hash of its id.
type Report struct {
	ID      uint64 // by [Ingest.ID]
	Outcome outcome.Outcome
}

// Receipt says what became of reports that are durable.
type Receipt struct {
	Counted  int
	Repeated int // had been reported before
}

// Config says where reports are kept.
type Config struct {
	Store *store.Store
	// Instance names this run of the process.
	Instance string
	Logger   *slog.Logger
	Now      func() time.Time // time.Now if nil
}

// Ingest takes reports. Make one with [Start]; it is safe for concurrent use.
type Ingest struct {
	config  Config
	now     func() time.Time
	secret  [16]byte
	queue   chan *request
	waiting atomic.Int64 // outcomes
	cancel  context.CancelFunc
	done    sync.WaitGroup
	stopped chan struct{}

	// All below belongs to the one goroutine that keeps groups.
	producer string
	tallies  map[outcome.Key]*version // of the present minute
	minute   outcome.Minute
	since    int64 // the last batch whose ids are in known
	behind   bool  // others may have kept many since
	known    memory
	fresh    idSet    // of the group
	freshIDs []uint64 // the same, in their order
	failing  bool     // so that an outage is logged once
}

// version is a tally and its sequence number.
type version struct {
	tally   outcome.Tally
	seq     int64
	changed bool
}

// request is what one caller reports.
type request struct {
	reports []Report
	receipt Receipt
	done    chan error
}

// Start begins to take reports.
func Start(config Config) *Ingest {
	ctx, cancel := context.WithCancel(context.Background())
	g := &Ingest{
		config: config, now: config.Now, cancel: cancel,
		queue: make(chan *request, 4096), stopped: make(chan struct{}),
	}
	if g.now == nil {
		g.now = time.Now
	}
	// The outcome ids' secret under another name: the hashes say nothing about ids.
	sum := sha256.Sum256(append([]byte("report ids\x00"), config.Store.Secrets().OutcomeID...))
	copy(g.secret[:], sum[:])
	g.restart()
	g.done.Go(func() { g.loop(ctx) })
	return g
}

// ID is the hash under which an id is remembered. Two of ten million ids have the same
// one with a chance of one in a million.
func (g *Ingest) ID(id []byte) uint64 {
	var buffer [16 + 128]byte
	text := append(append(buffer[:0], g.secret[:]...), id...)
	sum := sha256.Sum256(text)
	return binary.LittleEndian.Uint64(sum[:])
}

// Add counts reports, all or none. When it returns without an error they are durable.
// With any error but [ErrBusy] and [ErrClosed] they may be, or become so: reporting
// them again is safe.
func (g *Ingest) Add(ctx context.Context, reports []Report) (Receipt, error) {
	if len(reports) == 0 {
		return Receipt{}, nil
	}
	n := int64(len(reports))
	if g.waiting.Add(n) > maxWaiting {
		g.waiting.Add(-n)
		return Receipt{}, ErrBusy
	}
	r := &request{reports: reports, done: make(chan error, 1)}
	select {
	case <-g.stopped:
		g.waiting.Add(-n)
		return Receipt{}, ErrClosed
	case g.queue <- r:
	default:
		g.waiting.Add(-n)
		return Receipt{}, ErrBusy
	}
	select {
	case err := <-r.done:
		return r.receipt, err
	case <-ctx.Done():
		return Receipt{}, fmt.Errorf("waiting for reports to be stored: %w", ctx.Err())
	case <-g.stopped:
		// The last group may have had it.
		select {
		case err := <-r.done:
			return r.receipt, err
		default:
			return Receipt{}, ErrClosed
		}
	}
}

// Close refuses what is still waiting. Stop the callers first.
func (g *Ingest) Close() {
	g.cancel()
	g.done.Wait()
}

func (g *Ingest) loop(ctx context.Context) {
	defer close(g.stopped)
	var last time.Time
	for {
		var group []*request
		select {
		case <-ctx.Done():
			return
		case r := <-g.queue:
			group = append(group, r)
		}
		if wait := commitEvery - time.Since(last); wait > 0 {
			select {
			case <-ctx.Done():
			case <-time.After(wait):
			}
		}
		last = time.Now()
		group = g.collect(group)
		err := g.keep(ctx, group)
		for _, r := range group {
			g.waiting.Add(-int64(len(r.reports)))
			r.done <- err
		}
	}
}

// collect adds what waits already.
func (g *Ingest) collect(group []*request) []*request {
	for n := len(group[0].reports); n < maxGroup; {
		select {
		case r := <-g.queue:
			group = append(group, r)
			n += len(r.reports)
		default:
			return group
		}
	}
	return group
}

// keep stores a group. A connection that broke is tried again at once: whether the
// first attempt was kept, the second one sees.
func (g *Ingest) keep(ctx context.Context, group []*request) (err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for range attempts {
		if err = g.try(ctx, group); err == nil || ctx.Err() != nil {
			break
		}
		g.restart()
	}
	switch {
	case err != nil && !g.failing:
		g.config.Logger.Warn("reported outcomes are refused", "error", err)
	case err == nil && g.failing:
		g.config.Logger.Info("reported outcomes are stored again")
	}
	g.failing = err != nil
	return err
}

func (g *Ingest) try(ctx context.Context, group []*request) error {
	if g.behind {
		if err := g.catchUp(ctx); err != nil {
			return err
		}
		g.behind = false
	}
	number, err := g.config.Store.PutReports(ctx, g.producer, g.since, func(known []store.ReportedIDs) ([]uint64, []outcome.Shipment, error) {
		for _, batch := range known {
			g.known.add(batch.IDs, batch.Minute)
		}
		g.count(group)
		list, err := g.changed()
		return g.freshIDs, list, err
	})
	if errors.Is(err, store.ErrReportsWentBack) {
		g.since, g.known = 0, memory{}
	}
	if err != nil {
		return err
	}
	g.known.add(g.freshIDs, g.minute)
	g.since = number
	return nil
}

// catchUp reads the ids that others kept, where they may be many.
func (g *Ingest) catchUp(ctx context.Context) error {
	for {
		batches, err := g.config.Store.ReportedIDs(ctx, g.since)
		if err != nil {
			return err
		}
		for _, batch := range batches {
			g.known.add(batch.IDs, batch.Minute)
			g.since = batch.Number
		}
		if len(batches) < 8 {
			return nil
		}
	}
}

// count adds a group to the tallies, but for what is known.
func (g *Ingest) count(group []*request) {
	// The clock may be set back; minutes of a producer go on.
	if minute := outcome.MinuteOf(g.now()); minute > g.minute {
		g.minute = minute
		clear(g.tallies)
	}
	g.fresh.clear()
	g.freshIDs = g.freshIDs[:0]
	for _, r := range group {
		r.receipt = Receipt{}
		for i := range r.reports {
			id, o := r.reports[i].ID, &r.reports[i].Outcome
			if g.known.has(id) || !g.fresh.add(id) {
				r.receipt.Repeated++
				continue
			}
			g.freshIDs = append(g.freshIDs, id)
			r.receipt.Counted++
			v := g.version(outcome.Key{Rollout: o.Rollout, Epoch: o.Epoch, Variant: o.Variant, Region: o.Region, Minute: g.minute})
			v.tally.Add(o)
			v.seq++
			v.changed = true
		}
	}
}

func (g *Ingest) version(key outcome.Key) *version {
	v := g.tallies[key]
	if v == nil {
		v = new(version)
		g.tallies[key] = v
	}
	return v
}

func (g *Ingest) changed() ([]outcome.Shipment, error) {
	var list []outcome.Shipment
	for key, v := range g.tallies {
		if !v.changed {
			continue
		}
		data, err := v.tally.MarshalBinary()
		if err != nil {
			return nil, fmt.Errorf("encoding a tally: %w", err)
		}
		list = append(list, outcome.Shipment{Key: key, Seq: v.seq, Data: data})
		v.changed = false
	}
	return list, nil
}

// restart goes on as another producer, which knows what others may have kept.
func (g *Ingest) restart() {
	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand documents it)
	g.producer = g.config.Instance + "/reports-" + hex.EncodeToString(random[:])
	g.tallies, g.minute, g.behind = map[outcome.Key]*version{}, 0, true
}
