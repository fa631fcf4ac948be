package store

import (
	"context"
	"database/sql"
	"sync/atomic"
	"time"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/internal/store/gen"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// Renew records a heartbeat by one write, and answers with the state as it stands
// when the write is made. See queries/state.sql for why the answer can be trusted.
func (s *Store) Renew(ctx context.Context, h follow.Heartbeat) (follow.Renewal, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	params := gen.RenewParams{
		ID: h.Instance, Region: string(h.Region), Version: h.Version, Address: h.Address,
		StartedAt: h.StartedAt.UnixMicro(), SeenAt: s.now().UnixMicro(), Honours: h.Honours,
		Lease: h.Lease.Microseconds(), BreakGlass: h.BreakGlass, CacheSize: int64(h.CacheSize),
		KnownLineage: h.Known.Lineage, KnownRevision: h.Known.Revision, KnownFlagChanges: h.Known.FlagChanges,
		SeenRevision: h.Seen.Version.Revision, UserKey: s.secrets.UserKey,
	}
	s.noticeReplacement()
	var row gen.RenewRow
	err := again(ctx, func() (err error) {
		row, err = gen.New(s.renew).Renew(ctx, params)
		return failed("renewing the lease", err)
	})
	if err != nil {
		return follow.Renewal{}, err
	}
	renewal := follow.Renewal{Version: follow.Version{Lineage: row.Lineage, Revision: row.ClockRevision, FlagChanges: row.FlagChanges}, Mark: row.Mark}
	if err := s.doubt(ctx, h, renewal.Version, row); err != nil {
		return follow.Renewal{}, err
	}
	if renewal.Version == h.Known {
		return renewal, nil
	}
	state, err := stateOf(row.Lineage, row.ClockRevision, row.Document, row.Switches)
	if err != nil {
		return follow.Renewal{}, err
	}
	renewal.State = &state
	return renewal, nil
}

// prepareRenewal makes the renewal ready to run. pgx keeps prepared statements for
// each connection by itself, and in a way that can be switched off in the URL for
// a pooler in transaction mode; SQLite's driver would parse it each time.
func (s *Store) prepareRenewal(ctx context.Context) error {
	if s.at.dialect == Postgres {
		s.renew = s.beat
		return nil
	}
	statement, err := s.beat.PrepareContext(ctx, gen.Renew)
	if err != nil {
		return failed("preparing the renewal", err)
	}
	s.renew = prepared{statement}
	return nil
}

// prepared runs one statement, whatever it is asked to run.
type prepared struct{ statement *sql.Stmt }

func (p prepared) QueryRowContext(ctx context.Context, _ string, args ...any) *sql.Row {
	return p.statement.QueryRowContext(ctx, args...)
}

func (p prepared) QueryContext(ctx context.Context, _ string, args ...any) (*sql.Rows, error) {
	return p.statement.QueryContext(ctx, args...)
}

func (p prepared) ExecContext(ctx context.Context, _ string, args ...any) (sql.Result, error) {
	return p.statement.ExecContext(ctx, args...)
}

func (p prepared) PrepareContext(context.Context, string) (*sql.Stmt, error) { return p.statement, nil }

// Leave takes an instance off the list.
func (s *Store) Leave(ctx context.Context, instance string) error {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	return failed("taking the instance off the list", gen.New(s.write).Leave(ctx, instance))
}

// goneAfter is how long after its lease an instance that is not heard of stays listed.
const goneAfter = time.Minute

// forgetting is when instances were last forgotten, in Unix microseconds.
type forgetting struct{ at atomic.Int64 }

// Instances lists the instances, by id: all whose lease ended at most a minute ago.
func (s *Store) Instances(ctx context.Context) ([]Instance, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	now := s.now().UnixMicro()
	since := now - goneAfter.Microseconds()
	rows, err := gen.New(s.read).ListInstances(ctx, since)
	if err != nil {
		return nil, failed("listing the instances", err)
	}
	if last := s.forgotAt.at.Load(); now-last > goneAfter.Microseconds() && s.forgotAt.at.CompareAndSwap(last, now) {
		if err := gen.New(s.write).ForgetInstances(ctx, since); err != nil {
			return nil, failed("forgetting instances", err)
		}
	}
	instances := make([]Instance, 0, len(rows))
	for _, row := range rows {
		instances = append(instances, Instance{
			ID: row.ID, Region: rollout.Region(row.Region), Version: row.Version, Address: row.Address,
			StartedAt: fromMicros(row.StartedAt), SeenAt: fromMicros(row.SeenAt), Revision: row.Revision,
			Lease: time.Duration(row.Lease * microsecond), BreakGlass: row.BreakGlass, CacheSize: int(row.CacheSize),
		})
	}
	return instances, nil
}
