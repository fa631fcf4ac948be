package extract

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
)

// Mode says how the processors of an ensemble work together.
type Mode string

// The modes.
const (
	// ModeEnsemble: all vote, and a passage needs 0.6 of their weight.
	ModeEnsemble Mode = "ensemble"
	// ModeSingle: the weightiest processor alone.
	ModeSingle Mode = "single"
	// ModeParallel: all at once, and what any of them finds counts. The type is voted on.
	ModeParallel Mode = "parallel"
	// ModeSequential: one after the other by weight, and each adds what those before it
	// have left.
	ModeSequential Mode = "sequential"
	// ModeAdaptive: one of the others, chosen for each text and logged with the reason.
	ModeAdaptive Mode = "adaptive"
)

// Config is how an ensemble works. The zero value is what [NewEnsemble] returns.
type Config struct {
	// Mode is ModeEnsemble if empty.
	Mode Mode
	// SoftVote lets a processor vote with its confidence and not with a whole vote; in
	// the modes that vote.
	SoftVote bool
	// Logger is told what the adaptive mode chose and why; nil for nobody.
	Logger *slog.Logger
}

// New returns an ensemble. The error says that there is no such mode.
func New(c Config) (*Ensemble, error) {
	e := NewEnsemble()
	switch c.Mode {
	case "":
	case ModeEnsemble, ModeSingle, ModeParallel, ModeSequential, ModeAdaptive:
		e.mode = c.Mode
	default:
		return nil, fmt.Errorf("no mode %q (known: %q, %q, %q, %q, %q)",
			c.Mode, ModeEnsemble, ModeSingle, ModeParallel, ModeSequential, ModeAdaptive)
	}
	if c.SoftVote {
		e.voting = softVoting
	}
	e.logger = c.Logger
	return e, nil
}

// modeFor settles the adaptive mode by the beginning of a document: where much happens
// or people talk, there is little to describe and much to mistake for it, so the
// processors must agree; where adjectives outnumber events by far, what any one finds
// is usually right.
func (e *Ensemble) modeFor(ctx context.Context, walk walk) (Mode, error) {
	if e.mode != ModeAdaptive {
		return e.mode, nil
	}
	var all counts
	read, words := 0, 0
	err := walk(ctx, func(b *block) error {
		for i := range b.sentences {
			s := &b.sentences[i]
			read += s.end - s.start
			words += s.narrated + s.spoken
			for class, n := range s.counts {
				all[class] += n
			}
		}
		if read >= adaptiveSample {
			return errStop
		}
		return nil
	})
	if err != nil && !errors.Is(err, errStop) {
		return "", err
	}
	adjectives, events := all.of(adjective), all.of(eventful)
	chosen, reason := ModeEnsemble, "much happens or is said: the processors must agree"
	if words >= adaptiveWords && adjectives >= adaptiveRatio*events && adjectives*10 >= float64(words) {
		chosen, reason = ModeParallel, "adjectives outnumber events: what any processor finds counts"
	}
	if e.logger != nil {
		e.logger.LogAttrs(ctx, slog.LevelInfo, "chose a mode of extraction", slog.String("mode", string(chosen)),
			slog.String("reason", reason), slog.Int("words", words), slog.Float64("adjectives", adjectives),
			slog.Float64("events", events))
	}
	return chosen, nil
}

const (
	adaptiveSample = 16 << 10 // bytes that decide; counts of words do not overflow
	adaptiveWords  = 50       // fewer decide nothing
	adaptiveRatio  = 2        // adjectives to events
)

// team returns the processors that work in a mode, those that count first before the
// others.
func (m Mode) team(processors []processor) []processor {
	team := slices.Clone(processors)
	if m == ModeSingle || m == ModeSequential {
		slices.SortStableFunc(team, func(a, b processor) int { return cmp.Compare(b.weight(), a.weight()) })
	}
	if m == ModeSingle {
		team = team[:min(len(team), 1)]
	}
	return team
}

// settle returns what a mode makes of the processors' candidates.
func (m Mode) settle(v voting, votes []vote, weights []float64) []elected {
	switch m {
	case ModeSequential:
		return v.inTurn(votes, weights)
	case ModeParallel, ModeSingle:
		v.threshold = 0
	}
	return v.elect(votes, weights)
}

// inTurn takes the votes of each processor that do not touch what one before it holds.
func (v voting) inTurn(votes []vote, weights []float64) []elected {
	var winners []elected
	for turn := range weights {
		own := slices.DeleteFunc(slices.Clone(votes), func(x vote) bool {
			return x.processor != turn || slices.ContainsFunc(winners, func(w elected) bool { return x.start < w.end && w.start < x.end })
		})
		one := v
		one.threshold = 0
		winners = append(winners, one.elect(own, weights)...)
	}
	return withoutOverlap(winners)
}

// propose lets the team look at a block, and returns what each of them proposes and
// why it failed, by processor.
func (m Mode) propose(b *block, team []processor, into [][]candidate, failed []error) {
	look := func(i int) { into[i], failed[i] = guarded(team[i], b, into[i][:0]) }
	if m != ModeParallel {
		for i := range team {
			look(i)
		}
		return
	}
	var all sync.WaitGroup
	for i := range team {
		all.Go(func() { look(i) })
	}
	all.Wait()
}
