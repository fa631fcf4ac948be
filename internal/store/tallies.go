package store

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/store/gen"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// PutTallies keeps a producer's tallies, all or none. A tally replaces the one of the
// same producer and key if its sequence number is higher, so that a repeated or
// overtaken shipment counts once.
func (s *Store) PutTallies(ctx context.Context, producer string, list []outcome.Shipment) error {
	if len(list) == 0 {
		return nil
	}
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	return again(ctx, func() error {
		return s.transact(ctx, "keeping tallies", func(q *gen.Queries) (bool, error) {
			for _, shipment := range list {
				k := shipment.Key
				err := q.PutTally(ctx, gen.PutTallyParams{
					Producer: producer, Rollout: k.Rollout, Epoch: k.Epoch, Variant: string(k.Variant), Region: string(k.Region), Minute: int64(k.Minute),
					Seq: shipment.Seq, Data: shipment.Data,
				})
				if err != nil {
					return false, failed("keeping a tally", err)
				}
			}
			return true, nil
		})
	})
}

// Tallies merges the selected tallies for each variant. A variant without tallies is
// not in the map. Bounds in time are rounded outwards to whole minutes.
func (s *Store) Tallies(ctx context.Context, query OutcomeQuery) (map[rollout.Variant]*outcome.Tally, error) {
	w := windowOf(query)
	// Row by row: there may be many tallies, and their sum is small.
	rows, err := s.read.QueryContext(ctx, gen.SelectTallies, query.Rollout, query.Epoch, w.anyRegion, w.region, w.first, w.until)
	if err != nil {
		return nil, failed("reading tallies", err)
	}
	defer func() { _ = rows.Close() }() // rows.Err tells
	merged := map[rollout.Variant]*outcome.Tally{}
	for rows.Next() {
		var row gen.SelectTalliesRow
		if err := rows.Scan(&row.Variant, &row.Data); err != nil {
			return nil, failed("reading a tally", err)
		}
		tally := new(outcome.Tally)
		if err := tally.UnmarshalBinary(row.Data); err != nil {
			return nil, fmt.Errorf("%w: a tally cannot be read: %w", ErrDatabase, err)
		}
		variant := rollout.Variant(row.Variant)
		sum, exists := merged[variant]
		if !exists {
			merged[variant] = tally
			continue
		}
		sum.Merge(tally)
	}
	return merged, failed("reading tallies", rows.Err())
}

// window is what an OutcomeQuery selects, as the queries take it.
type window struct {
	anyRegion    bool
	region       string
	first, until int64 // minutes; first inclusive, until exclusive
}

func windowOf(q OutcomeQuery) window {
	w := window{anyRegion: q.Region == nil, first: math.MinInt64, until: math.MaxInt64}
	if q.Region != nil {
		w.region = string(*q.Region)
	}
	if !q.From.IsZero() {
		w.first = int64(outcome.MinuteOf(q.From))
	}
	if !q.To.IsZero() {
		w.until = int64(outcome.MinuteOf(q.To.Add(time.Minute - 1)))
	}
	return w
}
