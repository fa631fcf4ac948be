package store

import (
	"context"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/store/gen"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

const (
	// foldEvery is how often tallies are folded, by one instance.
	foldEvery = 2 * time.Minute
	// foldAfter is the age from which on they are. Most do not change any more then.
	foldAfter = 5 * time.Minute
	// keepDetail is for how long single minutes are kept in detail.
	keepDetail = 48 * time.Hour
	// keepUnsure is for how long tallies are kept of which a later version may come:
	// their producer has not been heard of since.
	keepUnsure = 30 * 24 * time.Hour
	// forgetAfter is when a producer that was compacted is forgotten.
	forgetAfter = 90 * 24 * time.Hour
	// foldMost bounds a transaction. On SQLite renewals of the lease wait for it.
	foldMost = 200
)

// setMinutes is how many minutes before its newest one a producer may still change.
const setMinutes = 3

// Fold brings tallies and feedback into records of hours and days, and deletes those
// of minutes that are two days old and folded, if it is anybody's turn: any number of
// instances may call it, as often as they like. It also forgets old ids of reports. What [Store.Window] says of an epoch
// does not change by it. It is many short transactions, and may be cut off anywhere.
func (s *Store) Fold(ctx context.Context) error {
	now := s.now()
	claimed, err := gen.New(s.write).ClaimFolding(ctx, gen.ClaimFoldingParams{Now: now.UnixMicro(), Next: now.Add(foldEvery).UnixMicro()})
	if err != nil || claimed == 0 {
		return failed("folding", err)
	}
	if err := s.fold(ctx, now.Add(-foldAfter)); err != nil {
		return err
	}
	if err := s.mergeReports(ctx, now); err != nil {
		return err
	}
	return s.compact(ctx, now)
}

// fold folds the feedback, and the tallies of minutes that are over by then.
func (s *Store) fold(ctx context.Context, until time.Time) error {
	for _, some := range []func(context.Context, *gen.Queries, *periods) (int, error){
		func(ctx context.Context, q *gen.Queries, p *periods) (int, error) {
			return foldTallies(ctx, q, p, int64(outcome.MinuteOf(until)))
		},
		foldFeedback,
	} {
		for left := true; left; {
			err := again(ctx, func() error {
				return s.transact(ctx, "folding", func(q *gen.Queries) (bool, error) {
					if err := q.LockFolding(ctx); err != nil {
						return false, failed("folding", err)
					}
					p := newPeriods(q)
					n, err := some(ctx, q, p)
					if err != nil {
						return false, err
					}
					left = n == foldMost
					return true, p.save(ctx)
				})
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func foldTallies(ctx context.Context, q *gen.Queries, p *periods, until int64) (int, error) {
	rows, err := q.TalliesToFold(ctx, gen.TalliesToFoldParams{Until: until, Most: foldMost})
	if err != nil {
		return 0, failed("reading tallies", err)
	}
	for _, row := range rows {
		n, err := q.MarkTallyFolded(ctx, gen.MarkTallyFoldedParams{
			Producer: row.Producer, Rollout: row.Rollout, Epoch: row.Epoch, Variant: row.Variant, Region: row.Region, Minute: row.Minute, Seq: row.Seq,
		})
		if err != nil {
			return 0, failed("folding a tally", err)
		}
		if n == 0 {
			continue // a later version came since; next time
		}
		key := outcome.Key{
			Rollout: row.Rollout, Epoch: row.Epoch, Variant: rollout.Variant(row.Variant), Region: rollout.Region(row.Region), Minute: outcome.Minute(row.Minute),
		}
		if err := p.add(ctx, key, row.Data); err != nil {
			return 0, err
		}
	}
	return len(rows), nil
}

func foldFeedback(ctx context.Context, q *gen.Queries, p *periods) (int, error) {
	rows, err := q.FeedbackToFold(ctx, foldMost)
	if err != nil {
		return 0, failed("reading feedback", err)
	}
	for _, row := range rows {
		if n, err := q.MarkFeedbackFolded(ctx, row.OutcomeID); err != nil || n == 0 {
			return 0, failed("folding feedback", err)
		}
		if row.Excluded {
			continue
		}
		marks := outcome.Marks{
			Quality: row.Quality.Int64,
			Labels:  outcome.Labels{Correct: row.Correct.Int64, Wrong: row.Wrong.Int64, Missed: row.Missed.Int64},
		}
		if row.Quality.Valid {
			marks.Rated = 1
		}
		if row.Correct.Valid {
			marks.Labelled = 1
		}
		err := p.each(ctx, row.Rollout, row.Epoch, row.Region, row.Minute, func(held *period) error {
			held.tally(rollout.Variant(row.Variant)).AddMarks(int(row.Bucket)&(outcome.Buckets-1), marks)
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return len(rows), nil
}

// compact deletes folded tallies that are old enough, if no later version of them can
// come: their producer has gone on since, or has not been heard of for a month.
func (s *Store) compact(ctx context.Context, now time.Time) error {
	// Whole hours: of an hour either all minutes are there, or nobody asks for them.
	until := int64(outcome.MinuteOf(now.Add(-keepDetail)))
	until -= until % hour
	producers, err := gen.New(s.read).ProducersToCompact(ctx, until)
	if err != nil {
		return failed("looking for tallies to compact", err)
	}
	if len(producers) == 0 {
		return nil
	}
	q := gen.New(s.write)
	if err := q.SetCompacted(ctx, until); err != nil {
		return failed("compacting", err)
	}
	unsure := int64(outcome.MinuteOf(now.Add(-keepUnsure)))
	for _, p := range producers {
		through := min(until-1, p.Newest-setMinutes-1)
		if p.Newest < unsure {
			through = p.Newest
		}
		if p.Oldest > through {
			continue
		}
		if err := s.compactProducer(ctx, p.Producer, through); err != nil {
			return err
		}
	}
	return failed("forgetting producers", q.ForgetProducers(ctx, int64(outcome.MinuteOf(now.Add(-forgetAfter)))))
}

// compactProducer deletes hour by hour.
func (s *Store) compactProducer(ctx context.Context, producer string, through int64) error {
	for left := true; left; {
		err := again(ctx, func() error {
			return s.transact(ctx, "compacting", func(q *gen.Queries) (bool, error) {
				if err := q.LockFolding(ctx); err != nil {
					return false, failed("compacting", err)
				}
				oldest, err := q.OldestFolded(ctx, gen.OldestFoldedParams{Producer: producer, Through: through})
				if err != nil || oldest == 0 {
					left = false
					return false, failed("compacting", err)
				}
				upTo := min(oldest+hour-1, through)
				if _, err := q.DeleteFolded(ctx, gen.DeleteFoldedParams{Producer: producer, Through: upTo}); err != nil {
					return false, failed("compacting", err)
				}
				return true, failed("compacting", q.PutProducer(ctx, gen.PutProducerParams{Producer: producer, Through: upTo}))
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}
