package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"runtime"

	_ "modernc.org/sqlite" // registers the driver "sqlite"
)

// openSQLite opens the database file. Only with create does it come into being
// if it is not there, readable by its owner alone: it holds secrets.
func (s *Store) openSQLite(ctx context.Context, create bool) error {
	if create {
		if err := createFile(s.at.path); err != nil {
			return failed("creating the database", err)
		}
	} else if _, err := os.Stat(s.at.path); errors.Is(err, fs.ErrNotExist) {
		return notMigrated("there is no database " + s.at.String())
	} else if err != nil {
		return failed("opening the database", err)
	}
	var err error
	if s.write, err = sql.Open("sqlite", sqliteDSN(s.at.path, false)); err != nil {
		return failed("opening the database", err)
	}
	s.write.SetMaxOpenConns(1)
	if s.read, err = sql.Open("sqlite", sqliteDSN(s.at.path, true)); err != nil {
		return failed("opening the database", err)
	}
	s.read.SetMaxOpenConns(readers())
	s.keepIdle()
	s.beat = s.write
	s.replaced.opened, _ = os.Stat(s.at.path) // not knowing only costs new connections
	if !create {
		return nil
	}
	// The mode stays in the file. Readers and the writer do not block each other.
	var mode string
	if err := s.write.QueryRowContext(ctx, "PRAGMA journal_mode = wal").Scan(&mode); err != nil {
		return failed("opening the database", err)
	}
	if mode != "wal" {
		return fmt.Errorf("%w: the file system of %s does not support SQLite's write-ahead log; use a local disk", ErrDatabase, s.at)
	}
	return nil
}

// readers is how many may read at once.
func readers() int { return max(4, runtime.GOMAXPROCS(0)) }

// keepIdle keeps connections open for the next one who needs them.
func (s *Store) keepIdle() {
	s.write.SetMaxIdleConns(1)
	s.read.SetMaxIdleConns(readers())
}

func createFile(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return file.Close()
}

// sqliteDSN is the driver's name for the database and how each connection is set up.
func sqliteDSN(path string, readOnly bool) string {
	query := url.Values{
		"mode": {"rw"}, // never create
		"_pragma": {
			// Other processes' writers are waited for; ours queue in the pool.
			"busy_timeout(5000)",
			// An acknowledged change survives a power cut.
			"synchronous(full)",
			"foreign_keys(on)",
		},
		// A transaction that means to write takes the write lock when it begins:
		// one that took it later could not be let in if another wrote meanwhile.
		"_txlock": {"immediate"},
		// The times of the mission's tables, as SQLite's own functions read them.
		"_time_format": {"sqlite"},
		"_timezone":    {"UTC"},
	}
	if readOnly {
		query["_pragma"] = append(query["_pragma"], "query_only(on)")
	}
	u := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: query.Encode()}
	return u.String()
}
