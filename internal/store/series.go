package store

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/store/gen"
	"github.com/nlpcanary/nlpcanary/outcome"
)

// The steps of a series.
const (
	MinuteStep = time.Minute
	HourStep   = hour * time.Minute
	DayStep    = day * time.Minute
)

// Point is what was measured in one step of time.
type Point struct {
	Start    time.Time
	Old, New Cell
}

// Cell is what was measured of one cohort in one step of time.
type Cell struct {
	// Counts has no Slow: what is slow is fixed for an epoch only.
	Counts outcome.Counts
	// Tally is nil where nothing was measured, and where only the counts of minutes are
	// left.
	Tally *outcome.Tally
}

// Series is what was measured, step by step, ascending; steps in which nothing was are
// left out. The query's bounds are rounded outwards to whole steps. Of single minutes
// that are more than two days old, only the counts are known.
func (s *Store) Series(ctx context.Context, query OutcomeQuery, step time.Duration) ([]Point, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	span := int64(step / time.Minute)
	w := windowOf(query)
	w.first, w.until = w.first-w.first%span, roundUp(w.until, span)
	b := &seriesBuilder{query: query, span: span, points: map[int64]*Point{}}
	err := s.snapshot(ctx, "reading a series", func(q *gen.Queries) error {
		if span == 1 {
			return b.minutes(ctx, q, w)
		}
		return b.periods(ctx, q, w)
	})
	if err != nil {
		return nil, err
	}
	return slices.SortedFunc(values(b.points), func(a, b Point) int { return cmp.Compare(a.Start.Unix(), b.Start.Unix()) }), nil
}

func values(points map[int64]*Point) func(yield func(Point) bool) {
	return func(yield func(Point) bool) {
		for p := range maps.Values(points) {
			if p.empty() {
				continue
			}
			if !yield(*p) {
				return
			}
		}
	}
}

func (p *Point) empty() bool {
	return p.Old.Counts == (outcome.Counts{}) && p.New.Counts == (outcome.Counts{}) && !p.Old.marked() && !p.New.marked()
}

// marked: there may be feedback on outcomes that were lost.
func (c *Cell) marked() bool {
	for i := range outcome.Buckets {
		if c.Tally != nil && c.Tally.Marks(i) != (outcome.Marks{}) {
			return true
		}
	}
	return false
}

type seriesBuilder struct {
	query  OutcomeQuery
	span   int64
	points map[int64]*Point // by the minute that they begin at
}

func (b *seriesBuilder) cell(variant string, minute int64) *Cell {
	start := minute - minute%b.span
	p := b.points[start]
	if p == nil {
		p = &Point{Start: outcome.Minute(start).Time()}
		b.points[start] = p
	}
	if isNew(variant) {
		return &p.New
	}
	return &p.Old
}

func (c *Cell) add(tally *outcome.Tally) {
	if c.Tally == nil {
		c.Tally = new(outcome.Tally)
	}
	c.Tally.Merge(tally)
	c.Counts.Add(outcome.CountsOf(tally, 0))
}

// periods adds whole hours or days, and what is not folded into them yet.
func (b *seriesBuilder) periods(ctx context.Context, q *gen.Queries, w window) error {
	rows, err := q.SelectPeriods(ctx, gen.SelectPeriodsParams{
		Rollout: b.query.Rollout, Span: b.span, Epoch: b.query.Epoch, AnyRegion: w.anyRegion, Region: w.region, First: w.first, Until: w.until,
	})
	if err != nil {
		return failed("reading periods", err)
	}
	for _, row := range rows {
		for variant, data := range map[string][]byte{"old": row.Old, "new": row.New} {
			tally, err := decodeTally(data)
			if err != nil {
				return err
			}
			b.cell(variant, row.Start).add(tally)
		}
	}
	open, err := q.SelectOpenTallies(ctx, gen.SelectOpenTalliesParams{
		Rollout: b.query.Rollout, Epoch: b.query.Epoch, AnyRegion: w.anyRegion, Region: w.region, First: w.first, Until: w.until,
	})
	if err != nil {
		return failed("reading tallies", err)
	}
	for _, row := range open {
		if err := b.tally(gen.SelectTalliesRow(row)); err != nil {
			return err
		}
	}
	return b.marks(ctx, q, w, true)
}

