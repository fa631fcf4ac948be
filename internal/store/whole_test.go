package store

import (
	"context"
	"fmt"
	"testing"

	"github.com/nlpcanary/nlpcanary/internal/store/gen"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// wantWhole fails the test if a change is there in part: if the document, the
// revision, the mission's tables and the audit trail do not tell of the same
// changes.
func wantWhole(tb testing.TB, s *Store) {
	tb.Helper()
	wantSound(tb, s)
	err := s.snapshot(context.Background(), "looking for half of a change", whole)
	if err != nil {
		tb.Fatal(err)
	}
}

func whole(q *gen.Queries) error {
	ctx := context.Background()
	row, err := q.Snapshot(ctx)
	if err != nil {
		return err
	}
	state, err := decodeState(row.Lineage, row.Revision, row.Document)
	if err != nil {
		return err
	}
	if kept := documentOf(state); kept != row.Document {
		return fmt.Errorf("the document is of another revision than %d: %s", row.Revision, row.Document)
	}
	last, err := q.GetAudit(ctx, row.Revision)
	if err != nil {
		return fmt.Errorf("the audit entry of revision %d: %w", row.Revision, err)
	}
	if rollout.Action(last.Action) != state.Last.Action || last.Actor != state.Last.By || last.StateDigest != digestOf(row.Document) {
		return fmt.Errorf("the last audit entry is %q by %q, and the state was left by %q by %q", last.Action, last.Actor, state.Last.Action, state.Last.By)
	}
	if _, err := q.GetAudit(ctx, row.Revision+1); err == nil {
		return fmt.Errorf("there is an audit entry after revision %d", row.Revision)
	}
	history, err := q.ListHistory(ctx, gen.ListHistoryParams{Before: 1<<31 - 1, Most: 1})
	if err != nil {
		return err
	}
	r, newest := state.Rollout, history[0]
	if newest.CurrentStage != int32(r.Stage) || newest.RolloutPercentage != int32(r.Percentage) || newest.UpdatedBy != r.UpdatedBy || newest.Notes != r.Notes {
		return fmt.Errorf("nlp_rollout_config says stage %d by %q (%q), and the state says %d by %q (%q)", newest.CurrentStage, newest.UpdatedBy, newest.Notes, r.Stage, r.UpdatedBy, r.Notes)
	}
	flags, err := readFlags(ctx, q)
	if err != nil {
		return err
	}
	if !sameFlags(flags, state.Flags) {
		return fmt.Errorf("feature_flags is %+v, and the state says %+v", flags, state.Flags)
	}
	return nil
}

// Half a change, made on purpose, is found.
func TestWhole(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		s := d.open(t)
		mustApply(t, s, Request{Change: rollout.Rollback{Target: 1}, Actor: operator("ann"), Note: "why"})
		mustApply(t, s, Request{Change: rollout.SetFlag{Name: rollout.KillSwitch, Enabled: false}, Actor: operator("ann")})
		wantWhole(t, s)
		for _, half := range []string{
			"UPDATE nlpcanary_clock SET revision = revision - 1",
			"UPDATE nlpcanary_clock SET revision = revision + 1",
			"DELETE FROM nlpcanary_audit WHERE revision = 3",
			"DELETE FROM nlp_rollout_config WHERE id = 2",
			unkill,
		} {
			tx, err := s.write.BeginTx(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tx.ExecContext(t.Context(), half); err != nil {
				t.Fatal(err)
			}
			if err := whole(gen.New(tx)); err == nil {
				t.Errorf("%s was not found", half)
			}
			if err := tx.Rollback(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// ledger is what writers know of the changes that they asked for, by the notes.
type ledger struct {
	made    map[string]int64 // acknowledged, with the revision
	unknown map[string]bool  // not acknowledged, and not denied either
}

// want fails the test if an acknowledged change is not in the audit trail, or one is
// there of which the writers were told that it was not made.
func (l ledger) want(tb testing.TB, s *Store) {
	tb.Helper()
	found := map[string]int64{}
	query := AuditQuery{Oldest: true, Limit: 1000}
	for {
		page := mustAudit(tb, s, query)
		for _, e := range page {
			if e.Note == "" || e.Actor == "system" {
				continue
			}
			if _, twice := found[e.Note]; twice {
				tb.Errorf("%s was made twice", e.Note)
			}
			found[e.Note] = e.Revision
			if l.made[e.Note] != e.Revision && !l.unknown[e.Note] {
				tb.Errorf("revision %d, %s, was acknowledged as %d", e.Revision, e.Note, l.made[e.Note])
			}
			query.After = e.Revision
		}
		if len(page) < query.Limit {
			break
		}
	}
	for note, revision := range l.made {
		if found[note] != revision {
			tb.Errorf("%s was acknowledged as revision %d, and found as %d", note, revision, found[note])
		}
	}
}
