package extract

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
)

// Ensemble is the new architecture: processors of different kinds vote on what is a
// description, and what they agree on is merged, filtered and scored. Direct speech
// is told from narration and does not describe.
//
// It is safe for concurrent use.
type Ensemble struct {
	processors []processor
	voting     voting
	mode       Mode
	logger     *slog.Logger // may be nil
}

// NewEnsemble returns the ensemble of three processors: morphological density
// (weight 1.0), a gazetteer with perceptual adjectives and names (1.2) and
// descriptive constructions (0.8). A passage needs 0.6 of their weight.
func NewEnsemble() *Ensemble {
	return &Ensemble{
		processors: []processor{density{}, gazetteer{}, constructions{}},
		voting:     defaultVoting,
		mode:       ModeEnsemble,
	}
}

// Name returns "ensemble".
func (e *Ensemble) Name() string { return "ensemble" }

// Extract finds the descriptions of a document. A processor that fails is named in
// Result.Degraded, and the document is read again without it, so that the result is
// what the others would have found by themselves. If all fail the error is a
// [*FailedError].
func (e *Ensemble) Extract(ctx context.Context, doc Document) (Result, error) {
	language, err := doc.language()
	if err != nil {
		return Result{}, fmt.Errorf("extracting with %s: %w", e.Name(), err)
	}
	return e.extract(ctx, language, streamed(language, doc.Text))
}

// ExtractAnalysed is Extract for a document that has been analysed.
func (e *Ensemble) ExtractAnalysed(ctx context.Context, a *Analysis) (Result, error) {
	return e.extract(ctx, a.Language, a.walk)
}

func (e *Ensemble) extract(ctx context.Context, language Language, walk walk) (Result, error) {
	mode, err := e.modeFor(ctx, walk)
	if err != nil {
		return Result{}, fmt.Errorf("extracting with %s: %w", e.Name(), err)
	}
	running := mode.team(e.processors)
	result := Result{Language: language}
	for len(running) > 0 {
		found, failed, err := e.run(ctx, mode, walk, running)
		if err != nil {
			return Result{}, fmt.Errorf("extracting with %s: %w", e.Name(), err)
		}
		if failed == nil {
			result.Descriptions = found
			result.Processors = namesOf(running)
			slices.Sort(result.Processors)
			return result, nil
		}
		result.Degraded = append(result.Degraded, *failed)
		running = slices.DeleteFunc(running, func(p processor) bool { return p.name() == failed.Processor })
	}
	return Result{}, fmt.Errorf("extracting with %s: %w", e.Name(), &FailedError{Failures: result.Degraded})
}

// run reads a document with the given processors. It returns the first failure of one of
// them, or an error that concerns all.
func (e *Ensemble) run(ctx context.Context, mode Mode, walk walk, running []processor) ([]Description, *Failure, error) {
	weights := make([]float64, len(running))
	for i, p := range running {
		weights[i] = p.weight()
	}
	var (
		found    []Description
		votes    []vote
		proposed = make([][]candidate, len(running))
		errs     = make([]error, len(running))
		failed   *Failure
		finisher = finisher{sources: namesOf(running)}
	)
	err := walk(ctx, func(b *block) error {
		votes = votes[:0]
		mode.propose(b, running, proposed, errs)
		for i, p := range running {
			if err := errs[i]; err != nil {
				failed = &Failure{Processor: p.name(), Reason: err.Error()}
				return errStop
			}
			for _, c := range proposed[i] {
				votes = append(votes, vote{candidate: c, processor: i})
			}
		}
		winners := merge(b.text, mode.settle(e.voting, votes, weights))
		found = finisher.finish(b, winners, found)
		return nil
	})
	if failed != nil {
		return nil, failed, nil
	}
	return found, nil, err
}

// errStop ends a walk whose outcome is known.
var errStop = errors.New("stop")

// guarded runs a processor and turns a panic into an error. What was panicked with
// may hold a piece of the text, so only the runtime's own words are passed on.
func guarded(p processor, b *block, found []candidate) (_ []candidate, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case runtime.Error:
			err = fmt.Errorf("panic: %w", r)
		default:
			err = fmt.Errorf("panic with a %T", r)
		}
	}()
	return p.find(b, found)
}

func namesOf(processors []processor) []string {
	names := make([]string, len(processors))
	for i, p := range processors {
		names[i] = p.name()
	}
	return names
}
