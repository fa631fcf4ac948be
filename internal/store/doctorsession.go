package store

import (
	"context"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5"
)

const sessionHint = "connect past the pooler, or use its session mode: otherwise changes are not announced and come with the next poll only, " +
	"prepared statements fail unless the URL says default_query_exec_mode=simple_protocol, and a migration's lock may outlast it"

// rivals is how many transactions are held open while looking for a pooler.
const rivals = 2

// checkSession looks for a pooler in transaction mode, which gives one client's
// transactions to any of its server connections: a LISTEN, a prepared statement or
// a lock then stays behind on one of them. Other transactions are held open
// meanwhile, so that such a pooler has to move this one. Having seen it move is
// proof; not having seen it is not, where there is a pooler at all.
func (s *Store) checkSession(ctx context.Context) Check {
	const name = "session"
	conn, err := s.dial(ctx)
	if err != nil {
		return broken(name, err, "let nlpcanary open a few connections more")
	}
	defer hangUp(ctx, conn)
	first, err := serverProcess(ctx, conn)
	if err != nil {
		return broken(name, err, "")
	}
	for range rivals {
		rival, err := s.dial(ctx)
		if err != nil {
			return broken(name, err, "let nlpcanary open a few connections more")
		}
		defer hangUp(ctx, rival)
		if _, err := rival.PgConn().Exec(ctx, "BEGIN").ReadAll(); err != nil {
			return broken(name, err, "")
		}
		theirs, err := serverProcess(ctx, rival)
		if err != nil {
			return broken(name, err, "")
		}
		again, err := serverProcess(ctx, conn)
		if err != nil {
			return broken(name, err, "")
		}
		if theirs == first || again != first {
			return Check{Name: name, Detail: "a pooler in transaction mode: one connection is served by several server processes", Hint: sessionHint}
		}
	}
	// A pooler gives its clients numbers of its own to cancel by.
	if conn.PgConn().PID() != first {
		return Check{Name: name, OK: true, Detail: fmt.Sprintf("a pooler that kept its sessions while %d others were busy", rivals)}
	}
	return Check{Name: name, OK: true, Detail: "each connection has a server process of its own"}
}

// serverProcess asks which process of the server answers, by the simple protocol:
// it is the only one that every pooler carries.
func serverProcess(ctx context.Context, conn *pgx.Conn) (uint32, error) {
	results, err := conn.PgConn().Exec(ctx, "SELECT pg_backend_pid()").ReadAll()
	if err != nil {
		return 0, failed("asking for the server process", err)
	}
	if len(results) != 1 || len(results[0].Rows) != 1 || len(results[0].Rows[0]) != 1 {
		return 0, fmt.Errorf("%w: the server does not say which of its processes answers", ErrDatabase)
	}
	pid, err := strconv.ParseUint(string(results[0].Rows[0][0]), 10, 32)
	return uint32(pid), failed("reading the server process", err)
}

func hangUp(ctx context.Context, conn *pgx.Conn) { _ = conn.Close(context.WithoutCancel(ctx)) }
