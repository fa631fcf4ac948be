package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/store/gen"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// Apply makes a change, or says why not: a refusal by the rules is a
// *rollout.Refusal or a *rollout.ConflictError, an error of the database matches
// [ErrDatabase]. All of it is one transaction: the state, its history row, the
// flags, the audit entry, the revision and the notification.
//
// An error that matches [ErrUnknownOutcome] does not say whether the change was
// made; every other error says that it was not.
func (s *Store) Apply(ctx context.Context, r Request) (Applied, error) {
	if err := checkKey(r.IdempotencyKey); err != nil {
		return Applied{}, err
	}
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	var applied Applied
	err := again(ctx, func() (err error) {
		applied, err = s.apply(ctx, r)
		return err
	})
	if err != nil {
		return Applied{}, err
	}
	return applied, nil
}

// Reconcile records SQL changes of feature_flags in the audit trail, if there are
// any. It is cheap when there are none.
func (s *Store) Reconcile(ctx context.Context) error {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	differ := false
	err := s.snapshot(ctx, "comparing the flags", func(q *gen.Queries) error {
		row, err := q.Snapshot(ctx)
		if err != nil {
			return failed("reading the state", err)
		}
		state, err := decodeState(row.Lineage, row.Revision, row.Document)
		if err != nil {
			return err
		}
		found, err := readFlags(ctx, q)
		differ = !sameFlags(found, state.Flags)
		return err
	})
	if err != nil || !differ {
		return err
	}
	return again(ctx, func() error {
		_, err := s.apply(ctx, Request{})
		return err
	})
}

// applying is a change under way, in its transaction.
type applying struct {
	store *Store
	q     *gen.Queries
	at    time.Time
	state rollout.State // as it stands, step by step
	// behind says that the state does not fit the audit trail's last entry. The next
	// entry must tell.
	behind bool
	// written is the leaf of the last audit entry written; nil if none was.
	written *writtenEntry
}

// apply makes one attempt. A request without a change only reconciles.
func (s *Store) apply(ctx context.Context, r Request) (Applied, error) {
	// The log is verified before the lock is taken, because a long log takes long
	// and a rollback must not wait for it. Under the lock only what was added
	// meanwhile is looked at.
	var log *verification
	if needsSoundLog(r.Change) {
		var err error
		if log, err = s.verifyEntries(ctx); err != nil {
			return Applied{}, err
		}
	}
	a := &applying{store: s}
	var applied Applied
	err := s.transact(ctx, "changing the state", func(q *gen.Queries) (commit bool, err error) {
		a.q = q
		applied, commit, err = a.run(ctx, r, log)
		return commit, err
	})
	var commit *commitError
	if errors.As(err, &commit) {
		err = s.settle(ctx, a.written, err)
	}
	if err != nil {
		return Applied{}, err
	}
	if a.written != nil && !r.DryRun {
		s.wakes.wake()
	}
	return applied, nil
}

// needsSoundLog reports whether a broken audit trail blocks the change. It never
// blocks what makes users safer.
func needsSoundLog(change rollout.Change) bool {
	switch change.(type) {
	case rollout.Advance, rollout.Start, rollout.Finalise:
		return true
	}
	return false
}

// run does everything between the lock and the commit.
func (a *applying) run(ctx context.Context, r Request, log *verification) (applied Applied, commit bool, err error) {
	locked, err := a.q.LockClock(ctx)
	if err != nil {
		return Applied{}, false, failed("taking the lock on the state", err)
	}
	if a.state, err = decodeState(locked.Lineage, locked.Revision, locked.Document); err != nil {
		return Applied{}, false, err
	}
	a.at = a.timeOfChange()
	if r.IdempotencyKey != "" && !r.DryRun {
		first, found, err := a.firstAnswer(ctx, r)
		if err != nil || found {
			return first, false, err
		}
	}
	broken := false
	if log != nil {
		report, err := log.finish(ctx, a.q, locked.Revision, locked.Document)
		if err != nil {
			return Applied{}, false, err
		}
		broken = !report.OK
	}
	if a.behind, err = changedBehindTheLog(ctx, a.q, locked); err != nil {
		return Applied{}, false, err
	}
	if err := a.reconcile(ctx); err != nil {
		return Applied{}, false, err
	}
	reconciled := a.written != nil
	if r.Change == nil {
		return Applied{}, reconciled, nil
	}
	was := a.state
	result, err := was.Apply(r.Change, rollout.Context{Actor: r.Actor, At: a.at, Note: r.Note, Base: r.Base, AuditBroken: broken})
	if err != nil {
		// What was typed into the database stays recorded: otherwise a caller who
		// repeats the change on the revision that he sees would be refused for ever.
		return Applied{}, reconciled && !r.DryRun, err
	}
	applied = Applied{Result: result, Was: was, At: a.at}
	if r.DryRun {
		return applied, false, nil
	}
	if result.Changed {
		if applied.Result, err = a.write(ctx, r.Actor, r.Note, result); err != nil {
			return Applied{}, false, err
		}
		if err := writeFlags(ctx, a.q, was, result.State); err != nil {
			return Applied{}, false, err
		}
	}
	if r.IdempotencyKey != "" {
		if err := a.remember(ctx, r, applied); err != nil {
			return Applied{}, false, err
		}
	}
	return applied, result.Changed || reconciled || r.IdempotencyKey != "", nil
}

