package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/store/gen"
	"github.com/nlpcanary/nlpcanary/outcome"
)

// minBaseline is how many outcomes of old a 95th percentile is taken from at least.
const minBaseline = 1000

// slowLimit is what counts as slow, and from which minute on. The zero one counts
// nothing as slow.
type slowLimit struct {
	over time.Duration
	from outcome.Minute
}

func (l slowLimit) counts(tally *outcome.Tally, minute outcome.Minute) outcome.Counts {
	if minute < l.from {
		return outcome.CountsOf(tally, 0)
	}
	return outcome.CountsOf(tally, l.over)
}

// baseline is the epoch's limit as it was frozen, or is now if there is enough to
// derive it from.
func (s *Store) baseline(ctx context.Context, name string, epoch int64) (slowLimit, error) {
	q := gen.New(s.read)
	limit, found, err := readBaseline(ctx, q, name, epoch)
	if err != nil || found {
		return limit, err
	}
	if _, enough, err := deriveBaseline(ctx, q, name, epoch); err != nil || !enough {
		return slowLimit{}, err
	}
	err = again(ctx, func() error {
		return s.transact(ctx, "freezing what counts as slow", func(q *gen.Queries) (bool, error) {
			// Who folds counts by the limit, or by none: it must not come meanwhile.
			if err := q.LockFolding(ctx); err != nil {
				return false, failed("freezing what counts as slow", err)
			}
			limit, found, err = freezeBaseline(ctx, q, name, epoch)
			return found, err
		})
	})
	return limit, err
}

// freezeBaseline is baseline within a transaction that holds the lock of folding.
func freezeBaseline(ctx context.Context, q *gen.Queries, name string, epoch int64) (slowLimit, bool, error) {
	limit, found, err := readBaseline(ctx, q, name, epoch)
	if err != nil || found {
		return limit, found, err
	}
	limit, enough, err := deriveBaseline(ctx, q, name, epoch)
	if err != nil || !enough {
		return slowLimit{}, false, err
	}
	return limit, true, failed("freezing what counts as slow", q.PutBaseline(ctx, gen.PutBaselineParams{
		Rollout: name, Epoch: epoch, SlowOver: limit.over.Microseconds(), SlowFrom: int64(limit.from),
	}))
}

func readBaseline(ctx context.Context, q *gen.Queries, name string, epoch int64) (slowLimit, bool, error) {
	row, err := q.GetBaseline(ctx, gen.GetBaselineParams{Rollout: name, Epoch: epoch})
	if errors.Is(err, sql.ErrNoRows) {
		return slowLimit{}, false, nil
	}
	if err != nil {
		return slowLimit{}, false, failed("reading what counts as slow", err)
	}
	return slowLimit{time.Duration(row.SlowOver) * time.Microsecond, outcome.Minute(row.SlowFrom)}, true, nil
}

// deriveBaseline derives the limit from old's outcomes from before the epoch, else from
// old's first ones in the epoch, of which then only later minutes are counted; false if
// there are too few.
func deriveBaseline(ctx context.Context, q *gen.Queries, name string, epoch int64) (slowLimit, bool, error) {
	before, within := new(outcome.Tally), new(outcome.Tally)
	add := func(in int64, data []byte) error {
		tally, err := decodeTally(data)
		if err != nil {
			return err
		}
		if in < epoch {
			before.Merge(tally)
		} else {
			within.Merge(tally)
		}
		return nil
	}
	folded, err := q.SelectBaselinePeriods(ctx, gen.SelectBaselinePeriodsParams{Rollout: name, Span: ever, Epoch: epoch})
	if err != nil {
		return slowLimit{}, false, failed("reading periods", err)
	}
	for _, row := range folded {
		if err := add(row.Epoch, row.Old); err != nil {
			return slowLimit{}, false, err
		}
	}
	open, err := q.SelectBaselineTallies(ctx, gen.SelectBaselineTalliesParams{Rollout: name, Epoch: epoch})
	if err != nil {
		return slowLimit{}, false, failed("reading tallies", err)
	}
	last := int64(-1)
	for _, row := range open {
		if err := add(row.Epoch, row.Data); err != nil {
			return slowLimit{}, false, err
		}
		if row.Epoch == epoch {
			last = max(last, row.Minute)
		}
	}
	// What is folded was counted without a limit, so it stays uncounted.
	lastHour, err := q.LastPeriod(ctx, gen.LastPeriodParams{Rollout: name, Epoch: epoch})
	if err != nil {
		return slowLimit{}, false, failed("reading periods", err)
	}
	from := outcome.Minute(0)
	if lastHour > 0 {
		from = outcome.Minute(lastHour + hour)
	}
	switch {
	case before.Total().Requests >= minBaseline:
		return limitOf(before, from), true, nil
	case within.Total().Requests >= minBaseline:
		return limitOf(within, max(from, outcome.Minute(last+1))), true, nil
	}
	return slowLimit{}, false, nil
}

func limitOf(old *outcome.Tally, from outcome.Minute) slowLimit {
	p95, _ := old.Quantile(.95) // there are outcomes
	return slowLimit{outcome.SlowLimit(p95), from}
}
