package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/bound"
)

type verifyBoundCmd struct {
	Instances int           `default:"8" placeholder:"N" help:"How many instances decide at once (default 8)."`
	Rollbacks int           `default:"50" placeholder:"N" help:"How many rollbacks are made (default 50)."`
	Lease     time.Duration `default:"3s" placeholder:"TIME" help:"The lease of the instances (default 3s)."`
}

// Help is shown by --help.
func (verifyBoundCmd) Help() string {
	return `Runs instances against the database, each behind a proxy of its own that swallows, delays or breaks its connections, a quarter of them as processes that are stopped and continued, and a quarter as clients of the SDK behind a server of their own; makes rollbacks at random moments past the proxies, and shows how long after each an instance still decided for the new architecture.

It works on state of its own, a schema or a file beside the one in use, and removes it at the end: your rollout is not touched. On SQLite there is no network to fail. Exit code 0: the bound held every time.`
}

const (
	maxBoundInstances = 64
	maxBoundRollbacks = 10_000
)

// Run proves the bound.
func (cmd verifyBoundCmd) Run(ctx context.Context, s *session) error {
	switch {
	case s.Server != "":
		return usage("verify-bound works on a database, not through a server", "leave --server out and name the database with --database")
	case cmd.Instances < 1 || cmd.Instances > maxBoundInstances:
		return usage("--instances is out of range", fmt.Sprintf("give a number from 1 to %d", maxBoundInstances))
	case cmd.Rollbacks < 1 || cmd.Rollbacks > maxBoundRollbacks:
		return usage("--rollbacks is out of range", fmt.Sprintf("give a number from 1 to %d", maxBoundRollbacks))
	case cmd.Lease < minLease || cmd.Lease > maxLease:
		return usage("--lease "+cmd.Lease.String()+" is out of range", "give a time from "+minLease.String()+" to "+maxLease.String())
	}
	bar := startProgress(s, cmd.Rollbacks)
	report, err := bound.Verify(ctx, bound.Config{
		Database: s.databaseURL(), Instances: cmd.Instances, Rollbacks: cmd.Rollbacks, Lease: cmd.Lease, Progress: bar.step, Logger: s.logger(),
		Process: boundProcess(),
	})
	bar.end()
	if err != nil {
		return err
	}
	raw, err := json.Marshal(report)
	if err != nil {
		return fmt.Errorf("encoding the report: %w", err)
	}
	if err := s.answer(raw, func() { s.writeBound(report) }); err != nil {
		return err
	}
	if !report.Held {
		return failed("the bound was broken", "do not rely on it; 'nlpcanary doctor' checks what it assumes")
	}
	return nil
}

// boundInstanceCmd is what verify-bound starts as processes of their own.
type boundInstanceCmd struct{}

// Run decides until its standard input ends.
func (boundInstanceCmd) Run(ctx context.Context, s *session) error {
	return bound.RunInstance(ctx, s.stdin, s.stdout)
}

// boundProcess starts this program as an instance of the proof; nil where it cannot be
// found.
func boundProcess() func() *exec.Cmd {
	program, err := os.Executable()
	if err != nil {
		return nil
	}
	return func() *exec.Cmd { return exec.Command(program, "verify-bound-instance") } //nolint:noctx // it ends with its input
}

func (s *session) writeBound(r bound.Report) {
	t := table{header: []string{"FAULT", "ROLLBACKS", "P50", "P99", "MAX", "SURE", ""}, right: map[int]bool{1: true, 2: true, 3: true, 4: true, 5: true}}
	for _, row := range r.Rows {
		verdict := s.style.good("held")
		if row.Broken > 0 {
			verdict = s.style.bad(fmt.Sprintf("BROKEN %d times", row.Broken))
		}
		t.add(row.Fault, fmt.Sprint(row.Rollbacks), msText(row.P50MS), msText(row.P99MS), msText(row.MaxMS), msText(row.SureMS), verdict)
	}
	fmt.Fprintf(s.stdout, "How long after a rollback was asked for an instance still decided for new: %d instances, lease %d ms, %d rollbacks, %d decisions.\n\n", r.Instances, r.LeaseMS, r.Rollbacks, r.Decisions)
	t.write(s.stdout, s.style, "")
	fmt.Fprintln(s.stdout, s.style.quiet("\nSURE: the longest time that has surely passed, from the confirmation of the rollback on."))
	if r.Lost > 0 {
		fmt.Fprintln(s.stdout, s.style.bad(fmt.Sprintf("%d rollbacks were confirmed and then not there.", r.Lost)))
	}
}

func msText(ms float64) string { return fmt.Sprintf("%.0f ms", ms) }
