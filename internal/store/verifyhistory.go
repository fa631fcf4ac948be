package store

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"strings"

	"github.com/nlpcanary/nlpcanary/internal/store/gen"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// behindTheLog begins the warning of an entry that found the state changed behind
// the log's back. Without it the next change, whatever it is, would cover that up.
const behindTheLog = "the state had been changed behind the log's back before this change"

// checkEntry checks what the entry just added says, beyond its hashes.
func (v *verification) checkEntry(rows []gen.OwnHistoryRow) {
	e := v.last
	if slices.ContainsFunc(e.Warnings, func(w string) bool { return strings.HasPrefix(w, behindTheLog) }) {
		v.bad(e.Revision, behindTheLog)
		return
	}
	switch e.Action {
	case rollout.ActionInitialise, rollout.ActionAdvance, rollout.ActionRollback, rollout.ActionStart, rollout.ActionFinalise:
		v.checkHistory(e, rows)
	default:
		if len(rows) > 0 {
			v.bad(e.Revision, "row %d of nlp_rollout_config was inserted: the change of this revision did not write one", rows[0].ID)
		}
	}
}

// checkHistory compares the row of nlp_rollout_config that an entry's change wrote
// with the entry.
func (v *verification) checkHistory(e AuditEntry, rows []gen.OwnHistoryRow) {
	if len(rows) != 1 {
		v.bad(e.Revision, "nlp_rollout_config has %d rows of this revision, not 1", len(rows))
		return
	}
	row := rows[0]
	var after struct {
		Stage      int32 `json:"stage"`
		Percentage int32 `json:"percentage"`
	}
	if err := json.Unmarshal(e.After, &after); err != nil {
		v.bad(e.Revision, "what the entry changed cannot be read: %v", err)
		return
	}
	same := row.CurrentStage == after.Stage && row.RolloutPercentage == after.Percentage && "rollout/"+row.Rollout == e.Subject
	if e.Action != rollout.ActionInitialise { // a row taken over has its own time, name and notes
		same = same && row.UpdatedBy == e.Actor && row.Notes == e.Note && row.UpdatedAt.Time.Equal(e.At)
	}
	if !same {
		v.bad(e.Revision, "row %d of nlp_rollout_config was changed: it says stage %d, %d %%, by %q, and the entry says stage %d, %d %%, by %q",
			row.ID, row.CurrentStage, row.RolloutPercentage, row.UpdatedBy, after.Stage, after.Percentage, e.Actor)
	}
}

// checkHistoryAfterEnd looks for rows of revisions that have not come yet.
func (v *verification) checkHistoryAfterEnd(ctx context.Context, q *gen.Queries) error {
	rows, err := q.OwnHistory(ctx, gen.OwnHistoryParams{First: v.entries + 1, Last: math.MaxInt64})
	if err != nil {
		return failed("reading nlp_rollout_config", err)
	}
	if len(rows) > 0 {
		v.bad(rows[0].Revision, "row %d of nlp_rollout_config was inserted: there has been no revision %d", rows[0].ID, rows[0].Revision)
	}
	return nil
}

func historyBetween(ctx context.Context, q *gen.Queries, first, last int64) (map[int64][]gen.OwnHistoryRow, error) {
	rows, err := q.OwnHistory(ctx, gen.OwnHistoryParams{First: first, Last: last})
	if err != nil {
		return nil, failed("reading nlp_rollout_config", err)
	}
	byRevision := make(map[int64][]gen.OwnHistoryRow, len(rows))
	for _, row := range rows {
		byRevision[row.Revision] = append(byRevision[row.Revision], row)
	}
	return byRevision, nil
}
