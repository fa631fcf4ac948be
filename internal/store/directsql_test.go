package store

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/rollout"
)

func renew(tb testing.TB, s *Store, known follow.Version) follow.Renewal {
	tb.Helper()
	renewal, err := s.Renew(tb.Context(), follow.Heartbeat{Instance: "i1", Lease: follow.DefaultLease, Honours: known.Revision, Known: known})
	if err != nil {
		tb.Fatalf("Renew: %v", err)
	}
	return renewal
}

func TestEmergencySQLHoldsAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		s := d.open(t)
		known := renew(t, s, follow.Version{}).Version
		s.sql(t, kill)
		renewal := renew(t, s, known)
		if renewal.State == nil || renewal.State.NewArchitectureEnabled() || renewal.Version.Revision != known.Revision {
			t.Fatalf("the next renewal = %+v", renewal)
		}
		if mustState(t, s).NewArchitectureEnabled() {
			t.Error("State has not seen it")
		}
		if err := s.Reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
		entry := mustAudit(t, s, AuditQuery{})[0]
		if entry.Revision != 2 || entry.Action != rollout.ActionFlagDirect || entry.Actor != "database" || entry.Source != rollout.SourceDatabase ||
			entry.Subject != "flag/"+rollout.KillSwitch || string(entry.Before) != `{"`+rollout.KillSwitch+`":true}` || string(entry.After) != `{"`+rollout.KillSwitch+`":false}` {
			t.Errorf("audit entry = %+v, before %s, after %s", entry, entry.Before, entry.After)
		}
		if state := mustState(t, s); state.Revision != 2 || state.Rollout.Epoch != 2 || state.NewArchitectureEnabled() {
			t.Errorf("state = %+v", state.Rollout)
		}
		wantSound(t, s)
	})
}

func TestDeletedKillSwitchIsOff(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		s := d.open(t)
		known := renew(t, s, follow.Version{}).Version
		s.sql(t, "DELETE FROM feature_flags")
		if renewal := renew(t, s, known); renewal.State == nil || renewal.State.NewArchitectureEnabled() {
			t.Error("a deleted kill switch lets users to new")
		}
		if err := s.Reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
		if state := mustState(t, s); state.NewArchitectureEnabled() || len(state.Flags) != 0 {
			t.Errorf("flags = %+v", state.Flags)
		}
		mustApply(t, s, Request{Change: rollout.CreateFlag{Name: rollout.KillSwitch, DefaultValue: true}, Actor: admin("ann")})
		if !mustState(t, s).NewArchitectureEnabled() {
			t.Error("the kill switch was put back and is off")
		}
		wantSound(t, s)
	})
}

func TestFlagInsertedBySQL(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		s := d.open(t)
		known := renew(t, s, follow.Version{}).Version
		s.sql(t, "INSERT INTO feature_flags (name, enabled, category) VALUES ('12+naïve-', true, 'by hand')")
		renewal := renew(t, s, known)
		if flag, ok := renewal.State.Flag("12+naïve-"); !ok || !flag.Enabled {
			t.Errorf("the renewal's flags = %+v", renewal.State.Flags)
		}
		mustApply(t, s, Request{Change: rollout.ClearCache{}, Actor: operator("ann")})
		if flag, ok := mustState(t, s).Flag("12+naïve-"); !ok || flag.Category != "by hand" || flag.CreatedAt.IsZero() {
			t.Errorf("flag = %+v", flag)
		}
		if revision := mustState(t, s).Revision; revision != 3 {
			t.Errorf("revision = %d, want one for the SQL and one for the change", revision)
		}
		// Nothing else looks changed, now or later.
		if err := s.Reconcile(t.Context()); err != nil || mustState(t, s).Revision != 3 {
			t.Errorf("Reconcile made revision %d, %v", mustState(t, s).Revision, err)
		}
		wantSound(t, s)
	})
}