// minutes adds single minutes: as far as they are gone, their counts.
func (b *seriesBuilder) minutes(ctx context.Context, q *gen.Queries, w window) error {
	compacted, err := q.Compacted(ctx)
	if err != nil {
		return failed("reading what was compacted", err)
	}
	gone := w.part(w.first, min(max(compacted, w.first), w.until))
	left := w.part(gone.until, w.until)
	if gone.first < gone.until {
		if err := b.gone(ctx, q, gone); err != nil {
			return err
		}
	}
	rows, err := q.SelectTallies(ctx, gen.SelectTalliesParams{
		Rollout: b.query.Rollout, Epoch: b.query.Epoch, AnyRegion: w.anyRegion, Region: w.region, First: left.first, Until: left.until,
	})
	if err != nil {
		return failed("reading tallies", err)
	}
	for _, row := range rows {
		if err := b.tally(row); err != nil {
			return err
		}
	}
	return b.marks(ctx, q, left, false)
}

func (b *seriesBuilder) gone(ctx context.Context, q *gen.Queries, w window) error {
	rows, err := q.SelectAllBlocks(ctx, gen.SelectAllBlocksParams{
		Rollout: b.query.Rollout, Span: hour, Epoch: b.query.Epoch, AnyRegion: w.anyRegion, Region: w.region,
		First: w.first - w.first%hour, Until: roundUp(w.until, hour),
	})
	if err != nil {
		return failed("reading periods", err)
	}
	for _, row := range rows {
		reader, err := readBlocks(row.Blocks, "", outcome.Minute(row.Start), hour)
		if err != nil {
			return err
		}
		list, err := mergeBlocks(nil, []*blockReader{reader})
		if err != nil {
			return err
		}
		for _, block := range list {
			if minute := int64(block.Minute); minute >= w.first && minute < w.until {
				block.Old.Slow, block.New.Slow = 0, 0
				b.cell("old", minute).Counts.Add(block.Old)
				b.cell("new", minute).Counts.Add(block.New)
			}
		}
	}
	// What came late is not in the periods yet.
	open, err := q.SelectOpenTallies(ctx, gen.SelectOpenTalliesParams{
		Rollout: b.query.Rollout, Epoch: b.query.Epoch, AnyRegion: w.anyRegion, Region: w.region, First: w.first, Until: w.until,
	})
	if err != nil {
		return failed("reading tallies", err)
	}
	for _, row := range open {
		tally, err := decodeTally(row.Data)
		if err != nil {
			return err
		}
		b.cell(row.Variant, row.Minute).Counts.Add(outcome.CountsOf(tally, 0))
	}
	return nil
}

func (b *seriesBuilder) tally(row gen.SelectTalliesRow) error {
	tally, err := decodeTally(row.Data)
	if err != nil {
		return err
	}
	b.cell(row.Variant, row.Minute).add(tally)
	return nil
}

func (b *seriesBuilder) marks(ctx context.Context, q *gen.Queries, w window, onlyOpen bool) error {
	rows, err := q.SumMarksByMinute(ctx, gen.SumMarksByMinuteParams{
		Rollout: b.query.Rollout, Epoch: b.query.Epoch, AnyRegion: w.anyRegion, Region: w.region, First: w.first, Until: w.until, OnlyOpen: onlyOpen,
	})
	if err != nil {
		return failed("adding up feedback", err)
	}
	for _, row := range rows {
		cell := b.cell(row.Variant, row.Minute)
		if cell.Tally == nil {
			cell.Tally = new(outcome.Tally)
		}
		// A series has no use for buckets.
		cell.Tally.AddMarks(0, outcome.Marks{
			Quality: row.Quality, Rated: row.Rated, Labelled: row.Labelled,
			Labels: outcome.Labels{Correct: row.Correct, Wrong: row.Wrong, Missed: row.Missed},
		})
	}
	return nil
}
