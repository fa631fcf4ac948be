package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// ErrUnreachable says that nothing is known against the database but that it does not
// answer, or not yet. Waiting for it makes sense; for one that refuses a password it
// does not.
var ErrUnreachable = errors.New("the database cannot be reached")

// unreachableError marks an error without changing what it says.
type unreachableError struct{ error }

func (e unreachableError) Unwrap() error        { return e.error }
func (e unreachableError) Is(target error) bool { return target == ErrUnreachable }

// silent reports whether an error is that of a PostgreSQL server that is not there, is
// on its way up or down, or is not the primary (yet).
func silent(err error) bool {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		switch server.Code {
		case "57P01", "57P02", "57P03", // shutting down, crashed, cannot connect now
			"53300", // too many connections
			"25006": // read-only: a replica, or a primary that is being demoted
			return true
		}
		return false
	}
	var network net.Error
	if errors.As(err, &network) || errors.Is(err, context.DeadlineExceeded) {
		return true
	}
	for _, lost := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, lost) {
			return true
		}
	}
	return false
}

// Absent stands for a database that cannot be reached: every operation fails at once,
// with the cause, which is the error of [Open]. An instance serves old by it until the
// database comes. Its secrets are random: nothing made with them is of any later use.
func Absent(url string, cause error) (*Store, error) {
	at, err := parseLocation(url)
	if err != nil {
		return nil, err
	}
	s := &Store{at: at, now: time.Now, absence: cause}
	for _, secret := range []*[]byte{&s.secrets.UserKey, &s.secrets.OutcomeID, &s.signer} {
		*secret = make([]byte, secretSize)
		rand.Read(*secret) // never fails
	}
	s.write = sql.OpenDB(refusal{cause})
	s.read, s.beat, s.renew = s.write, s.write, s.write
	return s, nil
}

// Absence is why the database is absent; nil for a store that was opened.
func (s *Store) Absence() error { return s.absence }

// refusal is a driver of connections that cannot be made.
type refusal struct{ cause error }

func (r refusal) Connect(context.Context) (driver.Conn, error) { return nil, r.cause }
func (r refusal) Driver() driver.Driver                        { return r }
func (r refusal) Open(string) (driver.Conn, error)             { return nil, r.cause }

// Installation names the installation that the database belongs to, without giving
// away its secrets.
func (s *Store) Installation() string {
	sum := sha256.Sum256(append([]byte("nlpcanary installation\n"), s.secrets.UserKey...))
	return hex.EncodeToString(sum[:8])
}
