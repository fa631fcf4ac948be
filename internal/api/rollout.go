package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/rollout"
)

const canary = "/api/v1/admin/nlp-canary/"

type advanceInput struct {
	ChangeInput
	Body *ChangeBody `required:"false"`
}

type rollbackInput struct {
	ChangeInput
	Body struct {
		ChangeBody
		Stage  int    `json:"stage" doc:"The stage to go back to, 0 to 4, at or below the present one."`
		WaitMS *int64 `json:"wait_ms,omitempty" doc:"How long to wait for the instances to honour it, 0 to 60000; 5000 if not given."`
	}
}

type stageOutput struct {
	ChangeHeaders
	Body StageChange
}

type startInput struct {
	ChangeInput
	Body struct {
		ChangeBody
		Name string `json:"name" doc:"1 to 64 ASCII letters, digits, '-', '_' or '.'; never used before."`
		Old  string `json:"old" doc:"The name of the old architecture."`
		New  string `json:"new" doc:"The name of the new architecture."`
	}
}

func (a *API) rolloutRoutes() {
	handle(a, route{method: "GET", path: canary + "status", id: "status", needs: rollout.View,
		summary: "Where the rollout stands"}, a.status)
	handle(a, route{method: "GET", path: canary + "history", id: "history", needs: rollout.View,
		summary: "Stage changes, newest first"}, a.history)
	handle(a, route{method: "POST", path: canary + "advance", id: "advance", needs: rollout.Administer,
		summary: "Go on to the next stage",
		about:   "Before the soak time is over this goes through with a warning, or is refused where the setting soak is enforce."}, a.advance)
	handle(a, route{method: "POST", path: canary + "rollback", id: "rollback", needs: rollout.Operate,
		summary: "Take users back to a stage",
		about:   "Never refused because of the state things are in. Waits for the instances to honour it and says which do."}, a.rollback)
	handle(a, route{method: "POST", path: canary + "approve", id: "approve", needs: rollout.Administer,
		summary: "Approve the next stage",
		about:   "Counts once for each person, and ends with the stage. The setting approvals says how many must approve before an advance; whoever advances is one of them."}, a.approve)
	handle(a, route{method: "POST", path: canary + "guardian/pause", id: "pause-guardian", needs: rollout.Administer,
		summary: "Stop everything automatic: the guardian then only alerts"}, a.pauseGuardian)
	handle(a, route{method: "POST", path: canary + "guardian/resume", id: "resume-guardian", needs: rollout.Administer,
		summary: "Let the guardian act again as the setting guardian says"}, a.resumeGuardian)
	handle(a, route{method: "POST", path: canary + "clear-cache", id: "clear-cache", needs: rollout.Operate,
		summary: "Make every instance forget its cohort cache"}, a.clearCache)
	handle(a, route{method: "POST", path: canary + "accept-restore", id: "accept-restore", needs: rollout.Administer,
		summary: "Declare that a database which went back is the right one",
		about:   "After a restore from an older backup, or a failover that lost changes, no instance trusts the state until then: everyone gets old. Changes no stage: roll back first if in doubt."}, a.acceptRestore)
	handle(a, route{method: "POST", path: canary + "start", id: "start", needs: rollout.Administer,
		summary: "Start a new rollout at stage 0, with a fresh salt"}, a.start)
	handle(a, route{method: "POST", path: canary + "finalise", id: "finalise", needs: rollout.Administer,
		summary: "Declare the rollout done: the old architecture may go"}, a.finalise)
}

func (a *API) advance(ctx context.Context, in *advanceInput) (*stageOutput, error) {
	var body ChangeBody
	if in.Body != nil {
		body = *in.Body
	}
	applied, err := a.apply(ctx, in.ChangeInput, body, rollout.Advance{})
	if err != nil {
		return nil, err
	}
	return a.staged(ctx, applied, in.DryRun || body.DryRun, "Advanced"), nil
}

func (a *API) rollback(ctx context.Context, in *rollbackInput) (*stageOutput, error) {
	wait, err := waitOf(in.Body.WaitMS)
	if err != nil {
		return nil, err
	}
	dry := in.DryRun || in.Body.DryRun
	applied, err := a.apply(ctx, in.ChangeInput, in.Body.ChangeBody, rollout.Rollback{Target: rollout.Stage(in.Body.Stage)})
	if err != nil {
		return nil, err
	}
	committed := time.Now()
	out := a.staged(ctx, applied, dry, "Rolled back")
	out.Body.IsRollback = true
	if dry || wait == 0 {
		return out, nil
	}
	out.Body.Convergence, err = a.converge(ctx, applied.State.Revision, committed, wait)
	if err != nil {
		out.Body.Warnings = append(out.Body.Warnings, "the rollback is made, but which instances honour it could not be read: "+a.classify(err).Detail)
	}
	return out, nil
}

