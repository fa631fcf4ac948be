package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/nlpcanary/nlpcanary/internal/store/gen"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// Window is everything that was measured of what the query selects, for evidence to be
// computed from. Bounds in time are rounded outwards to whole minutes.
//
// What counts as slow is frozen once for each epoch, by the first window of it that
// finds enough to derive it from; see [outcome.Window].SlowFrom. A query over all
// epochs has no SlowOver.
func (s *Store) Window(ctx context.Context, query OutcomeQuery) (outcome.Window, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	b := newWindowBuilder()
	if query.Epoch != 0 {
		var err error
		if b.slow, err = s.baseline(ctx, query.Rollout, query.Epoch); err != nil {
			return outcome.Window{}, err
		}
	}
	w := windowOf(query)
	err := s.snapshot(ctx, "reading what was measured", func(q *gen.Queries) error {
		rows, err := q.SelectWindow(ctx, gen.SelectWindowParams{
			Rollout: query.Rollout, Epoch: query.Epoch, AnyRegion: w.anyRegion, Region: w.region, First: w.first, Until: w.until,
		})
		if err != nil {
			return failed("reading tallies", err)
		}
		for _, row := range rows {
			if err := b.tally(row); err != nil {
				return err
			}
		}
		marks, err := q.SumMarks(ctx, gen.SumMarksParams{
			Rollout: query.Rollout, Epoch: query.Epoch, AnyRegion: w.anyRegion, Region: w.region, First: w.first, Until: w.until,
		})
		if err != nil {
			return failed("adding up feedback", err)
		}
		for _, row := range marks {
			b.marks(row)
		}
		return nil
	})
	if err != nil {
		return outcome.Window{}, err
	}
	return b.window(), nil
}

// blockKey is where a block stands.
type blockKey struct {
	minute outcome.Minute
	region rollout.Region
}

// windowBuilder adds up what is selected, in any order.
type windowBuilder struct {
	slow     slowLimit
	old, new *outcome.Cohort
	blocks   map[blockKey]*outcome.Block
}

func newWindowBuilder() *windowBuilder {
	return &windowBuilder{
		old:    &outcome.Cohort{Tally: new(outcome.Tally)},
		new:    &outcome.Cohort{Tally: new(outcome.Tally)},
		blocks: map[blockKey]*outcome.Block{},
	}
}

func (b *windowBuilder) cohort(variant string) *outcome.Cohort {
	if rollout.Variant(variant) == rollout.New {
		return b.new
	}
	return b.old
}

func (b *windowBuilder) tally(row gen.SelectWindowRow) error {
	tally, err := decodeTally(row.Data)
	if err != nil {
		return err
	}
	b.cohort(row.Variant).Tally.Merge(tally)
	counts := b.slow.counts(tally, outcome.Minute(row.Minute))
	if counts.Requests == 0 {
		return nil
	}
	key := blockKey{outcome.Minute(row.Minute), rollout.Region(row.Region)}
	block := b.blocks[key]
	if block == nil {
		block = &outcome.Block{Minute: key.minute, Region: key.region}
		b.blocks[key] = block
	}
	if rollout.Variant(row.Variant) == rollout.New {
		block.New.Add(counts)
	} else {
		block.Old.Add(counts)
	}
	return nil
}

func (b *windowBuilder) marks(row gen.SumMarksRow) {
	b.cohort(row.Variant).Marks[row.Bucket&(outcome.Buckets-1)].Add(outcome.Marks{
		Quality: row.Quality, Rated: row.Rated, Labelled: row.Labelled,
		Labels: outcome.Labels{Correct: row.Correct, Wrong: row.Wrong, Missed: row.Missed},
	})
}

func (b *windowBuilder) window() outcome.Window {
	w := outcome.Window{Old: *b.old, New: *b.new, SlowOver: b.slow.over, SlowFrom: b.slow.from, Blocks: make([]outcome.Block, 0, len(b.blocks))}
	for _, block := range b.blocks {
		w.Blocks = append(w.Blocks, *block)
	}
	slices.SortFunc(w.Blocks, func(a, b outcome.Block) int {
		return cmp.Or(cmp.Compare(a.Minute, b.Minute), cmp.Compare(a.Region, b.Region))
	})
	return w
}

func decodeTally(data []byte) (*outcome.Tally, error) {
	tally := new(outcome.Tally)
	if err := tally.UnmarshalBinary(data); err != nil {
		return nil, fmt.Errorf("%w: a tally cannot be read: %w", ErrDatabase, err)
	}
	return tally, nil
}
