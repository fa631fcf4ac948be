package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/rollout"
)

type rollbackCmd struct {
	Stage string `arg:"" optional:"" default:"0" help:"The stage to go back to: 0 to 4, or its name."`
	changeFlags
	Wait time.Duration `default:"5s" placeholder:"TIME" help:"How long to wait for every instance to confirm; 0 returns once the rollback is committed."`
}

// Help is shown by --help.
func (rollbackCmd) Help() string {
	return `Works whatever state the rollout is in, without a running server, and never asks.

Exit code 0: the rollback is committed and no instance can still act on an older state. 1: it is committed, but an instance has not confirmed and its lease had not ended when waiting did; or it was refused. 3: the database could not be reached, so nothing is committed.`
}

// rollbackBody is what the API takes.
type rollbackBody struct {
	change
	Stage  int   `json:"stage"`
	WaitMS int64 `json:"wait_ms"`
}

// Run rolls back first and looks afterwards: nothing may stand in the way.
func (cmd rollbackCmd) Run(ctx context.Context, s *session) error {
	stage, err := rollout.ParseStage(cmd.Stage)
	if err != nil {
		return err
	}
	if cmd.Wait < 0 || cmd.Wait > maxWait {
		return usage(fmt.Sprintf("--wait %s is out of range", cmd.Wait), fmt.Sprintf("give a time from 0s to %s", maxWait))
	}
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close() //nolint:errcheck // the change is committed by the answer
	var changed api.StageChange
	raw, err := c.post(ctx, canaryPath+"/rollback", rollbackBody{change: cmd.body(), Stage: int(stage), WaitMS: cmd.Wait.Milliseconds()}, &changed)
	if err != nil {
		return err
	}
	if err := s.answer(raw, func() { s.writeRollback(changed) }); err != nil {
		return err
	}
	if changed.DryRun || cmd.Wait == 0 {
		return nil
	}
	return s.requireHeld(changed.Convergence)
}

// maxWait keeps the wait within the time that a request may take.
const maxWait = 25 * time.Second

func (s *session) writeRollback(changed api.StageChange) {
	switch {
	case changed.DryRun && changed.Changed:
		fmt.Fprintf(s.stdout, "Dry run, nothing changed. Would roll back: %s.\n", s.stageMove(changed))
	case !changed.Changed:
		fmt.Fprintf(s.stdout, "Already rolled back: %s, revision %d. Nothing to change.\n",
			s.style.strong("stage "+stageText(changed.NewStage, changed.NewPercentage)), changed.Revision)
	default:
		fmt.Fprintf(s.stdout, "%s %s, revision %d.\n", s.style.good("Rolled back:"), s.stageMove(changed), changed.Revision)
	}
	if !changed.DryRun {
		s.writeConvergence(changed.Convergence)
	}
	s.writeWarnings(changed.Warnings)
}

// writeConvergence says who honours a change, and who is still awaited.
func (s *session) writeConvergence(c *api.Convergence) {
	switch {
	case c == nil:
		fmt.Fprintln(s.stdout, "Committed. Run 'nlpcanary status' to see which instances honour it.")
	case c.Total == 0:
		fmt.Fprintln(s.stdout, "No instances are running. Every instance that starts from now on begins with this.")
	case c.Complete:
		fmt.Fprintf(s.stdout, "%s in %d ms.\n", s.style.good(fmt.Sprintf("Held on %d of %s", c.Held, plural(c.Total, "instance", "instances"))), c.ElapsedMS)
	default:
		fmt.Fprintf(s.stdout, "%s after %d ms. Still awaited:\n", s.style.bad(fmt.Sprintf("Held on %d of %s", c.Held, plural(c.Total, "instance", "instances"))), c.ElapsedMS)
		t := table{}
		for _, awaited := range c.Awaited {
			t.add(printable(awaited.ID), fmt.Sprintf("honours revision %d", awaited.Revision), s.leaseEnd(awaited.LeaseEndsAt))
		}
		t.write(s.stdout, s.style, "  ")
	}
}

func (s *session) leaseEnd(end time.Time) string {
	left := end.Sub(s.now())
	if left <= 0 {
		return "its lease has ended: it sends everyone to old"
	}
	return fmt.Sprintf("its lease ends %s, in %.1f s: from then on it sends everyone to old", timeText(end), left.Seconds())
}

// errNotHeld is the error of a change that is committed but not yet confirmed
// everywhere.
var errNotHeld = errors.New("not confirmed everywhere yet")

// requireHeld is nil when no instance can act on an older state any more: all have
// confirmed, or the leases of those that have not are over.
func (s *session) requireHeld(c *api.Convergence) error {
	if c == nil || c.Complete {
		return nil
	}
	last := time.Time{}
	for _, awaited := range c.Awaited {
		if awaited.LeaseEndsAt.After(last) {
			last = awaited.LeaseEndsAt
		}
	}
	if !last.After(s.now()) {
		return nil
	}
	return &failure{
		exit: exitError, code: "not_held_everywhere", err: errNotHeld,
		message: fmt.Sprintf("committed, but %s not confirmed yet", plural(len(c.Awaited), "instance has", "instances have")),
		hint:    fmt.Sprintf("the change stands and needs no repeating; from %s on no instance can act on an older state. 'nlpcanary status' shows them; an instance's kill file stops it at once", timeText(last)),
	}
}
