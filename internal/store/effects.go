package store

import (
	"context"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/store/gen"
)

// Effect is what a finished rollout did to one metric.
type Effect struct {
	Rollout string
	Metric  string
	// LogRatio is ln(new / old), StdErr its standard error.
	LogRatio, StdErr float64
	EndedAt          time.Time
}

// PutEffects keeps a finished rollout's effects, all or none. The first account of a
// rollout's metric stands.
func (s *Store) PutEffects(ctx context.Context, list []Effect) error {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	return again(ctx, func() error {
		return s.transact(ctx, "keeping effects", func(q *gen.Queries) (bool, error) {
			for _, e := range list {
				err := q.PutEffect(ctx, gen.PutEffectParams{Rollout: e.Rollout, Metric: e.Metric, Effect: e.LogRatio, Error: e.StdErr, EndedAt: toMicros(e.EndedAt)})
				if err != nil {
					return false, failed("keeping an effect", err)
				}
			}
			return true, nil
		})
	})
}

// Effects lists what finished rollouts did, in the order in which they ended.
func (s *Store) Effects(ctx context.Context) ([]Effect, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	rows, err := gen.New(s.read).ListEffects(ctx)
	if err != nil {
		return nil, failed("reading effects", err)
	}
	list := make([]Effect, 0, len(rows))
	for _, row := range rows {
		list = append(list, Effect{Rollout: row.Rollout, Metric: row.Metric, LogRatio: row.Effect, StdErr: row.Error, EndedAt: fromMicros(row.EndedAt)})
	}
	return list, nil
}