func (a *API) staged(ctx context.Context, applied store.Applied, dry bool, done string) *stageOutput {
	was, is := applied.Was.Rollout, applied.State.Rollout
	message := fmt.Sprintf("%s %s from stage %d %s (%d %%) to stage %d %s (%d %%)", done, is.Name,
		was.Stage, was.Stage, was.Percentage, is.Stage, is.Stage, is.Percentage)
	if was.Stage == is.Stage {
		message = fmt.Sprintf("%s is at stage %d %s (%d %%)", is.Name, is.Stage, is.Stage, is.Percentage)
		if applied.Changed {
			message += ", and nothing automatic advances it from now on"
		} else {
			message += " already"
		}
	}
	if dry {
		message = "Dry run, nothing was changed: " + message
	}
	return &stageOutput{ChangeHeaders: headersOf(applied, dry), Body: StageChange{
		Message:  message,
		OldStage: int(was.Stage), OldPercentage: int(was.Percentage),
		NewStage: int(is.Stage), NewPercentage: int(is.Percentage),
		Admin: actor(ctx).Name, Timestamp: applied.At, Revision: standing(applied, dry),
		Changed: applied.Changed, DryRun: dry, Warnings: orEmpty(applied.Warnings),
	}}
}

func (a *API) approve(ctx context.Context, in *advanceInput) (*changeOutput, error) {
	return a.plain(ctx, in, rollout.Approve{}, "the next stage is approved by "+actor(ctx).Name)
}

func (a *API) pauseGuardian(ctx context.Context, in *advanceInput) (*changeOutput, error) {
	return a.plain(ctx, in, rollout.PauseGuardian{}, "the guardian is paused: it alerts, and neither rolls back nor advances")
}

func (a *API) resumeGuardian(ctx context.Context, in *advanceInput) (*changeOutput, error) {
	return a.plain(ctx, in, rollout.ResumeGuardian{}, "the guardian acts again as the setting guardian says")
}

func (a *API) clearCache(ctx context.Context, in *advanceInput) (*changeOutput, error) {
	return a.plain(ctx, in, rollout.ClearCache{}, "every instance clears its cohort cache")
}

func (a *API) finalise(ctx context.Context, in *advanceInput) (*changeOutput, error) {
	return a.plain(ctx, in, rollout.Finalise{}, "the rollout is finalised")
}

func (a *API) acceptRestore(ctx context.Context, in *advanceInput) (*changeOutput, error) {
	return a.plain(ctx, in, rollout.AcceptRestore{}, "the database as it stands is accepted, and instances trust it again")
}

// plain is a change whose body, which may be missing, has nothing of its own.
func (a *API) plain(ctx context.Context, in *advanceInput, change rollout.Change, message string) (*changeOutput, error) {
	var body ChangeBody
	if in.Body != nil {
		body = *in.Body
	}
	applied, err := a.apply(ctx, in.ChangeInput, body, change)
	if err != nil {
		return nil, err
	}
	return a.changed(ctx, applied, in.DryRun || body.DryRun, message), nil
}

func (a *API) start(ctx context.Context, in *startInput) (*changeOutput, error) {
	var salt [16]byte
	_, _ = rand.Read(salt[:]) // never fails (crypto/rand documents it)
	b := in.Body
	applied, err := a.apply(ctx, in.ChangeInput, b.ChangeBody, rollout.Start{
		Name: b.Name, OldName: b.Old, NewName: b.New, Salt: rollout.Salt(hex.EncodeToString(salt[:])),
	})
	if err != nil {
		return nil, err
	}
	return a.changed(ctx, applied, in.DryRun || b.DryRun, fmt.Sprintf("the rollout %s is started at stage 0", b.Name)), nil
}

type historyInput struct {
	Limit  int   `query:"limit" minimum:"1" maximum:"1000" default:"10"`
	Before int64 `query:"before" minimum:"0" doc:"Only entries with a lower id."`
}

type historyOutput struct{ Body History }

func (a *API) history(ctx context.Context, in *historyInput) (*historyOutput, error) {
	entries, total, err := a.config.Store.History(ctx, in.Limit, in.Before)
	if err != nil {
		return nil, err
	}
	out := &historyOutput{Body: History{History: []HistoryEntry{}, TotalEntries: total}}
	for _, e := range entries {
		out.Body.History = append(out.Body.History, HistoryEntry{
			ID: e.ID, Rollout: e.Rollout, Stage: int(e.Stage), StageName: e.Stage.String(), Percentage: int(e.Percentage),
			UpdatedAt: e.UpdatedAt, UpdatedBy: e.UpdatedBy, Notes: e.Notes, Revision: e.Revision,
		})
	}
	return out, nil
}

// notFound is for things named in a path.
func notFound(detail, hint string) error {
	return newProblem(http.StatusNotFound, codeNotFound, detail, hint)
}
