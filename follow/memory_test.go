package follow_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/rollout"
)

func TestOlderThan(t *testing.T) {
	seen := follow.Version{Lineage: 5, Revision: 12, FlagChanges: 3}
	for _, c := range []struct {
		found follow.Version
		older bool
	}{
		{seen, false},
		{follow.Version{Lineage: 5, Revision: 13}, false},
		{follow.Version{Lineage: 5, Revision: 12, FlagChanges: 4}, false},
		{follow.Version{Lineage: 6, Revision: 1}, false},
		{follow.Version{Lineage: 5, Revision: 11, FlagChanges: 9}, true},
		{follow.Version{Lineage: 5, Revision: 12, FlagChanges: 2}, true},
		{follow.Version{Lineage: 4, Revision: 99, FlagChanges: 9}, true},
		{follow.Version{}, true},
	} {
		if got := c.found.OlderThan(seen); got != c.older {
			t.Errorf("%s older than %s = %v", c.found, seen, got)
		}
	}
}

// What an instance has seen outlives it, if it has a memory that can be read.
func TestMemoryOutlivesTheInstance(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(t *testing.T, memory string)
		valid bool
	}{
		"kept":      {func(*testing.T, string) {}, false},
		"lost":      {func(t *testing.T, memory string) { mustDo(t, os.Remove(memory)) }, true},
		"destroyed": {func(t *testing.T, memory string) { mustDo(t, os.WriteFile(memory, []byte("{"), 0o600)) }, true},
	} {
		t.Run(name, func(t *testing.T) {
			memory := filepath.Join(t.TempDir(), "seen")
			synctest.Test(t, func(t *testing.T) {
				s := newSource()
				before := s.state
				remember := func(c *follow.Config) { c.Memory = memory }
				f := start(t, s, remember)
				s.apply(t, rollout.Rollback{Target: rollout.Disabled}, false)
				time.Sleep(time.Second)
				if err := f.Close(); err != nil {
					t.Fatal(err)
				}
				c.spoil(t, memory)
				s.set(func(s *source) { s.state = before }) // restored from a backup: 100 %
				again := start(t, s, remember)
				time.Sleep(4 * time.Second)
				status := again.Status()
				if status.Valid != c.valid || errors.Is(status.LastError, follow.ErrWentBack) == c.valid {
					t.Errorf("valid %v, %v", status.Valid, status.LastError)
				}
				if c.valid {
					return
				}
				// A newer lineage is a person's word that it is right.
				s.set(func(s *source) { s.state.Lineage = 7 })
				time.Sleep(time.Second)
				wantDecision(t, again, rollout.New, rollout.ReasonStatic)
			})
		})
	}
}

// A memory that cannot be written keeps nobody from being served.
func TestServesWithoutAMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, newSource(), func(c *follow.Config) { c.Memory = filepath.Join(t.TempDir(), "missing", "seen") })
		time.Sleep(time.Second)
		wantDecision(t, f, rollout.New, rollout.ReasonStatic)
	})
}

func mustDo(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
