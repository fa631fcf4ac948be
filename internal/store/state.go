package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/store/gen"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// State reads the state as it stands, the flags as they stand in feature_flags.
func (s *Store) State(ctx context.Context) (rollout.State, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	var row gen.SnapshotRow
	err := again(ctx, func() (err error) {
		row, err = gen.New(s.read).Snapshot(ctx)
		return failed("reading the state", err)
	})
	if err != nil {
		return rollout.State{}, err
	}
	return stateOf(row.Lineage, row.Revision, row.Document, row.Switches)
}

// stateOf reads a document, and lays over it the switches of feature_flags: what
// somebody typed into the database holds before it is in the document.
func stateOf(lineage, revision int64, document, switches string) (rollout.State, error) {
	state, err := decodeState(lineage, revision, document)
	if err != nil {
		return rollout.State{}, err
	}
	found, err := decodeSwitches(switches)
	if err != nil {
		return rollout.State{}, err
	}
	flags := make([]rollout.Flag, 0, len(found))
	for _, f := range found {
		flag, known := state.Flag(f.name)
		if !known {
			flag = rollout.Flag{Name: f.name} // Reconcile brings the rest
		}
		flag.Enabled = f.enabled
		flags = append(flags, flag)
	}
	state.Flags = flags
	return state, nil
}

func encodeState(state rollout.State) (string, error) {
	document, err := json.Marshal(state)
	if err != nil {
		return "", fmt.Errorf("encoding the state: %w", err)
	}
	return string(document), nil
}

// decodeState reads a document. The columns of the lineage and of the revision are the
// ones that count.
func decodeState(lineage, revision int64, document string) (rollout.State, error) {
	var state rollout.State
	if err := json.Unmarshal([]byte(document), &state); err != nil {
		return rollout.State{}, fmt.Errorf("%w: the state document of revision %d cannot be read: %w", ErrDatabase, revision, err)
	}
	state.Lineage, state.Revision = lineage, revision
	return state, nil
}

// digestOf is the digest of a state document in the audit trail.
func digestOf(document string) string {
	sum := sha256.Sum256([]byte(document))
	return hex.EncodeToString(sum[:])
}

// History lists nlp_rollout_config, newest first, and counts all its rows. Before
// leaves out the rows from that id on; 0 for none. The limit is 1 to 1,000; 0 means 10.
func (s *Store) History(ctx context.Context, limit int, before int64) ([]HistoryEntry, int64, error) {
	limit, err := checkLimit(limit, 10)
	if err != nil {
		return nil, 0, err
	}
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	const noBound = int64(1<<31 - 1)
	if before <= 0 || before > noBound {
		before = noBound
	}
	q := gen.New(s.read)
	rows, err := q.ListHistory(ctx, gen.ListHistoryParams{Before: int32(before), Most: int32(limit)})
	if err != nil {
		return nil, 0, failed("reading the history", err)
	}
	total, err := q.CountHistory(ctx)
	if err != nil {
		return nil, 0, failed("counting the history", err)
	}
	entries := make([]HistoryEntry, 0, len(rows))
	for _, row := range rows {
		entries = append(entries, HistoryEntry{
			ID: int64(row.ID), Rollout: row.Rollout, Stage: rollout.Stage(row.CurrentStage), Percentage: rollout.Percent(row.RolloutPercentage),
			UpdatedAt: row.UpdatedAt.Time.UTC(), UpdatedBy: row.UpdatedBy, Notes: row.Notes, Revision: row.Revision,
		})
	}
	return entries, total, nil
}

func checkLimit(limit, usual int) (int, error) {
	const most = 1000
	switch {
	case limit == 0:
		return usual, nil
	case limit < 0 || limit > most:
		return 0, &rollout.Refusal{Code: rollout.CodeInvalid, Field: "limit", Message: fmt.Sprintf("%d is not a limit", limit), Hint: "the limit is 1 to 1000"}
	}
	return limit, nil
}

// timeOf is a time of the mission's tables, to the microsecond.
func timeOf(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }
