package store

import (
	"context"
	"database/sql"
	"errors"
	"math"
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
// derive it from: old's outcomes from before the epoch, else old's first ones in the
// epoch, of which then only later minutes are counted. The first to freeze it decides
// for all.
func (s *Store) baseline(ctx context.Context, name string, epoch int64) (slowLimit, error) {
	q := gen.New(s.read)
	frozen, found, err := readBaseline(ctx, q, name, epoch)
	if err != nil || found {
		return frozen, err
	}
	derived, enough, err := deriveBaseline(ctx, q, name, epoch)
	if err != nil || !enough {
		return slowLimit{}, err
	}
	err = again(ctx, func() error {
		return failed("freezing what counts as slow", gen.New(s.write).PutBaseline(ctx, gen.PutBaselineParams{
			Rollout: name, Epoch: epoch, SlowOver: derived.over.Microseconds(), SlowFrom: int64(derived.from),
		}))
	})
	if err != nil {
		return slowLimit{}, err
	}
	frozen, _, err = readBaseline(ctx, q, name, epoch)
	return frozen, err
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

func deriveBaseline(ctx context.Context, q *gen.Queries, name string, epoch int64) (slowLimit, bool, error) {
	rows, err := q.SelectBaseline(ctx, gen.SelectBaselineParams{Rollout: name, Epoch: epoch})
	if err != nil {
		return slowLimit{}, false, failed("reading tallies", err)
	}
	before, within, last := new(outcome.Tally), new(outcome.Tally), int64(math.MinInt64)
	for _, row := range rows {
		tally, err := decodeTally(row.Data)
		if err != nil {
			return slowLimit{}, false, err
		}
		if row.Epoch < epoch {
			before.Merge(tally)
			continue
		}
		within.Merge(tally)
		last = max(last, row.Minute)
	}
	switch {
	case before.Total().Requests >= minBaseline:
		return limitOf(before, 0), true, nil
	case within.Total().Requests >= minBaseline:
		return limitOf(within, outcome.Minute(last+1)), true, nil
	}
	return slowLimit{}, false, nil
}

func limitOf(old *outcome.Tally, from outcome.Minute) slowLimit {
	p95, _ := old.Quantile(.95) // there are outcomes
	return slowLimit{outcome.SlowLimit(p95), from}
}