func TestSQLThatChangesNothingIsNoChange(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		s := d.open(t)
		known := renew(t, s, follow.Version{}).Version
		s.sql(t, unkill)
		if renewal := renew(t, s, known); renewal.State != nil || renewal.Version != known {
			t.Errorf("renewal = %+v", renewal)
		}
	})
}

// A change based on the revision before the SQL is a conflict, and the SQL is on
// record afterwards: the caller looks again and gets through.
func TestChangeBasedOnStateBeforeSQL(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		s := d.open(t)
		mustApply(t, s, Request{Change: rollout.Rollback{Target: 1}, Actor: operator("ann")})
		s.sql(t, kill)
		request := Request{Change: rollout.Advance{}, Actor: admin("bob"), Base: mustState(t, s).Revision}
		var conflict *rollout.ConflictError
		if _, err := s.Apply(t.Context(), request); !errors.As(err, &conflict) || conflict.LastBy != "database" {
			t.Fatalf("advance based on the state before the SQL: %v", err)
		}
		request.Base = mustState(t, s).Revision
		if request.Base != 3 {
			t.Fatalf("revision = %d", request.Base)
		}
		if applied := mustApply(t, s, request); applied.Was.NewArchitectureEnabled() || len(applied.Warnings) == 0 {
			t.Errorf("applied = %+v", applied)
		}
		// A rollback needs no second attempt.
		s.sql(t, unkill)
		back := mustApply(t, s, Request{Change: rollout.Rollback{Target: 0}, Actor: operator("ann"), Base: 4})
		if back.State.Revision != 6 || back.State.Rollout.Stage != 0 {
			t.Errorf("rolled back to %+v", back.State.Rollout)
		}
		wantSound(t, s)
	})
}

// A psql session that has changed a flag and not yet committed must not hold up a
// rollback.
func TestOpenTransactionDoesNotBlockRollback(t *testing.T) {
	s := (&database{dialect: Postgres, url: newURL(t, Postgres)}).open(t)
	tx, err := s.write.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), kill); err != nil {
		t.Fatal(err)
	}
	mustApply(t, s, Request{Change: rollout.Rollback{Target: 0}, Actor: operator("ann")})
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := s.Reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	state := mustState(t, s)
	if state.Revision != 3 || state.NewArchitectureEnabled() || state.Rollout.Stage != 0 {
		t.Errorf("state = %+v", state)
	}
	wantSound(t, s)
}

func FuzzDecodeSwitches(f *testing.F) {
	for _, seed := range []string{"", "3+abc", "24-USE_NEW_NLP_ARCHITECTURE3+abc", "3+ab", "+", "99999999999999999999+a", "2+\xff\xfe", "1-a1+a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list, err := decodeSwitches(text)
		if err != nil {
			if !errors.Is(err, ErrDatabase) || list != nil {
				t.Errorf("error %v with %v", err, list)
			}
			return
		}
		for i, sw := range list {
			if i > 0 && list[i-1].name >= sw.name {
				t.Errorf("%q is not before %q", list[i-1].name, sw.name)
			}
		}
	})
}

func FuzzDecodeState(f *testing.F) {
	f.Add(`{"revision":1,"flags":[],"rollout":{"stage":4}}`, "24+USE_NEW_NLP_ARCHITECTURE")
	f.Add(`{}`, "")
	f.Add(`{"overrides":[{"user":"zz"}]}`, "")
	f.Add(`[]`, "1+a")
	f.Fuzz(func(t *testing.T, document, switches string) {
		state, err := stateOf(0, 7, document, switches)
		if err != nil {
			if !errors.Is(err, ErrDatabase) {
				t.Errorf("error %v", err)
			}
			return
		}
		if state.Revision != 7 {
			t.Errorf("revision %d", state.Revision)
		}
		if _, err := json.Marshal(state); err != nil {
			t.Errorf("cannot be encoded again: %v", err)
		}
	})
}
