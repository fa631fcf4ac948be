package store

import (
	"context"
	"fmt"

	"github.com/nlpcanary/nlpcanary/internal/store/gen"
	"github.com/nlpcanary/nlpcanary/outcome"
)

// PutShadows keeps a producer's pairs, all or none. They replace those of the same
// producer and key if their sequence number is higher, so that a repeated or overtaken
// shipment counts once.
func (s *Store) PutShadows(ctx context.Context, producer string, list []outcome.ShadowShipment) error {
	if len(list) == 0 {
		return nil
	}
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	return again(ctx, func() error {
		return s.transact(ctx, "keeping shadow pairs", func(q *gen.Queries) (bool, error) {
			for _, shipment := range list {
				k := shipment.Key
				err := q.PutShadow(ctx, gen.PutShadowParams{
					Producer: producer, Rollout: k.Rollout, Epoch: k.Epoch, Region: string(k.Region), Seq: shipment.Seq, Data: shipment.Data,
				})
				if err != nil {
					return false, failed("keeping shadow pairs", err)
				}
			}
			return true, nil
		})
	})
}

// Shadows merges the pairs of a rollout's epoch, or of all its epochs if that is 0.
func (s *Store) Shadows(ctx context.Context, rollout string, epoch int64) (*outcome.Shadows, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	rows, err := gen.New(s.read).SelectShadow(ctx, gen.SelectShadowParams{Rollout: rollout, Epoch: epoch})
	if err != nil {
		return nil, failed("reading shadow pairs", err)
	}
	sum := new(outcome.Shadows)
	for _, data := range rows {
		var one outcome.Shadows
		if err := one.UnmarshalBinary(data); err != nil {
			return nil, fmt.Errorf("%w: shadow pairs cannot be read: %w", ErrDatabase, err)
		}
		sum.Merge(&one)
	}
	return sum, nil
}
