package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// failed says what the database failed at. The cause stays in the chain: a
// cancelled context matches both ErrDatabase and context.Canceled.
func failed(doing string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, ErrDatabase) {
		return fmt.Errorf("%s: %w", doing, err)
	}
	wrapped := fmt.Errorf("%s: %w: %w", doing, ErrDatabase, err)
	if silent(err) {
		return unreachableError{wrapped}
	}
	return wrapped
}

// patience bounds an operation whose caller set no deadline, so that a command
// does not hang for ever on a host that has gone silent.
const patience = 30 * time.Second

func withDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, patience)
}

// attempts is how often an operation is tried. After a restart of the server every
// connection that the pool kept is dead, and each costs an attempt.
const attempts = idleConnections + 2

// again repeats an operation that found its connection lost, or that the database
// chose to break a deadlock. It must be safe to repeat: nothing committed by the
// attempt that failed, or no harm in doing it twice.
func again(ctx context.Context, operation func() error) error {
	for left := attempts - 1; ; left-- {
		err := operation()
		if err == nil || left == 0 || ctx.Err() != nil || errors.Is(err, ErrUnknownOutcome) || !passing(err) {
			return err
		}
	}
}

// passing reports whether an error may be gone on a new connection.
func passing(err error) bool {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		switch server.Code {
		case "40001", "40P01", // serialization failure, deadlock
			"25P03",          // it was idle for too long, see letGo
			"57P01", "57P02": // the server was stopped, or one of its processes crashed
			return true
		}
		return false
	}
	var connecting *pgconn.ConnectError
	if errors.As(err, &connecting) {
		return false // it was a new connection that failed
	}
	for _, lost := range []error{driver.ErrBadConn, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, lost) {
			return true
		}
	}
	return pgconn.SafeToRetry(err)
}

// noTable reports whether an error says that a table does not exist.
func noTable(err error) bool {
	var server *pgconn.PgError
	if errors.As(err, &server) {
		return server.Code == "42P01"
	}
	return err != nil && strings.Contains(err.Error(), "no such table")
}
