package store

import (
	"context"

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
	b := &windowBuilder{query: query, old: newCohort(), new: newCohort(), regions: map[string]*blocks{}}
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
	regions  map[string]*blocks // of one epoch
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
	hours := w
	hours.first, hours.until = roundUp(w.first, hour), w.until-w.until%hour
	if hours.first > hours.until { // all within one hour
		return b.readMinutes(ctx, q, w)
	}
	days := w
	days.first, days.until = roundUp(w.first, day), w.until-w.until%day
	if days.first > days.until {
		days.first, days.until = hours.until, hours.until
	}
	for _, part := range []struct {
		span         int64
		first, until int64
	}{{hour, hours.first, days.first}, {day, days.first, days.until}, {hour, days.until, hours.until}} {
		if err := b.readPeriods(ctx, q, part.span, part.first, part.until); err != nil {
			return err
		}
	}
	if err := b.readOpen(ctx, q, hours); err != nil {
		return err
	}
	before, after := w, w
	before.until, after.first = hours.first, hours.until
	for _, edge := range []window{before, after} {
		if err := b.readMinutes(ctx, q, edge); err != nil {
			return err
		}
	}
	return nil
}

// roundUp is the least multiple of span that is not less than n, which is not negative.
func roundUp(n, span int64) int64 { return (n + span - 1) / span * span }

func (b *windowBuilder) readPeriods(ctx context.Context, q *gen.Queries, span, first, until int64) error {
	if first >= until {
		return nil
	}
	w := windowOf(b.query)
	rows, err := q.SelectPeriods(ctx, gen.SelectPeriodsParams{
		Rollout: b.query.Rollout, Span: span, Epoch: b.query.Epoch, AnyRegion: w.anyRegion, Region: w.region, First: first, Until: until,
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
		if b.query.Epoch == 0 {
			continue
		}
		list := b.region(row.Region)
		if *list, err = appendBlocks(*list, row.Blocks, outcome.Minute(row.Start), span); err != nil {
			return err
		}
	}
	return nil
}

func (b *windowBuilder) region(name string) *blocks {
	list := b.regions[name]
	if list == nil {
		list = new(blocks)
		b.regions[name] = list
	}
	return list
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
	return b.readMarks(ctx, q, w, true)
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
	return b.readMarks(ctx, q, w, false)
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
	block := b.region(row.Region).at(outcome.Minute(row.Minute))
	if isNew(row.Variant) {
		block.New.Add(counts)
	} else {
		block.Old.Add(counts)
	}
	return nil
}

func (b *windowBuilder) readMarks(ctx context.Context, q *gen.Queries, w window, onlyOpen bool) error {
	rows, err := q.SumMarks(ctx, gen.SumMarksParams{
		Rollout: b.query.Rollout, Epoch: b.query.Epoch, AnyRegion: w.anyRegion, Region: w.region, First: w.first, Until: w.until, OnlyOpen: onlyOpen,
	})
	if err != nil {
		return failed("adding up feedback", err)
	}
	for _, row := range rows {
		b.cohort(row.Variant).Tally.AddMarks(int(row.Bucket)&(outcome.Buckets-1), outcome.Marks{
			Quality: row.Quality, Rated: row.Rated, Labelled: row.Labelled,
			Labels: outcome.Labels{Correct: row.Correct, Wrong: row.Wrong, Missed: row.Missed},
		})
	}
	return nil
}

func (b *windowBuilder) window() outcome.Window {
	for _, cohort := range []*outcome.Cohort{b.old, b.new} {
		for i := range cohort.Marks {
			cohort.Marks[i] = cohort.Tally.Marks(i)
		}
	}
	return outcome.Window{Old: *b.old, New: *b.new, SlowOver: b.slow.over, SlowFrom: b.slow.from, Blocks: mergeBlocks(b.regions)}
}

// mergeBlocks puts the regions' blocks, each ascending, into one order. There are few
// regions and many blocks.
func mergeBlocks(regions map[string]*blocks) []outcome.Block {
	total := 0
	for _, list := range regions {
		total += len(*list)
	}
	merged := make([]outcome.Block, 0, total)
	type head struct {
		region rollout.Region
		rest   blocks
	}
	var heads []head
	for name, list := range regions {
		heads = append(heads, head{rollout.Region(name), *list})
	}
	for len(merged) < total {
		var next *head
		for i := range heads {
			h := &heads[i]
			if len(h.rest) == 0 {
				continue
			}
			if next == nil || h.rest[0].Minute < next.rest[0].Minute || h.rest[0].Minute == next.rest[0].Minute && h.region < next.region {
				next = h
			}
		}
		block := next.rest[0]
		block.Region = next.region
		merged = append(merged, block)
		next.rest = next.rest[1:]
	}
	return merged
}
