package store

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// renew renews as an instance does that holds and has seen what an earlier answer brought.
func (s *Store) renewAfter(t *testing.T, instance string, seen follow.Renewal) (follow.Renewal, error) {
	t.Helper()
	return s.Renew(t.Context(), follow.Heartbeat{
		Instance: instance, Lease: time.Second, Honours: seen.Version.Revision, Known: seen.Version,
		Seen: follow.Seen{Version: seen.Version, Mark: seen.Mark},
	})
}

func TestRenewRefusesWhatWentBack(t *testing.T) {
	higher := func(r follow.Renewal) follow.Renewal { r.Version.Revision += 3; return r }
	for name, c := range map[string]struct {
		seen   func(follow.Renewal) follow.Renewal
		refuse bool
	}{
		"what stands":         {func(r follow.Renewal) follow.Renewal { return r }, false},
		"a revision to come":  {higher, true},
		"more changes by SQL": {func(r follow.Renewal) follow.Renewal { r.Version.FlagChanges++; return r }, true},
		"another lineage":     {func(r follow.Renewal) follow.Renewal { r.Version.Lineage++; return r }, true},
		"another history":     {func(r follow.Renewal) follow.Renewal { r.Mark = "another"; return r }, true},
		"a history unmarked":  {func(r follow.Renewal) follow.Renewal { r.Mark = ""; return r }, false},
		"nothing":             {func(follow.Renewal) follow.Renewal { return follow.Renewal{} }, false},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, d *database) {
				s := d.open(t)
				mustApply(t, s, Request{Change: rollout.ClearCache{}, Actor: operator("ann")})
				stands, err := s.renewAfter(t, "one", follow.Renewal{})
				if err != nil {
					t.Fatal(err)
				}
				_, err = s.renewAfter(t, "one", c.seen(stands))
				if errors.Is(err, follow.ErrWentBack) != c.refuse || !c.refuse && err != nil {
					t.Fatalf("%v", err)
				}
				why, err := s.Distrust(t.Context())
				if err != nil || (why != "") != c.refuse {
					t.Errorf("distrust %q, %v", why, err)
				}
				// One that has seen nothing is told, until a person accepts the database.
				_, err = s.renewAfter(t, "two", follow.Renewal{})
				if errors.Is(err, follow.ErrWentBack) != c.refuse || c.refuse && !strings.Contains(err.Error(), "instance one has seen") {
					t.Errorf("another instance: %v", err)
				}
				accepted := mustApply(t, s, Request{Change: rollout.AcceptRestore{}, Actor: admin("ann")})
				for _, instance := range []string{"one", "two"} {
					r, err := s.renewAfter(t, instance, c.seen(stands))
					if err != nil || r.State == nil || r.Version.Lineage != accepted.State.Lineage || r.State.Lineage != accepted.State.Lineage {
						t.Errorf("after it was accepted: %+v, %v", r, err)
					}
				}
				wantWhole(t, s)
			})
		})
	}
}

// An instance that honours a revision of a history that was lost does not count as
// having confirmed a change of this one.
func TestALostRevisionConfirmsNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		s := d.open(t)
		lost := follow.Renewal{Version: follow.Version{Revision: 40}, Mark: "lost"}
		if _, err := s.renewAfter(t, "one", lost); !errors.Is(err, follow.ErrWentBack) {
			t.Fatal(err)
		}
		applied := mustApply(t, s, Request{Change: rollout.Rollback{Target: 0}, Actor: operator("ann")})
		began := time.Now()
		c, err := s.AwaitHonoured(t.Context(), applied.State.Revision, began, nil)
		if err != nil || !c.Complete || c.Elapsed < time.Second {
			t.Errorf("convergence %+v, %v: want it to wait for the end of the lease", c, err)
		}
	})
}

// A database of another installation, put in the place of the one that was opened, is
// refused; its own instances are left in peace.
func TestRenewRefusesAnotherInstallation(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		s := d.open(t)
		s.sql(t, "UPDATE nlpcanary_secrets SET value = $1 WHERE name = 'user_key'", make([]byte, secretSize))
		if _, err := s.renewAfter(t, "one", follow.Renewal{}); !errors.Is(err, follow.ErrWentBack) {
			t.Errorf("%v", err)
		}
		if why, err := s.Distrust(t.Context()); err != nil || why != "" {
			t.Errorf("distrust %q, %v", why, err)
		}
	})
}

// An SQLite file that is gone from its directory is not renewed on, although it is
// open; what stands in its place is opened.
func TestAReplacedFileIsNoticed(t *testing.T) {
	d := &database{dialect: SQLite, url: newURL(t, SQLite)}
	path := strings.TrimPrefix(d.url, "sqlite:")
	s := d.open(t)
	stands, err := s.renewAfter(t, "one", follow.Renewal{})
	if err != nil {
		t.Fatal(err)
	}
	s.sql(t, "VACUUM INTO $1", path+".copy")
	mustApply(t, s, Request{Change: rollout.Rollback{Target: 0}, Actor: operator("ann")})
	if err := os.Rename(path, path+".away"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.renewAfter(t, "one", stands); !errors.Is(err, ErrDatabase) {
		t.Errorf("renewed in a file that is not there: %v", err)
	}
	for _, beside := range []string{"-wal", "-shm"} {
		if err := os.Remove(path + beside); err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	if err := os.Rename(path+".copy", path); err != nil {
		t.Fatal(err)
	}
	found, err := s.renewAfter(t, "one", stands)
	if err != nil || found.Version != stands.Version {
		t.Errorf("after the copy was put in place: %+v, %v", found, err)
	}
	if state := mustState(t, s); state.Rollout.Stage != rollout.FullRollout {
		t.Errorf("the state is still of the file that is gone: stage %d", state.Rollout.Stage)
	}
}
