package server

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/nlpcanary/nlpcanary/extract"
	"github.com/nlpcanary/nlpcanary/extract/gold"
	"github.com/nlpcanary/nlpcanary/internal/dispatch"
	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/outcome"
)

// Gold is the gold set that both architectures are scored with while the server runs.
type Gold struct {
	Documents []gold.Document
	Name      string // which gold set, in words
	// Every is how often, over all instances together.
	Every time.Duration
}

// goldTask is what the instances agree on who does it.
const goldTask = "gold"

const (
	// firstGold leaves the start of an instance alone.
	firstGold = 30 * time.Second
	// goldLead is how long an instance keeps the task without asking again: longer than
	// a run takes, so that no other begins one meanwhile.
	goldLead = 15 * time.Minute
	// goldLook is how often an instance looks whether a run is due.
	goldLook = time.Minute
)

// goldRunner runs the gold set through both architectures on a schedule, at every
// stage, 0 included. Nobody's decision is asked and nothing is counted for a cohort.
type goldRunner struct {
	gold     Gold
	old, new extract.Extractor
	budget   time.Duration // for one document in one architecture
	store    *store.Store
	instance string
	log      *slog.Logger

	cancel context.CancelFunc
	done   sync.WaitGroup
}

// startGold does nothing if there is no gold.
func startGold(st *store.Store, p *dataPlane, config Config) *goldRunner {
	r := &goldRunner{old: config.Old, new: config.New, budget: config.Budget, store: st, instance: p.instance, log: config.Logger, cancel: func() {}}
	if config.Gold == nil {
		return r
	}
	if r.budget == 0 {
		r.budget = dispatch.DefaultBudget
	}
	r.gold = *config.Gold
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	r.done.Go(func() { r.loop(ctx) })
	return r
}

func (r *goldRunner) loop(ctx context.Context) {
	next := time.NewTimer(min(firstGold, r.gold.Every))
	defer next.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-next.C:
		}
		if err := r.runIfDue(ctx); err != nil && ctx.Err() == nil {
			r.log.Warn("running the gold set", "error", err)
		}
		next.Reset(min(goldLook, r.gold.Every))
	}
}

// runIfDue makes a run if this instance has the task and the newest run is older than
// the interval, or is of other architectures or another gold set.
func (r *goldRunner) runIfDue(ctx context.Context) error {
	leads, err := r.store.Lead(ctx, goldTask, r.instance, goldLead)
	if err != nil || !leads {
		return err
	}
	state, err := r.store.State(ctx)
	if err != nil {
		return err
	}
	newest, err := r.store.GoldRuns(ctx, state.Rollout.Name, 1)
	if err != nil {
		return err
	}
	run := store.GoldRun{
		Rollout: state.Rollout.Name, At: time.Now().UTC().Truncate(time.Microsecond), Revision: state.Revision,
		OldName: r.old.Name(), NewName: r.new.Name(), Gold: r.gold.Name,
	}
	if len(newest) > 0 {
		last := newest[0]
		if last.OldName == run.OldName && last.NewName == run.NewName && last.Gold == run.Gold && run.At.Sub(last.At) < r.gold.Every {
			return nil
		}
	}
	run.Pairs, run.Failed, err = r.pairs(ctx)
	if err != nil {
		return err
	}
	if run.Failed > 0 {
		r.log.Warn("documents were left out of a gold run, as an architecture failed on them", "documents", run.Failed)
	}
	if len(run.Pairs) == 0 {
		return nil // it measured nothing; the next look tries again
	}
	return r.store.PutGoldRun(ctx, run)
}

// pairs lets both architectures read each document. One that either of them fails on is
// left out: failures are measured by themselves, on users' texts.
func (r *goldRunner) pairs(ctx context.Context) (pairs []outcome.Pair, failed int, err error) {
	for _, d := range r.gold.Documents {
		old, canary := r.ask(ctx, r.old, d), r.ask(ctx, r.new, d)
		if ctx.Err() != nil {
			return nil, 0, ctx.Err()
		}
		if old.Err != nil || canary.Err != nil {
			failed++
			continue
		}
		pairs = append(pairs, outcome.Pair{Document: d.ID, Old: gold.Compare(d, old.Found).Spans, New: gold.Compare(d, canary.Found).Spans})
	}
	return pairs, failed, nil
}

func (r *goldRunner) ask(ctx context.Context, e extract.Extractor, d gold.Document) gold.Answer {
	ctx, cancel := context.WithTimeout(ctx, r.budget)
	defer cancel()
	return gold.Ask(ctx, e, d)
}

// end stops the runs, and leaves the task to another instance.
func (r *goldRunner) end() {
	r.cancel()
	r.done.Wait()
	if r.gold.Every == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := r.store.StepDown(ctx, goldTask, r.instance); err != nil {
		r.log.Debug("leaving the gold runs to another instance", "error", err)
	}
}
