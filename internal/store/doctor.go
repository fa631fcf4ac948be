package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nlpcanary/nlpcanary/follow"
)

// Check is one thing that Doctor looked at.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"` // what to do, where it is not OK
}

// slowWrite is from which time on a renewal's write is too slow to leave room for
// several renewals within a lease.
const slowWrite = 250 * time.Millisecond

// Doctor checks what the guarantees rest on, as far as the database and this machine
// can tell.
func (s *Store) Doctor(ctx context.Context) []Check {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	checks := []Check{s.checkReachable(ctx)}
	if !checks[0].OK {
		return checks
	}
	checks = append(checks, s.checkVersion(ctx), s.checkWrite(ctx), s.checkLineage(ctx))
	if s.at.dialect == SQLite {
		checks = append(checks, s.checkSQLite(ctx)...)
	} else {
		checks = append(checks, s.checkPostgres(ctx)...)
		checks = append(checks, s.checkSession(ctx))
	}
	if clock, known := checkClock(clockSources); known {
		checks = append(checks, clock)
	}
	return append(checks, s.checkAudit(ctx))
}

func broken(name string, err error, hint string) Check {
	return Check{Name: name, Detail: err.Error(), Hint: hint}
}

func (s *Store) checkReachable(ctx context.Context) Check {
	began := time.Now()
	if err := s.Ping(ctx); err != nil {
		return broken("database", err, "check the URL, the network and that the server runs")
	}
	return Check{Name: "database", OK: true, Detail: fmt.Sprintf("%s answers in %s", s.Location(), round(time.Since(began)))}
}

func (s *Store) checkVersion(ctx context.Context) Check {
	err := s.checkSchema(ctx)
	switch version, _ := s.schema(ctx); {
	case err == nil:
		return Check{Name: "schema", OK: true, Detail: fmt.Sprintf("version %d", version)}
	case errors.Is(err, ErrNewerSchema):
		return broken("schema", err, "use the newer nlpcanary everywhere")
	default:
		return broken("schema", err, "run 'nlpcanary migrate'")
	}
}

// checkWrite makes one write like a renewal's. It leaves the list of instances as it was.
func (s *Store) checkWrite(ctx context.Context) Check {
	const instance = "doctor"
	beat := follow.Heartbeat{Instance: instance, StartedAt: s.now()}
	if _, err := s.Renew(ctx, beat); err != nil && !errors.Is(err, follow.ErrWentBack) { // connects, if need be
		return broken("write", err, "the database must accept writes: leases are renewed by writing")
	}
	began := time.Now()
	_, err := s.Renew(ctx, beat)
	took := time.Since(began)
	if errors.Is(err, follow.ErrWentBack) {
		err = nil // it has written; checkLineage tells of the rest
	}
	if err := errors.Join(err, s.Leave(ctx, instance)); err != nil {
		return broken("write", err, "the database must accept writes: leases are renewed by writing")
	}
	check := Check{Name: "write", OK: took < slowWrite, Detail: "a renewal takes " + round(took).String()}
	if !check.OK {
		check.Hint = "use a faster disk, or move the database nearer: renewals this slow make leases lapse"
	}
	return check
}

// checkLineage tells whether an instance has seen what this database has lost.
func (s *Store) checkLineage(ctx context.Context) Check {
	const name = "history"
	switch why, err := s.Distrust(ctx); {
	case err != nil:
		return broken(name, err, "")
	case why != "":
		return Check{Name: name, Detail: "the database went back: " + why, Hint: "everyone gets old; roll back if in doubt, and then run 'nlpcanary accept-restore' if this is the right database"}
	}
	return Check{Name: name, OK: true, Detail: "no instance has seen a newer state than this database's"}
}

func (s *Store) checkAudit(ctx context.Context) Check {
	report, err := s.VerifyAudit(ctx, "")
	switch {
	case err != nil:
		return broken("audit", err, "")
	case !report.OK:
		return Check{Name: "audit", Detail: fmt.Sprintf("revision %d: %s", report.FirstBad, report.Problem), Hint: "find out who changed the database; advancing is blocked, rolling back is not"}
	}
	return Check{Name: "audit", OK: true, Detail: fmt.Sprintf("%d entries verify", report.Entries)}
}

func (s *Store) checkSQLite(ctx context.Context) []Check {
	setting := func(name, pragma, want, hint string) Check {
		var is string
		if err := s.write.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&is); err != nil {
			return broken(name, err, hint)
		}
		check := Check{Name: name, OK: is == want, Detail: pragma + " = " + is}
		if !check.OK {
			check.Hint = hint
		}
		return check
	}
	checks := []Check{
		setting("journal", "journal_mode", "wal", "run 'nlpcanary migrate' with nothing else using the file, on a local disk"),
		setting("durability", "synchronous", "2", "a change may be lost in a power cut"),
		s.checkFile(),
	}
	if space, known := s.checkSpace(); known {
		checks = append(checks, space)
	}
	return checks
}

func (s *Store) checkFile() Check {
	info, err := os.Stat(s.at.path)
	if err != nil {
		return broken("file", err, "")
	}
	check := Check{Name: "file", OK: info.Mode().Perm()&0o077 == 0, Detail: fmt.Sprintf("%s has mode %04o", s.at.path, info.Mode().Perm())}
	if !check.OK {
		check.Hint = "the file holds secrets: chmod 600 it"
	}
	return check
}

func (s *Store) checkPostgres(ctx context.Context) []Check {
	// Each setting, its acceptable values, and what is at stake. No value given means
	// that every one is fine.
	settings := []struct {
		name, query string
		want        func(string) bool
		hint        string
	}{
		{"server", "SHOW server_version", func(string) bool { return true }, ""},
		{"primary", "SELECT CASE WHEN pg_is_in_recovery() THEN 'a replica, in recovery' ELSE 'not in recovery' END",
			func(v string) bool { return v == "not in recovery" }, "connect to the primary: a replica cannot renew leases"},
		{"writable", "SELECT 'default_transaction_read_only = ' || current_setting('default_transaction_read_only')",
			func(v string) bool { return v == "default_transaction_read_only = off" }, "connect to a database that accepts writes"},
		{"durability", "SELECT 'fsync = ' || current_setting('fsync') || ', synchronous_commit = ' || current_setting('synchronous_commit')",
			func(v string) bool {
				return v == "fsync = on, synchronous_commit = on" || v == "fsync = on, synchronous_commit = remote_apply" || v == "fsync = on, synchronous_commit = remote_write"
			}, "an acknowledged change may be lost in a crash: set fsync and synchronous_commit to on"},
		{"replication", `SELECT CASE
			WHEN NOT EXISTS (SELECT 1 FROM pg_stat_replication) THEN 'no replica is connected'
			WHEN current_setting('synchronous_standby_names') <> '' THEN 'synchronous'
			ELSE 'asynchronous replicas' END`,
			func(v string) bool { return v != "asynchronous replicas" }, "after a failover to an asynchronous replica an acknowledged rollback may be gone: set synchronous_standby_names"},
	}
	checks := make([]Check, 0, len(settings))
	for _, setting := range settings {
		check := Check{Name: setting.name}
		if err := s.read.QueryRowContext(ctx, setting.query).Scan(&check.Detail); err != nil {
			checks = append(checks, broken(setting.name, err, ""))
			continue
		}
		if check.OK = setting.want(check.Detail); !check.OK {
			check.Hint = setting.hint
		}
		checks = append(checks, check)
	}
	return checks
}

func round(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
