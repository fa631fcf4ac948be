package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/internal/store/gen"
)

// Store is an open database. Make one with [Open]; it is safe for concurrent use.
type Store struct {
	at  location
	now func() time.Time

	// write runs everything that changes something. On SQLite it is one
	// connection: writers queue here rather than at the database's lock, where
	// they would be turned away as busy.
	write *sql.DB
	// read runs everything that only reads. On PostgreSQL it is the same pool.
	read *sql.DB
	// beat runs the renewals, so that they never wait for a connection behind
	// reports and statistics. On SQLite it is write, whose transactions are short.
	beat *sql.DB
	// renew holds the renewal, ready to run.
	renew gen.DBTX

	secrets  Secrets
	signer   []byte // seed of the key that signs the audit trail's heads
	wakes    wakes
	forgotAt forgetting
	replaced replacement
	absence  error // see Absent
}

var _ follow.Source = (*Store)(nil)

// Open opens "sqlite:PATH" or "postgres://...". An error that matches [ErrUnreachable]
// may be gone after a while.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	at, err := parseLocation(url)
	if err != nil {
		return nil, err
	}
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	s := &Store{at: at, now: o.Now}
	if s.now == nil {
		s.now = time.Now
	}
	switch at.dialect {
	case SQLite:
		err = s.openSQLite(ctx, o.Migrate)
	case Postgres:
		err = s.openPostgres(ctx)
	}
	if err == nil {
		err = s.prepare(ctx, o.Migrate)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// prepare brings or checks the schema and reads what every operation needs.
func (s *Store) prepare(ctx context.Context, migrate bool) error {
	if migrate {
		if err := s.migrate(ctx); err != nil {
			return err
		}
	} else if err := s.checkSchema(ctx); err != nil {
		return err
	}
	if err := s.readSecrets(ctx); err != nil {
		return err
	}
	return s.prepareRenewal(ctx)
}

func (s *Store) readSecrets(ctx context.Context) error {
	q := gen.New(s.read)
	for name, secret := range map[string]*[]byte{
		secretUserKey:   &s.secrets.UserKey,
		secretOutcomeID: &s.secrets.OutcomeID,
		secretSigner:    &s.signer,
	} {
		value, err := q.GetSecret(ctx, name)
		if err != nil {
			return failed("reading the secret "+name, err)
		}
		if len(value) != secretSize {
			return fmt.Errorf("%w: the secret %s has %d bytes, not %d", ErrDatabase, name, len(value), secretSize)
		}
		*secret = value
	}
	return nil
}

// Close closes all connections. Operations under way fail.
func (s *Store) Close() error {
	var errs []error
	for _, db := range []*sql.DB{s.beat, s.read, s.write} {
		if db != nil {
			errs = append(errs, db.Close()) // closing twice is harmless
		}
	}
	return errors.Join(errs...)
}

// Ping reports whether the database answers.
func (s *Store) Ping(ctx context.Context) error {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	_, err := gen.New(s.read).Version(ctx)
	return failed("reaching the database", err)
}

// Dialect is [SQLite] or [Postgres].
func (s *Store) Dialect() string { return s.at.dialect }

// Location names the database without its password.
func (s *Store) Location() string { return s.at.String() }

// Secrets are the installation's keys.
func (s *Store) Secrets() Secrets { return s.secrets }

// letGo makes PostgreSQL end a transaction whose client has stopped, been suspended or
// been cut off in the middle of it: it holds the lock that a rollback needs. Set here and
// not when connecting, because poolers refuse settings that they do not know.
const letGo = "SET LOCAL idle_in_transaction_session_timeout = '3s'"

// transact runs work in a transaction that writes, and commits if it returns true.
func (s *Store) transact(ctx context.Context, doing string, work func(*gen.Queries) (commit bool, err error)) error {
	s.noticeReplacement()
	// Read committed, whatever the database's default: each statement after the
	// one that took the lock must see what the lock's last holder wrote.
	tx, err := s.write.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return failed(doing, err)
	}
	if s.at.dialect == Postgres {
		if _, err := tx.ExecContext(ctx, letGo); err != nil {
			_ = tx.Rollback()
			return failed(doing, err)
		}
	}
	commit, err := work(gen.New(tx))
	if !commit {
		// The connection goes back to the pool either way; what counts is err.
		_ = tx.Rollback()
		return err
	}
	if commitErr := tx.Commit(); commitErr != nil {
		return &commitError{failed(doing, commitErr)}
	}
	return err
}

// snapshot runs work on one unchanging view of the database.
func (s *Store) snapshot(ctx context.Context, doing string, work func(*gen.Queries) error) error {
	tx, err := s.read.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return failed(doing, err)
	}
	defer func() { _ = tx.Rollback() }() // nothing was written
	return work(gen.New(tx))
}

// commitError is the error of a COMMIT: it may have happened nevertheless.
type commitError struct{ err error }

func (e *commitError) Error() string { return e.err.Error() }
func (e *commitError) Unwrap() error { return e.err }

const microsecond = int64(time.Microsecond)

func fromMicros(us int64) time.Time { return time.UnixMicro(us).UTC() }
