package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/store/gen"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// PutTallies keeps a producer's tallies, all or none. A tally replaces the one of the
// same producer and key if its sequence number is higher, so that a repeated or
// overtaken shipment counts once, for as long as anybody may repeat it. It returns
// [outcome.ErrCorrupt] for data that is no tally.
//
// A producer ships what [outcome.Set.Pending] gives, all at once or in its order: of a
// producer that ships a minute, minutes more than three before it are final, and may
// be compacted.
func (s *Store) PutTallies(ctx context.Context, producer string, list []outcome.Shipment) error {
	if len(list) == 0 {
		return nil
	}
	// What cannot be read must not get in: folding would stop at it.
	oldest := list[0].Key.Minute
	for _, shipment := range list {
		if err := new(outcome.Tally).UnmarshalBinary(shipment.Data); err != nil {
			return fmt.Errorf("keeping a tally of %s: %w", producer, err)
		}
		oldest = min(oldest, shipment.Key.Minute)
	}
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	late := oldest < outcome.MinuteOf(s.now().Add(-lateAfter))
	return again(ctx, func() error {
		err := s.putTallies(ctx, producer, list, late)
		if errors.Is(err, errLate) {
			err = s.putTallies(ctx, producer, list, true)
		}
		return err
	})
}

// lateAfter is the age from which on a tally may be compacted while it is shipped.
// Such shipments, and later versions of tallies that are folded, wait for their turn
// with whoever folds.
const lateAfter = keepDetail / 2

// errLate: the shipment must be stored while nobody folds.
var errLate = errors.New("a tally was folded already")

func (s *Store) putTallies(ctx context.Context, producer string, list []outcome.Shipment, late bool) error {
	return s.transact(ctx, "keeping tallies", func(q *gen.Queries) (bool, error) {
		through := int64(math.MinInt64)
		if late {
			err := q.LockFolding(ctx)
			if err == nil {
				through, err = q.GetProducer(ctx, producer)
			}
			if err != nil {
				return false, failed("keeping a tally", err)
			}
		}
		changes := newPeriods(q)
		for _, shipment := range list {
			if int64(shipment.Key.Minute) <= through {
				continue // compacted, so it is a repetition
			}
			if err := putTally(ctx, q, producer, shipment, late, changes); err != nil {
				return false, err
			}
		}
		return true, changes.save(ctx)
	})
}

func putTally(ctx context.Context, q *gen.Queries, producer string, shipment outcome.Shipment, late bool, changes *periods) error {
	k := shipment.Key
	n, err := q.PutTally(ctx, gen.PutTallyParams{
		Producer: producer, Rollout: k.Rollout, Epoch: k.Epoch, Variant: string(k.Variant), Region: string(k.Region), Minute: int64(k.Minute),
		Seq: shipment.Seq, Data: shipment.Data,
	})
	if err != nil || n > 0 {
		return failed("keeping a tally", err)
	}
	had, err := q.GetTally(ctx, gen.GetTallyParams{
		Producer: producer, Rollout: k.Rollout, Epoch: k.Epoch, Variant: string(k.Variant), Region: string(k.Region), Minute: int64(k.Minute),
	})
	switch {
	case errors.Is(err, sql.ErrNoRows) && !late:
		return errLate // somebody compacts at this moment
	case err != nil:
		return failed("reading a tally", err)
	case !had.Folded || had.Seq >= shipment.Seq:
		return nil
	case !late:
		return errLate
	}
	if err := changes.supersede(ctx, k, had.Data, shipment.Data); err != nil {
		return err
	}
	return failed("keeping a tally", q.SupersedeTally(ctx, gen.SupersedeTallyParams{
		Producer: producer, Rollout: k.Rollout, Epoch: k.Epoch, Variant: string(k.Variant), Region: string(k.Region), Minute: int64(k.Minute),
		Seq: shipment.Seq, Data: shipment.Data,
	}))
}

// window is what an OutcomeQuery selects, as the queries take it.
type window struct {
	anyRegion    bool
	region       string
	first, until int64 // minutes; first inclusive, until exclusive
}

// endOfTime is after every minute, and a whole number of days.
const endOfTime = 1_000_000_000 * day

func windowOf(q OutcomeQuery) window {
	w := window{anyRegion: q.Region == nil, first: 0, until: endOfTime}
	if q.Region != nil {
		w.region = string(*q.Region)
	}
	if !q.From.IsZero() {
		w.first = max(int64(outcome.MinuteOf(q.From)), 0)
	}
	if !q.To.IsZero() {
		w.until = max(int64(outcome.MinuteOf(q.To.Add(time.Minute-1))), w.first)
	}
	return w
}

func decodeTally(data []byte) (*outcome.Tally, error) {
	tally := new(outcome.Tally)
	if err := tally.UnmarshalBinary(data); err != nil {
		return nil, fmt.Errorf("%w: a tally cannot be read: %w", ErrDatabase, err)
	}
	return tally, nil
}

func isNew(variant string) bool { return rollout.Variant(variant) == rollout.New }
