package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/store/gen"
	"github.com/nlpcanary/nlpcanary/outcome"
)

// GoldRun is what both architectures made of the gold set at one time.
type GoldRun struct {
	Rollout          string
	At               time.Time
	Revision         int64 // of the state at that time
	OldName, NewName string
	Gold             string // which gold set, in words
	// Failed is how many documents were left out because an architecture failed on them.
	Failed int
	Pairs  []outcome.Pair
}

// goldRunsKept is how long runs are kept.
const goldRunsKept = 90 * 24 * time.Hour

// PutGoldRun keeps a run, and forgets those that are older than 90 days.
func (s *Store) PutGoldRun(ctx context.Context, run GoldRun) error {
	pairs, err := json.Marshal(run.Pairs)
	if err != nil {
		return fmt.Errorf("encoding pairs: %w", err)
	}
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	return again(ctx, func() error {
		return s.transact(ctx, "keeping a gold run", func(q *gen.Queries) (bool, error) {
			err := q.PutGoldRun(ctx, gen.PutGoldRunParams{
				Rollout: run.Rollout, At: run.At.UnixMicro(), Revision: run.Revision, OldName: run.OldName, NewName: run.NewName,
				Gold: run.Gold, Failed: int64(run.Failed), Pairs: string(pairs),
			})
			if err != nil {
				return false, failed("keeping a gold run", err)
			}
			if err := q.ForgetGoldRuns(ctx, run.At.Add(-goldRunsKept).UnixMicro()); err != nil {
				return false, failed("forgetting gold runs", err)
			}
			return true, nil
		})
	})
}

// GoldRuns lists the runs of a rollout, newest first. The limit is 1 to 1,000; 0 means 10.
func (s *Store) GoldRuns(ctx context.Context, rollout string, limit int) ([]GoldRun, error) {
	limit, err := checkLimit(limit, 10)
	if err != nil {
		return nil, err
	}
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	rows, err := gen.New(s.read).ListGoldRuns(ctx, gen.ListGoldRunsParams{Rollout: rollout, Most: int32(limit)})
	if err != nil {
		return nil, failed("reading gold runs", err)
	}
	runs := make([]GoldRun, 0, len(rows))
	for _, row := range rows {
		run := GoldRun{
			Rollout: row.Rollout, At: fromMicros(row.At), Revision: row.Revision, OldName: row.OldName, NewName: row.NewName,
			Gold: row.Gold, Failed: int(row.Failed),
		}
		if err := json.Unmarshal([]byte(row.Pairs), &run.Pairs); err != nil {
			return nil, fmt.Errorf("%w: a gold run cannot be read: %w", ErrDatabase, err)
		}
		runs = append(runs, run)
	}
	return runs, nil
}

// GoldPairs are those of the rollout's newest run; none if there was no run. The runs
// before it are no further evidence: they read the same documents.
func (s *Store) GoldPairs(ctx context.Context, rollout string) ([]outcome.Pair, error) {
	runs, err := s.GoldRuns(ctx, rollout, 1)
	if err != nil || len(runs) == 0 {
		return nil, err
	}
	return runs[0].Pairs, nil
}
