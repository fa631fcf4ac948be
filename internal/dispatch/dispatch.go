// Package dispatch sends one text through the architecture of its user's cohort. What
// holds of it is said in package attempt, which does the work.
package dispatch

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/nlpcanary/nlpcanary/attempt"
	"github.com/nlpcanary/nlpcanary/extract"
	"github.com/nlpcanary/nlpcanary/extract/remote"
	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/internal/shadow"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// DefaultBudget is the time that one text may take, fallback included.
const DefaultBudget = attempt.DefaultBudget

// DefaultNewSlots bounds how many texts are in the new architecture at once.
const DefaultNewSlots = attempt.DefaultNewSlots

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
	// Shadows, if set, lets new read a share of old's texts too, and ShadowRecorder
	// keeps how the two differ.
	Shadows        *shadow.Pool
	ShadowRecorder *outcome.ShadowSet
	Logger         *slog.Logger // slog.Default if nil
}

// Dispatcher is safe for concurrent use.
type Dispatcher struct {
	config Config
	runner *attempt.Runner
}

// New makes a dispatcher.
func New(config Config) *Dispatcher {
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	if config.Budget == 0 {
		config.Budget = DefaultBudget
	}
	return &Dispatcher{config: config, runner: attempt.NewRunner(attempt.Config{
		Decide: config.Follower.Decide, Key: config.Keyer.Key, Seal: config.Sealer.Seal, Recorder: config.Recorder,
		Budget: config.Budget, NewSlots: config.NewSlots, Logger: config.Logger,
	})}
}

// Answer is a text's descriptions and how they came about.
type Answer = attempt.Answer[extract.Result]

// Extract runs the text through the architecture decided for the user. It fails
// only if old fails too, or if the text is not one that any architecture takes
// (see package extract's errors).
func (d *Dispatcher) Extract(ctx context.Context, user rollout.UserID, doc extract.Document) (Answer, error) {
	return attempt.Do(ctx, d.runner, user, attempt.Call[extract.Result]{
		Old: func(ctx context.Context) (extract.Result, error) { return d.readByOld(ctx, user, doc) },
		New: func(ctx context.Context) (extract.Result, error) {
			result, err := d.config.New.Extract(ctx, doc)
			return result, unavailable(err)
		},
		Descriptions: func(r extract.Result) int { return len(r.Descriptions) },
		CallersFault: isCallersFault,
	})
}

// isCallersFault reports whether the text itself was refused: no architecture
// is to blame, so there is no outcome and no fallback.
func isCallersFault(err error) bool {
	var tooLong *extract.TooLongError
	return errors.Is(err, extract.ErrInvalidText) || errors.Is(err, extract.ErrUnsupportedLanguage) || errors.As(err, &tooLong)
}

// unavailable marks what a service refuses without trying, so that it is told from a
// failure.
func unavailable(err error) error {
	if errors.Is(err, remote.ErrOpen) || errors.Is(err, remote.ErrNotReady) {
		return fmt.Errorf("%w: %w", attempt.ErrUnavailable, err)
	}
	return err
}
