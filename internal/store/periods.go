package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/nlpcanary/nlpcanary/internal/store/gen"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// The spans of periods, in minutes. The whole of an epoch is one period, which begins
// at 0 and has no blocks: those are in its days.
const (
	hour = 60
	day  = 24 * hour
	ever = endOfTime
)

// spans are those that everything is folded into: so that what is read, be it of an
// hour or of months, is few records.
var spans = [...]int64{hour, day, ever}

// periodKey says what a period is the sum of.
type periodKey struct {
	rollout     string
	epoch       int64
	region      string
	span, start int64
}

// period is what was folded: both cohorts' tallies, and the counts of each minute, so
// that blocks of evidence stay what they were.
type period struct {
	blocks   blocks
	old, new outcome.Tally
}

func (p *period) tally(v rollout.Variant) *outcome.Tally {
	if v == rollout.New {
		return &p.new
	}
	return &p.old
}

func (p *period) counts(v rollout.Variant, minute outcome.Minute) *outcome.Counts {
	block := p.blocks.at(minute, "")
	if v == rollout.New {
		return &block.New
	}
	return &block.Old
}

// periods are those that a transaction changes, which holds the lock of folding.
type periods struct {
	q      *gen.Queries
	held   map[periodKey]*period
	limits map[limitKey]slowLimit
}

type limitKey struct {
	rollout string
	epoch   int64
}

func newPeriods(q *gen.Queries) *periods {
	return &periods{q: q, held: map[periodKey]*period{}, limits: map[limitKey]slowLimit{}}
}

// each calls change with every period that a minute belongs to.
func (p *periods) each(ctx context.Context, name string, epoch int64, region string, minute int64, change func(*period) error) error {
	for _, span := range spans {
		held, err := p.get(ctx, periodKey{name, epoch, region, span, minute - minute%span})
		if err != nil {
			return err
		}
		if err := change(held); err != nil {
			return err
		}
	}
	return nil
}

func (p *periods) get(ctx context.Context, key periodKey) (*period, error) {
	if held := p.held[key]; held != nil {
		return held, nil
	}
	row, err := p.q.GetPeriod(ctx, gen.GetPeriodParams{Rollout: key.rollout, Span: key.span, Start: key.start, Epoch: key.epoch, Region: key.region})
	held := new(period)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return nil, failed("reading a period", err)
	default:
		if held, err = decodePeriod(row.Blocks, row.Old, row.New, outcome.Minute(key.start), key.span); err != nil {
			return nil, err
		}
	}
	p.held[key] = held
	return held, nil
}

func decodePeriod(minutes, old, canary []byte, start outcome.Minute, span int64) (*period, error) {
	p := new(period)
	reader, err := readBlocks(minutes, "", start, span)
	if err != nil {
		return nil, err
	}
	if p.blocks, err = mergeBlocks(nil, []*blockReader{reader}); err != nil {
		return nil, err
	}
	for _, t := range []struct {
		data []byte
		into *outcome.Tally
	}{{old, &p.old}, {canary, &p.new}} {
		read, err := decodeTally(t.data)
		if err != nil {
			return nil, err
		}
		*t.into = *read
	}
	return p, nil
}

// limit is what counts as slow in an epoch, frozen now if it can be: what is folded
// keeps counts only.
func (p *periods) limit(ctx context.Context, name string, epoch int64) (slowLimit, error) {
	key := limitKey{name, epoch}
	if limit, known := p.limits[key]; known {
		return limit, nil
	}
	limit, _, err := freezeBaseline(ctx, p.q, name, epoch)
	if err == nil {
		p.limits[key] = limit
	}
	return limit, err
}

// add folds a tally.
func (p *periods) add(ctx context.Context, k outcome.Key, data []byte) error {
	tally, err := decodeTally(data)
	if err != nil {
		return err
	}
	limit, err := p.limit(ctx, k.Rollout, k.Epoch)
	if err != nil {
		return err
	}
	counts := limit.counts(tally, k.Minute)
	return p.each(ctx, k.Rollout, k.Epoch, string(k.Region), int64(k.Minute), func(held *period) error {
		held.tally(k.Variant).Merge(tally)
		if counts != (outcome.Counts{}) {
			held.counts(k.Variant, k.Minute).Add(counts)
		}
		return nil
	})
}

// supersede puts a later version of a folded tally in its place.
func (p *periods) supersede(ctx context.Context, k outcome.Key, was, is []byte) error {
	earlier, err := decodeTally(was)
	if err != nil {
		return err
	}
	later, err := decodeTally(is)
	if err != nil {
		return err
	}
	limit, err := p.limit(ctx, k.Rollout, k.Epoch)
	if err != nil {
		return err
	}
	less, more := limit.counts(earlier, k.Minute), limit.counts(later, k.Minute)
	return p.each(ctx, k.Rollout, k.Epoch, string(k.Region), int64(k.Minute), func(held *period) error {
		if err := held.tally(k.Variant).Supersede(earlier, later); err != nil {
			return failed("folding a later version of a tally", err)
		}
		if more != (outcome.Counts{}) {
			held.counts(k.Variant, k.Minute).Add(outcome.Counts{
				Requests: more.Requests - less.Requests, Errors: more.Errors - less.Errors,
				Timeouts: more.Timeouts - less.Timeouts, Slow: more.Slow - less.Slow,
			})
		}
		return nil
	})
}

// save writes what changed.
func (p *periods) save(ctx context.Context) error {
	for key, held := range p.held {
		if key.span == ever {
			held.blocks = nil
		}
		old, err := held.old.MarshalBinary()
		if err != nil {
			return err
		}
		canary, err := held.new.MarshalBinary()
		if err != nil {
			return err
		}
		err = p.q.PutPeriod(ctx, gen.PutPeriodParams{
			Rollout: key.rollout, Epoch: key.epoch, Region: key.region, Span: key.span, Start: key.start,
			Blocks: held.blocks.encode(outcome.Minute(key.start)), Old: old, New: canary,
		})
		if err != nil {
			return failed("keeping a period", err)
		}
	}
	return nil
}
