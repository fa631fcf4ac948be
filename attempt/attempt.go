package attempt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// DefaultBudget is the time that one call may take, fallback included.
const DefaultBudget = 5 * time.Second

// newShare is the part of the budget that the new architecture may use, so that
// old still has time to serve after it.
const newShare = 0.6

// DefaultNewSlots bounds how many calls are in the new architecture at once.
const DefaultNewSlots = 256

// Why old served instead of new.
var (
	// ErrSaturated: as many calls as may be are in the new architecture already.
	ErrSaturated = errors.New("the new architecture is saturated")
	// ErrPanicked: an architecture panicked.
	ErrPanicked = errors.New("the architecture panicked")
	// ErrUnavailable: the new architecture said, without trying, that it cannot serve now.
	ErrUnavailable = errors.New("the new architecture is unavailable")
	// ErrLapsed: while new worked, the user stopped being one for new.
	ErrLapsed = errors.New("the user was taken back to the old architecture meanwhile")
)

// Config says how calls are decided, bounded and recorded.
type Config struct {
	// Decide chooses the user's architecture.
	Decide func(rollout.UserID) rollout.Decision
	// Key is the user's keyed hash.
	Key func(rollout.UserID) rollout.UserKey
	// Seal makes an outcome's id.
	Seal     func(outcome.Ticket) string
	Recorder *outcome.Set
	// Budget is the time that one call may take, fallback included; DefaultBudget if 0.
	// A shorter deadline of the call's context wins.
	Budget time.Duration
	// NewSlots bounds how many calls are in the new architecture at once;
	// DefaultNewSlots if 0.
	NewSlots int
	Logger   *slog.Logger // slog.Default if nil
}

// Runner takes calls. It is safe for concurrent use.
type Runner struct {
	config Config
	slots  chan struct{}
}

// NewRunner makes a runner.
func NewRunner(config Config) *Runner {
	if config.Budget == 0 {
		config.Budget = DefaultBudget
	}
	if config.NewSlots == 0 {
		config.NewSlots = DefaultNewSlots
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	return &Runner{config: config, slots: make(chan struct{}, config.NewSlots)}
}

// Call is what is to be done, in both ways.
type Call[T any] struct {
	Old, New func(context.Context) (T, error)
	// Descriptions is how many descriptions an answer holds; nil if it holds none.
	Descriptions func(T) int
	// CallersFault reports whether an error is about what was asked and not of an
	// architecture: there is no outcome and no fallback then. nil if none is.
	CallersFault func(error) bool
}

// Answer is what came of a call and how it came about.
type Answer[T any] struct {
	Value    T
	Decision rollout.Decision
	// Served is the architecture whose answer this is.
	Served rollout.Variant
	// Fallback says that new was decided and old served.
	Fallback bool
	// FallbackReason is why: taken_back, saturated, unavailable, panic, timeout, canceled or error.
	FallbackReason string
	// OutcomeID is what feedback names the outcome by; empty before the first state.
	OutcomeID string
	// ProcessingTime is the whole time that the caller waited.
	ProcessingTime time.Duration
}

// Do makes a call for a user. It fails only if old fails too, or by a fault of the
// caller's. The outcome is recorded.
func Do[T any](ctx context.Context, r *Runner, user rollout.UserID, call Call[T]) (Answer[T], error) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, r.config.Budget)
	defer cancel()

	decision := r.config.Decide(user)
	answer := Answer[T]{Decision: decision, Served: decision.Variant}
	key := r.config.Key(user)

	var err error
	if decision.Variant == rollout.New {
		answer.Value, err = tryNew(ctx, r, call.New)
		took := time.Since(began)
		if call.faulted(err) {
			return Answer[T]{}, err
		}
		if err == nil && r.config.Decide(user).Variant != rollout.New {
			err = ErrLapsed
		}
		r.record(decision, key, took, call.count(answer.Value, err), err)
		if err != nil {
			answer.Served, answer.Fallback, answer.FallbackReason = rollout.Old, true, reasonOf(err)
			r.config.Logger.Warn("old serves in place of new", "error", err, "revision", decision.Revision)
			answer.Value, err = run(ctx, call.Old)
		}
	} else {
		answer.Value, err = run(ctx, call.Old)
		if call.faulted(err) {
			return Answer[T]{}, err
		}
		r.record(decision, key, time.Since(began), call.count(answer.Value, err), err)
	}
	if err != nil {
		return Answer[T]{}, fmt.Errorf("the old architecture: %w", err)
	}
	answer.ProcessingTime = time.Since(began)
	answer.OutcomeID = r.seal(decision, key, began)
	return answer, nil
}

func (c Call[T]) faulted(err error) bool {
	return err != nil && c.CallersFault != nil && c.CallersFault(err)
}

func (c Call[T]) count(value T, err error) int {
	if c.Descriptions == nil || err != nil && !errors.Is(err, ErrLapsed) {
		return 0
	}
	return c.Descriptions(value)
}

// tryNew runs the new architecture beside the caller, so that one which ignores
// its context is left behind when its time is over. Its slot is taken until it
// really returns.
func tryNew[T any](ctx context.Context, r *Runner, call func(context.Context) (T, error)) (T, error) {
	var none T
	select {
	case r.slots <- struct{}{}:
	default:
		return none, ErrSaturated
	}
	deadline, _ := ctx.Deadline() // Do has set one
	share := time.Duration(newShare * float64(time.Until(deadline)))
	ctx, cancel := context.WithTimeout(ctx, share)
	defer cancel()

	type answer struct {
		value T
		err   error
	}
	done := make(chan answer, 1)
	go func() {
		defer func() { <-r.slots }()
		value, err := run(ctx, call)
		done <- answer{value, err}
	}()
	select {
	case a := <-done:
		return a.value, a.err
	case <-ctx.Done():
		return none, ctx.Err()
	}
}

// run calls an architecture and turns a panic into an error.
func run[T any](ctx context.Context, call func(context.Context) (T, error)) (value T, err error) {
	defer func() {
		if r := recover(); r != nil {
			// The panic's value may hold a part of the text: it is not repeated.
			err = fmt.Errorf("%w: %T\n%s", ErrPanicked, r, debug.Stack())
		}
	}()
	return call(ctx)
}

func reasonOf(err error) string {
	switch {
	case errors.Is(err, ErrLapsed):
		return "taken_back"
	case errors.Is(err, ErrSaturated):
		return "saturated"
	case errors.Is(err, ErrUnavailable):
		return "unavailable"
	case errors.Is(err, ErrPanicked):
		return "panic"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, context.Canceled):
		return "canceled"
	}
	return "error"
}
