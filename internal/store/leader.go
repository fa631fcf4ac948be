package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/store/gen"
)

// Lead asks for a task that one instance does for all of them, for as long as the
// lease lasts, and reports whether the holder has it. Asked again in time it goes
// on; when its holder is gone, another gets it as soon as the lease has ended. Clocks
// of instances may differ, so two may believe for a moment that they lead: what they
// do must be safe all the same.
func (s *Store) Lead(ctx context.Context, task, holder string, lease time.Duration) (bool, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	var leads bool
	err := again(ctx, func() error {
		now := s.now()
		n, err := gen.New(s.write).Lead(ctx, gen.LeadParams{Task: task, Holder: holder, Until: now.Add(lease).UnixMicro(), Now: now.UnixMicro()})
		leads = n > 0
		return failed("asking for the lead", err)
	})
	return leads, err
}

// Leader is who leads a task; empty if nobody does.
func (s *Store) Leader(ctx context.Context, task string) (holder string, err error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	row, err := gen.New(s.read).GetLeader(ctx, task)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", nil
	case err != nil:
		return "", failed("asking who leads", err)
	case row.Until < s.now().UnixMicro():
		return "", nil
	}
	return row.Holder, nil
}

// StepDown gives a task up before the lease ends, so that another need not wait.
func (s *Store) StepDown(ctx context.Context, task, holder string) error {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	return failed("giving up the lead", gen.New(s.write).StepDown(ctx, gen.StepDownParams{Task: task, Holder: holder}))
}
