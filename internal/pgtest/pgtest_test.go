package pgtest

import (
	"context"
	"database/sql"
	"testing"
)

func TestDatabasesOfOneClusterAreSeparate(t *testing.T) {
	c := Start(t)
	first, second := open(t, c.NewDatabase(t)), open(t, c.NewDatabase(t))
	mustExec(t, first, "CREATE TABLE note (body TEXT)")
	mustExec(t, second, "CREATE TABLE note (body TEXT)") // would fail in the same database
	if again := Start(t); again != c {
		t.Error("a second Start made a second cluster")
	}
}

func TestNewDatabaseInParallel(t *testing.T) {
	for range 4 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			mustExec(t, open(t, Start(t).NewDatabase(t)), "CREATE TABLE note (body TEXT)")
		})
	}
}

func TestDurableClusterKeepsWhatItCommittedWhenKilled(t *testing.T) {
	c := StartOwn(t, Config{Durable: true})
	db := open(t, c.NewDatabase(t))
	mustExec(t, db, "CREATE TABLE note (body TEXT)")
	mustExec(t, db, "INSERT INTO note VALUES ('kept')")

	c.Kill(t)
	if err := db.PingContext(t.Context()); err == nil {
		t.Fatal("the killed server answers")
	}
	c.Restart(t)
	if got := note(t, db); got != "kept" {
		t.Errorf("after a kill the note is %q", got)
	}

	c.Stop(t)
	c.Stop(t) // stopping what is down is no error
	c.Restart(t)
	if got := note(t, db); got != "kept" {
		t.Errorf("after a stop the note is %q", got)
	}

	var fsync string
	if err := db.QueryRowContext(t.Context(), "SHOW fsync").Scan(&fsync); err != nil || fsync != "on" {
		t.Errorf("fsync is %q, %v", fsync, err)
	}
}

func open(t *testing.T, url string) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func mustExec(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

// note reads the one note. Connections that broke in the pool are noticed only
// when they are used, so the first attempts may fail.
func note(t *testing.T, db *sql.DB) (body string) {
	t.Helper()
	var err error
	for range 5 {
		if err = db.QueryRowContext(context.Background(), "SELECT body FROM note").Scan(&body); err == nil {
			return body
		}
	}
	t.Fatal(err)
	return ""
}
