// Package dispatch sends one text through the architecture of its user's cohort.
//
// # Invariants
//
//   - Whatever the new architecture does (error, panic, timeout, hanging for ever),
//     old serves the same request within what is left of its time budget, and the
//     outcome is recorded against new.
//   - When new's answer arrives, the decision is made again: if the user would no
//     longer be sent to new (the lease ended, a rollback came), the answer is
//     dropped and old serves.
//   - Every text that reached an architecture leaves exactly one outcome, with the
//     architecture that was decided for the user.
//   - A new architecture that hangs cannot starve old: what may run in it at once
//     is bounded, and beyond that old serves at once.
package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/nlpcanary/nlpcanary/extract"
	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// DefaultBudget is the time that one text may take, fallback included.
const DefaultBudget = 5 * time.Second

// newShare is the part of the budget that the new architecture may use, so that
// old still has time to serve after it.
const newShare = 0.6

// DefaultNewSlots bounds how many texts are in the new architecture at once.
const DefaultNewSlots = 256

// Why old served instead of new.
var (
	// ErrSaturated: as many texts as may be are in the new architecture already.
	ErrSaturated = errors.New("the new architecture is saturated")
	// ErrPanicked: an architecture panicked.
	ErrPanicked = errors.New("the architecture panicked")
	// ErrLapsed: while new worked, the user stopped being one for new.
	ErrLapsed = errors.New("the user was taken back to the old architecture meanwhile")
)

// Config says what to dispatch between.
type Config struct {
	Follower *follow.Follower
	Old, New extract.Extractor
	Keyer    rollout.Keyer
	Sealer   *outcome.Sealer
	Recorder *outcome.Set
	// Budget is the time that one text may take, fallback included; DefaultBudget
	// if 0. A shorter deadline of the request's context wins.
	Budget time.Duration
	// NewSlots bounds how many texts are in the new architecture at once;
	// DefaultNewSlots if 0.
	NewSlots int
	Logger   *slog.Logger
}

// Dispatcher is safe for concurrent use.
type Dispatcher struct {
	config Config
	slots  chan struct{}
}

// New makes a dispatcher.
func New(config Config) *Dispatcher {
	if config.Budget == 0 {
		config.Budget = DefaultBudget
	}
	if config.NewSlots == 0 {
		config.NewSlots = DefaultNewSlots
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	return &Dispatcher{config: config, slots: make(chan struct{}, config.NewSlots)}
}

// Answer is a text's descriptions and how they came about.
type Answer struct {
	Decision rollout.Decision
	// Served is the architecture whose descriptions these are.
	Served rollout.Variant
	// Fallback says that new was decided and old served.
	Fallback bool
	// FallbackReason is why, in words without content of the text.
	FallbackReason string
	// OutcomeID is what feedback names the outcome by.
	OutcomeID string
	// ProcessingTime is the whole time that the user waited.
	ProcessingTime time.Duration
	Result         extract.Result
}

// Extract runs the text through the architecture decided for the user. It fails
// only if old fails too, or if the text is not one that any architecture takes
// (see package extract's errors).
func (d *Dispatcher) Extract(ctx context.Context, user rollout.UserID, doc extract.Document) (Answer, error) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, d.config.Budget)
	defer cancel()

	decision := d.config.Follower.Decide(user)
	answer := Answer{Decision: decision, Served: decision.Variant}
	key := d.config.Keyer.Key(user)

	var err error
	if decision.Variant == rollout.New {
		answer.Result, err = d.tryNew(ctx, doc)
		took := time.Since(began)
		if isCallersFault(err) {
			return Answer{}, err
		}
		if err == nil && d.config.Follower.Decide(user).Variant != rollout.New {
			err = ErrLapsed
		}
		d.record(decision, key, took, answer.Result, err)
		if err != nil {
			answer.Served, answer.Fallback, answer.FallbackReason = rollout.Old, true, reasonOf(err)
			d.config.Logger.Warn("old serves in place of new", "error", err, "revision", decision.Revision)
			answer.Result, err = run(ctx, d.config.Old, doc)
		}
	} else {
		answer.Result, err = run(ctx, d.config.Old, doc)
		if isCallersFault(err) {
			return Answer{}, err
		}
		d.record(decision, key, time.Since(began), answer.Result, err)
	}
	if err != nil {
		return Answer{}, fmt.Errorf("extracting with the old architecture: %w", err)
	}
	answer.ProcessingTime = time.Since(began)
	answer.OutcomeID = d.seal(decision, key, began)
	return answer, nil
}

// tryNew runs the new architecture beside the caller, so that one which ignores
// its context is left behind when its time is over. Its slot is taken until it
// really returns.
func (d *Dispatcher) tryNew(ctx context.Context, doc extract.Document) (extract.Result, error) {
	select {
	case d.slots <- struct{}{}:
	default:
		return extract.Result{}, ErrSaturated
	}
	deadline, _ := ctx.Deadline() // Extract has set one
	share := time.Duration(newShare * float64(time.Until(deadline)))
	ctx, cancel := context.WithTimeout(ctx, share)

	type answer struct {
		result extract.Result
		err    error
	}
	done := make(chan answer, 1)
	go func() {
		defer func() { <-d.slots }()
		result, err := run(ctx, d.config.New, doc)
		done <- answer{result, err}
	}()
	defer cancel()
	select {
	case a := <-done:
		return a.result, a.err
	case <-ctx.Done():
		return extract.Result{}, ctx.Err()
	}
}

// run calls an architecture and turns a panic into an error.
func run(ctx context.Context, e extract.Extractor, doc extract.Document) (result extract.Result, err error) {
	defer func() {
		if r := recover(); r != nil {
			// The panic's value may hold a part of the text: it is not repeated.
			err = fmt.Errorf("%w: %T\n%s", ErrPanicked, r, debug.Stack())
		}
	}()
	return e.Extract(ctx, doc)
}

// isCallersFault reports whether the text itself was refused: no architecture
// is to blame, so there is no outcome and no fallback.
func isCallersFault(err error) bool {
	var tooLong *extract.TooLongError
	return errors.Is(err, extract.ErrInvalidText) || errors.Is(err, extract.ErrUnsupportedLanguage) || errors.As(err, &tooLong)
}

func reasonOf(err error) string {
	switch {
	case errors.Is(err, ErrLapsed):
		return "taken_back"
	case errors.Is(err, ErrSaturated):
		return "saturated"
	case errors.Is(err, ErrPanicked):
		return "panic"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "canceled"
	}
	return "error"
}