// clockSkew is how far the clocks of two machines are taken to differ at most.
const clockSkew = time.Minute

// timeOfChange is now, but not before the last change, which another machine's clock
// may have stamped: changes made one after the other are told apart from doubles by
// their times. It must be asked under the lock. A last change from further ahead
// than clocks differ is not followed, or one wrong clock would stop time for all.
func (a *applying) timeOfChange() time.Time {
	now, last := timeOf(a.store.now()), a.state.Last.At
	if ahead := last.Sub(now); ahead > 0 && ahead <= clockSkew {
		return last
	}
	return now
}

// changedBehindTheLog reports whether somebody wrote the state past the store.
func changedBehindTheLog(ctx context.Context, q *gen.Queries, locked gen.LockClockRow) (bool, error) {
	last, err := q.GetAudit(ctx, locked.Revision)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil // the entry is gone, which a verification finds by itself
	}
	return err == nil && last.StateDigest != digestOf(locked.Document), failed("reading the audit trail", err)
}

// reconcile records what somebody typed into feature_flags, as a change of its own.
func (a *applying) reconcile(ctx context.Context) error {
	found, err := readFlags(ctx, a.q)
	if err != nil || sameFlags(found, a.state.Flags) {
		return err
	}
	result, err := a.state.Apply(rollout.DirectFlags{Found: found}, rollout.Context{Actor: databaseActor, At: a.at})
	if err != nil {
		return fmt.Errorf("recording a change of feature_flags: %w", err)
	}
	_, err = a.write(ctx, databaseActor, "", result)
	return err
}

// write writes a new state, its history row and its audit entry.
func (a *applying) write(ctx context.Context, actor rollout.Actor, note string, result rollout.Result) (rollout.Result, error) {
	document, err := encodeState(result.State)
	if err != nil {
		return result, err
	}
	revision := result.State.Revision
	n, err := a.q.SetClock(ctx, gen.SetClockParams{Lineage: result.State.Lineage, Revision: revision, Document: document, Was: a.state.Revision})
	if err != nil {
		return result, failed("writing the state", err)
	}
	if n != 1 {
		return result, fmt.Errorf("%w: the state moved from revision %d although it was locked", ErrDatabase, a.state.Revision)
	}
	if result.State.Lineage != a.state.Lineage {
		if err := a.q.TrustAgain(ctx); err != nil {
			return result, failed("accepting the restore", err)
		}
	}
	if result.StageEntry {
		if err := a.writeHistory(ctx, result.State); err != nil {
			return result, failed("writing the history", err)
		}
	}
	entry := AuditEntry{
		Revision: revision, At: a.at, Actor: actor.Name, Role: actor.Role, Action: result.Action, Subject: result.Subject,
		Before: result.Before, After: result.After, Note: note, Warnings: append([]string{}, result.Warnings...), Source: actor.Source,
		StateDigest: digestOf(document),
	}
	if a.behind {
		entry.Warnings = append(entry.Warnings, behindTheLog+": see 'nlpcanary audit verify'")
	}
	written, err := appendAudit(ctx, a.q, entry)
	if err != nil {
		return result, err
	}
	a.behind = false
	a.state, a.written = result.State, &written
	result.Warnings = written.warnings
	return result, nil
}

func (a *applying) writeHistory(ctx context.Context, state rollout.State) error {
	r := state.Rollout
	return a.q.InsertHistory(ctx, gen.InsertHistoryParams{
		Stage: int32(r.Stage), Percentage: int32(r.Percentage), Rollout: r.Name, Revision: state.Revision,
		UpdatedAt: sql.NullTime{Time: r.UpdatedAt, Valid: true}, UpdatedBy: r.UpdatedBy,
		Notes: sql.NullString{String: r.Notes, Valid: true},
	})
}

// settle finds out whether a change was made whose COMMIT failed: the connection
// may have broken after the server had done it. Taking the lock waits until the
// lost transaction is over either way.
func (s *Store) settle(ctx context.Context, written *writtenEntry, commitErr error) error {
	if written == nil {
		return commitErr // nothing but an idempotency record was at stake
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	made := false
	err := s.transact(ctx, "finding out whether the change was made", func(q *gen.Queries) (bool, error) {
		if _, err := q.LockClock(ctx); err != nil {
			return false, err
		}
		row, err := q.GetAudit(ctx, written.revision)
		if errors.Is(err, sql.ErrNoRows) {
			return false, nil
		}
		made = err == nil && string(row.Leaf) == string(written.leaf[:])
		return false, err
	})
	switch {
	case err != nil:
		return fmt.Errorf("%w: look at the status before repeating it: %w", ErrUnknownOutcome, commitErr)
	case made:
		return nil
	}
	return commitErr
}
