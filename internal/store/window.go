package store

import (
	"context"
	"slices"

	"github.com/nlpcanary/nlpcanary/internal/store/gen"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// Window is everything that was measured of what the query selects, for evidence to be
// computed from. Bounds in time are rounded outwards to whole minutes, and to whole
// hours where the minutes were compacted (after two days).
//
// What counts as slow is frozen once for each epoch, by the first window of it that
// finds enough to derive it from; see [outcome.Window].SlowFrom. A query over all
// epochs has neither SlowOver nor Blocks: evidence is never carried from one epoch to
// another.
func (s *Store) Window(ctx context.Context, query OutcomeQuery) (outcome.Window, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	b := &windowBuilder{query: query, old: newCohort(), new: newCohort()}
	if query.Epoch != 0 {
		var err error
		if b.slow, err = s.baseline(ctx, query.Rollout, query.Epoch); err != nil {
			return outcome.Window{}, err
		}
	}
	err := s.snapshot(ctx, "reading what was measured", func(q *gen.Queries) error {
		compacted, err := q.Compacted(ctx)
		if err != nil {
			return failed("reading what was compacted", err)
		}
		return b.read(ctx, q, windowOf(query), compacted)
	})
	if err != nil {
		return outcome.Window{}, err
	}
	return b.window(), nil
}

func newCohort() *outcome.Cohort { return &outcome.Cohort{Tally: new(outcome.Tally)} }

// windowBuilder adds up what is selected.
type windowBuilder struct {
	query    OutcomeQuery
	slow     slowLimit
	old, new *outcome.Cohort
	blocks   blocks // of one epoch
}

func (b *windowBuilder) cohort(variant string) *outcome.Cohort {
	if isNew(variant) {
		return b.new
	}
	return b.old
}

// read adds the selected time: its middle of whole days and hours from the periods and
// what is not folded yet, its edges minute by minute.
func (b *windowBuilder) read(ctx context.Context, q *gen.Queries, w window, compacted int64) error {
	// An edge whose minutes are gone is rounded to the hour.
	if w.first%hour != 0 && w.first < compacted {
		w.first -= w.first % hour
	}
	if w.until%hour != 0 && w.until < compacted {
		w.until += hour - w.until%hour
	}
	if w.first == 0 && w.until == endOfTime {
		err := b.readPeriods(ctx, q, ever, w)
		if err == nil {
			err = b.readBlocks(ctx, q, day, w)
		}
		if err == nil {
			err = b.readOpen(ctx, q, w)
		}
		return err
	}
	hours, days := w.inner(hour), w.inner(day)
	if hours.first > hours.until { // all within one hour
		return b.readMinutes(ctx, q, w)
	}
	if days.first > days.until {
		days.first, days.until = hours.until, hours.until
	}
	// In the order of time, so that blocks need not be sorted.
	if err := b.readMinutes(ctx, q, w.part(w.first, hours.first)); err != nil {
		return err
	}
	for _, part := range []struct {
		span int64
		time window
	}{{hour, w.part(hours.first, days.first)}, {day, days}, {hour, w.part(days.until, hours.until)}} {
		if err := b.readPeriods(ctx, q, part.span, part.time); err != nil {
			return err
		}
		if err := b.readBlocks(ctx, q, part.span, part.time); err != nil {
			return err
		}
	}
	if err := b.readOpen(ctx, q, hours); err != nil {
		return err
	}
	return b.readMinutes(ctx, q, w.part(hours.until, w.until))
}

// part is the same selection of another time.
func (w window) part(first, until int64) window {
	w.first, w.until = first, until
	return w
}

// inner is the part of whole spans; it may end before it begins.
func (w window) inner(span int64) window {
	return w.part(roundUp(w.first, span), w.until-w.until%span)
}

// roundUp is the least multiple of span that is not less than n, which is not negative.
func roundUp(n, span int64) int64 { return (n + span - 1) / span * span }

// readPeriods adds the tallies of periods.
func (b *windowBuilder) readPeriods(ctx context.Context, q *gen.Queries, span int64, w window) error {
	if w.first >= w.until {
		return nil
	}
	rows, err := q.SelectPeriods(ctx, gen.SelectPeriodsParams{
		Rollout: b.query.Rollout, Span: span, Epoch: b.query.Epoch, AnyRegion: w.anyRegion, Region: w.region, First: w.first, Until: w.until,
	})
	if err != nil {
		return failed("reading periods", err)
	}
	var read outcome.Tally
	for _, row := range rows {
		for _, part := range []struct {
			cohort *outcome.Cohort
			data   []byte
		}{{b.old, row.Old}, {b.new, row.New}} {
			if err := read.UnmarshalBinary(part.data); err != nil {
				return failed("reading a period", err)
			}
			part.cohort.Tally.Merge(&read)
		}
	}
	return nil
}

// readBlocks adds the blocks of periods.
func (b *windowBuilder) readBlocks(ctx context.Context, q *gen.Queries, span int64, w window) error {
	if w.first >= w.until || b.query.Epoch == 0 {
		return nil
	}
	rows, err := q.SelectBlocks(ctx, gen.SelectBlocksParams{
		Rollout: b.query.Rollout, Span: span, Epoch: b.query.Epoch, AnyRegion: w.anyRegion, Region: w.region, First: w.first, Until: w.until,
	})
	if err != nil {
		return failed("reading periods", err)
	}
	// As many as there may be at most, so that the list is made once.
	b.blocks = slices.Grow(b.blocks, len(rows)*int(span))
	var together []*blockReader // the regions of one time
	for i, row := range rows {
		reader, err := readBlocks(row.Blocks, rollout.Region(row.Region), outcome.Minute(row.Start), span)
		if err != nil {
			return err
		}
		together = append(together, reader)
		if i+1 < len(rows) && rows[i+1].Start == row.Start {
			continue
		}
		if b.blocks, err = mergeBlocks(b.blocks, together); err != nil {
			return err
		}
		together = together[:0]
	}
	return nil
}

// readOpen adds what is not folded yet.
func (b *windowBuilder) readOpen(ctx context.Context, q *gen.Queries, w window) error {
	if w.first >= w.until {
		return nil
	}
	rows, err := q.SelectOpenTallies(ctx, gen.SelectOpenTalliesParams{
		Rollout: b.query.Rollout, Epoch: b.query.Epoch, AnyRegion: w.anyRegion, Region: w.region, First: w.first, Until: w.until,
	})
	if err != nil {
		return failed("reading tallies", err)
	}
	for _, row := range rows {
		if err := b.tally(gen.SelectTalliesRow(row)); err != nil {
			return err
		}
	}
	return b.readOpenMarks(ctx, q, w)
}

// readMinutes adds what there is of single minutes, folded or not.
func (b *windowBuilder) readMinutes(ctx context.Context, q *gen.Queries, w window) error {
	if w.first >= w.until {
		return nil
	}
	rows, err := q.SelectTallies(ctx, gen.SelectTalliesParams{
		Rollout: b.query.Rollout, Epoch: b.query.Epoch, AnyRegion: w.anyRegion, Region: w.region, First: w.first, Until: w.until,
	})
	if err != nil {
		return failed("reading tallies", err)
	}
	for _, row := range rows {
		if err := b.tally(row); err != nil {
			return err
		}
	}
	return b.readMarks(ctx, q, w)
}

func (b *windowBuilder) tally(row gen.SelectTalliesRow) error {
	tally, err := decodeTally(row.Data)
	if err != nil {
		return err
	}
	b.cohort(row.Variant).Tally.Merge(tally)
	counts := b.slow.counts(tally, outcome.Minute(row.Minute))
	if b.query.Epoch == 0 || counts == (outcome.Counts{}) {
		return nil
	}
	block := b.blocks.at(outcome.Minute(row.Minute), rollout.Region(row.Region))
	if isNew(row.Variant) {
		block.New.Add(counts)
	} else {
		block.Old.Add(counts)
	}
	return nil
}

func (b *windowBuilder) readMarks(ctx context.Context, q *gen.Queries, w window) error {
	rows, err := q.SumMarks(ctx, gen.SumMarksParams{
		Rollout: b.query.Rollout, Epoch: b.query.Epoch, AnyRegion: w.anyRegion, Region: w.region, First: w.first, Until: w.until,
	})
	for _, row := range rows {
		b.marks(row)
	}
	return failed("adding up feedback", err)
}

func (b *windowBuilder) readOpenMarks(ctx context.Context, q *gen.Queries, w window) error {
	rows, err := q.SumOpenMarks(ctx, gen.SumOpenMarksParams{
		Rollout: b.query.Rollout, Epoch: b.query.Epoch, AnyRegion: w.anyRegion, Region: w.region, First: w.first, Until: w.until,
	})
	for _, row := range rows {
		b.marks(gen.SumMarksRow(row))
	}
	return failed("adding up feedback", err)
}

func (b *windowBuilder) marks(row gen.SumMarksRow) {
	b.cohort(row.Variant).Tally.AddMarks(int(row.Bucket)&(outcome.Buckets-1), outcome.Marks{
		Quality: row.Quality, Rated: row.Rated, Labelled: row.Labelled,
		Labels: outcome.Labels{Correct: row.Correct, Wrong: row.Wrong, Missed: row.Missed},
	})
}

func (b *windowBuilder) window() outcome.Window {
	for _, cohort := range []*outcome.Cohort{b.old, b.new} {
		for i := range cohort.Marks {
			cohort.Marks[i] = cohort.Tally.Marks(i)
		}
	}
	return outcome.Window{Old: *b.old, New: *b.new, SlowOver: b.slow.over, SlowFrom: b.slow.from, Blocks: b.blocks}
}
