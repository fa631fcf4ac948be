package main

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nlpcanary/nlpcanary/internal/api"
)

func TestRollbackAnswers(t *testing.T) {
	change := func(c *api.Convergence) api.StageChange {
		return api.StageChange{OldStage: 3, OldPercentage: 50, NewStage: 0, NewPercentage: 0, Revision: 12, Changed: true, IsRollback: true, Convergence: c}
	}
	again := change(&api.Convergence{Held: 1, Total: 1, ElapsedMS: 2, Complete: true})
	again.Changed, again.OldStage = false, 0
	dry := change(nil)
	dry.DryRun = true
	finalised := change(&api.Convergence{Complete: true})
	finalised.Warnings = []string{"the rollout was finalised"}

	for name, test := range map[string]struct {
		changed api.StageChange
		want    string
		exit    int
	}{
		"held everywhere": {change(&api.Convergence{Held: 3, Total: 3, ElapsedMS: 41, Complete: true}), `
Rolled back: stage 3 HALF_ROLLOUT 50 % → stage 0 DISABLED 0 %, revision 12.
Held on 3 of 3 instances in 41 ms.
`, exitOK},
		"nothing runs": {change(&api.Convergence{Complete: true}), `
Rolled back: stage 3 HALF_ROLLOUT 50 % → stage 0 DISABLED 0 %, revision 12.
No instances are running. Every instance that starts from now on begins with this.
`, exitOK},
		"one is awaited": {change(&api.Convergence{Held: 2, Total: 3, ElapsedMS: 5000, Awaited: []api.Awaited{
			{ID: "c-3", Revision: 11, LeaseEndsAt: noon.Add(1200 * time.Millisecond)},
		}}), `
Rolled back: stage 3 HALF_ROLLOUT 50 % → stage 0 DISABLED 0 %, revision 12.
Held on 2 of 3 instances after 5000 ms. Still awaited:
  c-3  honours revision 11  its lease ends 2026-08-01 12:00:01 UTC, in 1.2 s: from then on it sends everyone to old
`, exitError},
		"the awaited one's lease has ended": {change(&api.Convergence{Held: 2, Total: 3, ElapsedMS: 5000, Awaited: []api.Awaited{
			{ID: "c-3", Revision: 11, LeaseEndsAt: noon.Add(-time.Millisecond)},
		}}), `
Rolled back: stage 3 HALF_ROLLOUT 50 % → stage 0 DISABLED 0 %, revision 12.
Held on 2 of 3 instances after 5000 ms. Still awaited:
  c-3  honours revision 11  its lease has ended: it sends everyone to old
`, exitOK},
		"again": {again, `
Already rolled back: stage 0 DISABLED 0 %, revision 12. Nothing to change.
Held on 1 of 1 instance in 2 ms.
`, exitOK},
		"dry run": {dry, `
Dry run, nothing changed. Would roll back: stage 3 HALF_ROLLOUT 50 % → stage 0 DISABLED 0 %.
`, exitOK},
		"with a warning": {finalised, `
Rolled back: stage 3 HALF_ROLLOUT 50 % → stage 0 DISABLED 0 %, revision 12.
No instances are running. Every instance that starts from now on begins with this.
! the rollout was finalised
`, exitOK},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr strings.Builder
			s := newSession(nil, strings.NewReader(""), &stdout, &stderr)
			s.now = func() time.Time { return noon }
			s.writeRollback(test.changed)
			if diff := cmp.Diff(test.want, "\n"+stdout.String()); diff != "" {
				t.Error(diff)
			}
			exit := exitOK
			if err := s.requireHeld(test.changed.Convergence); err != nil {
				exit = s.report(err)
			}
			if exit != test.exit {
				t.Errorf("exit %d; want %d", exit, test.exit)
			}
			if exit == exitError && !strings.Contains(stderr.String(), "from 2026-08-01 12:00:01 UTC on no instance can act on an older state") {
				t.Errorf("stderr %q does not say when it is over", stderr.String())
			}
		})
	}
}
