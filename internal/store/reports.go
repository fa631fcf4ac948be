package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/store/gen"
	"github.com/nlpcanary/nlpcanary/outcome"
)

// Bounds of what is remembered of reported outcomes.
const (
	// KeepReportIDs is for how long the ids of reported outcomes are kept,
	KeepReportIDs = 48 * time.Hour
	// MostReportIDs is how many of the last ones are kept, if those are fewer.
	MostReportIDs = 10_000_000
	// mergeAfter is the age from which on batches of ids are merged into one,
	mergeAfter = 10 * time.Minute
	// of so many ids or a few more.
	mergeIDs = 1 << 16
	// mostBatches is how many batches are read at once.
	mostBatches = 64
)

// ReportedIDs are the ids of the outcomes of a batch, or of several merged into one.
type ReportedIDs struct {
	// Number grows with each batch of any instance.
	Number int64
	Minute outcome.Minute
	IDs    []uint64
}

// ErrBehind says that there are more batches since the named one than are read in the middle of
// a transaction. Read them with [Store.ReportedIDs] first.
var ErrBehind = errors.New("too many reports have come since")

// ErrReportsWentBack says that the database has fewer batches than it had. It was restored from
// a backup, and what is remembered of it is of no use.
var ErrReportsWentBack = errors.New("the numbers of reports went back")

// ReportedIDs lists what was reported in batches with higher numbers, by number. It is
// a part; the list is empty when there are no more.
func (s *Store) ReportedIDs(ctx context.Context, since int64) ([]ReportedIDs, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	return reportedIDs(ctx, gen.New(s.read), since, mostBatches)
}

func reportedIDs(ctx context.Context, q *gen.Queries, since int64, most int32) ([]ReportedIDs, error) {
	rows, err := q.SelectReportIDs(ctx, gen.SelectReportIDsParams{Since: since, Most: most})
	if err != nil {
		return nil, failed("reading the ids of reports", err)
	}
	list := make([]ReportedIDs, 0, len(rows))
	for _, row := range rows {
		if len(row.Ids)%8 != 0 {
			return nil, fmt.Errorf("%w: the ids of batch %d of reports cannot be read", ErrDatabase, row.Number)
		}
		ids := make([]uint64, len(row.Ids)/8)
		for i := range ids {
			ids[i] = binary.LittleEndian.Uint64(row.Ids[8*i:])
		}
		list = append(list, ReportedIDs{row.Number, outcome.Minute(row.Minute), ids})
	}
	return list, nil
}

// PutReports keeps a batch of reported outcomes: their ids, and the tallies of the
// producer that they were counted in, in one transaction. No two batches of any
// instances are kept at the same time: fill is given the ids of all batches that came
// after the named one, and says what is new. If nothing is, nothing is written. It
// returns the number of the last batch.
//
// It is tried once, and after an error nobody knows whether it was done: ask for the
// ids that came since, or call it again, with another producer.
func (s *Store) PutReports(ctx context.Context, producer string, since int64, fill func(known []ReportedIDs) ([]uint64, []outcome.Shipment, error)) (int64, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	last := since
	err := s.transact(ctx, "keeping reports", func(q *gen.Queries) (bool, error) {
		number, err := q.NextReport(ctx)
		if err != nil {
			return false, failed("keeping reports", err)
		}
		if number <= since {
			return false, fmt.Errorf("%w: %w to %d", ErrDatabase, ErrReportsWentBack, number)
		}
		known, err := reportedIDs(ctx, q, since, mostBatches)
		if err != nil {
			return false, err
		}
		if len(known) == mostBatches {
			return false, ErrBehind
		}
		if len(known) > 0 {
			last = known[len(known)-1].Number
		}
		ids, list, err := fill(known)
		if err != nil || len(ids) == 0 {
			return false, err
		}
		if err := putReports(ctx, q, producer, number, ids, list); err != nil {
			return false, err
		}
		last = number
		return true, nil
	})
	if err != nil {
		return 0, err
	}
	return last, nil
}

func putReports(ctx context.Context, q *gen.Queries, producer string, number int64, ids []uint64, list []outcome.Shipment) error {
	minute := int64(0)
	for _, shipment := range list {
		k := shipment.Key
		minute = max(minute, int64(k.Minute))
		n, err := q.PutTally(ctx, gen.PutTallyParams{
			Producer: producer, Rollout: k.Rollout, Epoch: k.Epoch, Variant: string(k.Variant), Region: string(k.Region), Minute: int64(k.Minute),
			Seq: shipment.Seq, Data: shipment.Data,
		})
		if err != nil {
			return failed("keeping a tally", err)
		}
		if n == 0 {
			return fmt.Errorf("%w: the tally of %v by %s was overtaken", ErrDatabase, k, producer)
		}
	}
	data := make([]byte, 0, 8*len(ids))
	for _, id := range ids {
		data = binary.LittleEndian.AppendUint64(data, id)
	}
	err := q.PutReportIDs(ctx, gen.PutReportIDsParams{Number: number, Minute: minute, Count: int64(len(ids)), Ids: data})
	return failed("keeping the ids of reports", err)
}

// mergeReports merges old batches of ids, and forgets the oldest ones.
func (s *Store) mergeReports(ctx context.Context, now time.Time) error {
	for left := true; left; {
		err := again(ctx, func() error {
			return s.transact(ctx, "merging the ids of reports", func(q *gen.Queries) (bool, error) {
				n, err := mergeSome(ctx, q, int64(outcome.MinuteOf(now.Add(-mergeAfter))))
				left = n > 0
				return left, failed("merging the ids of reports", err)
			})
		})
		if err != nil {
			return err
		}
	}
	q := gen.New(s.write)
	rows, err := q.CountReportIDs(ctx)
	if err != nil {
		return failed("counting the ids of reports", err)
	}
	kept, oldest := int64(0), int64(outcome.MinuteOf(now.Add(-KeepReportIDs)))
	for _, row := range rows {
		if kept >= MostReportIDs || row.Minute < oldest {
			return failed("forgetting the ids of reports", q.DeleteReportIDs(ctx, gen.DeleteReportIDsParams{Since: 0, Until: row.Number}))
		}
		kept += row.Count
	}
	return nil
}

// mergeSome merges what follows the last merged batch.
func mergeSome(ctx context.Context, q *gen.Queries, until int64) (merged int, err error) {
	if err := q.LockReports(ctx); err != nil {
		return 0, err
	}
	last, err := q.LastMergedReport(ctx)
	if err != nil {
		return 0, err
	}
	rows, err := q.ReportIDsToMerge(ctx, gen.ReportIDsToMergeParams{Since: last, Until: until, Most: mostBatches})
	if err != nil || len(rows) == 0 {
		return 0, err
	}
	sum := gen.PutReportIDsParams{Merged: true}
	for _, row := range rows {
		sum.Number, sum.Minute = row.Number, max(sum.Minute, row.Minute)
		sum.Count += row.Count
		sum.Ids = append(sum.Ids, row.Ids...)
		if sum.Count >= mergeIDs {
			break
		}
	}
	if err := q.DeleteReportIDs(ctx, gen.DeleteReportIDsParams{Since: last, Until: sum.Number}); err != nil {
		return 0, err
	}
	return len(rows), q.PutReportIDs(ctx, sum)
}
