package store

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// fillable is an SQLite database whose disk can be filled and emptied.
type fillable struct {
	store       *Store
	fill, empty func()
}

// What a full disk does: changes fail and say why, nothing is half
// made, reads go on, and all is well when there is space again, without a restart.
func wantSurvivesFullDisk(t *testing.T, f fillable) {
	t.Helper()
	s := f.store
	mustApply(t, s, Request{Change: rollout.Rollback{Target: rollout.HalfRollout}, Actor: operator("ann"), Note: "before"})
	book := ledger{made: map[string]int64{}, unknown: map[string]bool{}}
	for round := range 3 {
		f.fill()
		// What is left of the last page may hold one change more, or two.
		made, err := 0, error(nil)
		for ; err == nil && made < 1000; made++ {
			_, err = s.Apply(t.Context(), Request{Change: rollout.ClearCache{}, Actor: operator("ann")})
		}
		wantFull(t, "a change", err)
		before := mustState(t, s)
		_, err = s.Apply(t.Context(), Request{Change: rollout.Rollback{Target: rollout.Disabled}, Actor: operator("ann"), Note: strings.Repeat("n", 2000)})
		wantFull(t, "a rollback", err)
		if after := mustState(t, s); documentOf(after) != documentOf(before) {
			t.Errorf("the state is at revision %d after a change that failed at %d", after.Revision, before.Revision)
		}
		if _, err := s.Renew(t.Context(), follow.Heartbeat{Instance: "i1", Lease: follow.DefaultLease}); err != nil {
			wantFull(t, "a renewal", err)
		}
		// A command that only looks, in a process of its own, gets its answer too.
		other, err := Open(t.Context(), "sqlite:"+s.at.path, Options{})
		if err != nil {
			t.Fatal(err)
		}
		mustState(t, other)
		closeNow(t, other)
		wantWhole(t, s)

		f.empty()
		note := "space again " + strconv.Itoa(round)
		applied := mustApply(t, s, Request{Change: rollout.ClearCache{}, Actor: operator("ann"), Note: note})
		book.made[note] = applied.State.Revision
		if applied.State.Revision != before.Revision+1 {
			t.Errorf("revision %d comes after %d", applied.State.Revision, before.Revision)
		}
		renew(t, s, follow.Version{})
		wantWhole(t, s)
	}
	book.unknown["before"] = true
	book.want(t, s)
}

func wantFull(t *testing.T, what string, err error) {
	t.Helper()
	t.Logf("%s: %v", what, err)
	if !errors.Is(err, ErrDatabase) || errors.Is(err, ErrUnknownOutcome) || refusalCode(err) != "" {
		t.Errorf("%s on a full disk: %v", what, err)
	}
	if err != nil && !strings.Contains(err.Error(), "disk is full") {
		t.Errorf("%s does not say that the disk is full: %v", what, err)
	}
}

// SQLite is told that the file may not grow, which it reports as it reports a full
// disk. This works everywhere; TestFullFileSystem is the real thing.
func TestFullDatabase(t *testing.T) {
	s := (&database{dialect: SQLite, url: newURL(t, SQLite)}).open(t)
	wantSurvivesFullDisk(t, fillable{
		store: s,
		fill: func() {
			var limit string
			pages := s.scalar(t, "PRAGMA page_count")
			if err := s.write.QueryRowContext(t.Context(), "PRAGMA max_page_count = "+pages).Scan(&limit); err != nil || limit != pages {
				t.Fatalf("limit = %s, %v", limit, err)
			}
		},
		empty: func() { s.sql(t, "PRAGMA max_page_count = 1000000") },
	})
}

// smallDisk is a directory on a file system of a megabyte or two, in the process that
// is told by the environment; see fullfilesystem_linux_test.go.
func smallDisk(t *testing.T, dir string) fillable {
	t.Helper()
	ballast := filepath.Join(dir, "ballast")
	s := (&database{dialect: SQLite, url: "sqlite:" + filepath.Join(dir, "test.db")}).open(t)
	return fillable{
		store: s,
		fill: func() {
			file, err := os.Create(ballast)
			if err != nil {
				t.Fatal(err)
			}
			for _, size := range []int{4096, 512} {
				for err = nil; err == nil; {
					_, err = file.Write(make([]byte, size))
				}
			}
			if err := file.Close(); err != nil {
				t.Fatal(err)
			}
		},
		empty: func() {
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
		},
	}
}
