package api

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

type statusOutput struct {
	ETag string `header:"ETag"`
	Body Status
}

// status reads the database, not the instance's copy: who looks at it wants to know
// how things stand now.
func (a *API) status(ctx context.Context, _ *struct{}) (*statusOutput, error) {
	state, err := a.config.Store.State(ctx)
	if err != nil {
		return nil, err
	}
	instances, err := a.config.Store.Instances(ctx)
	if err != nil {
		return nil, err
	}
	users, counted, err := a.users(ctx, state.Rollout.Name)
	if err != nil {
		return nil, err
	}
	r := state.Rollout
	s := Status{
		Rollout: r.Name, OldName: r.OldName, NewName: r.NewName,
		Stage: int(r.Stage), StageName: r.Stage.String(), Percentage: int(r.Percentage),
		LastUpdated: r.UpdatedAt, UpdatedBy: r.UpdatedBy, Notes: r.Notes,
		FeatureFlagEnabled: state.NewArchitectureEnabled(), EffectivePercentage: int(state.EffectivePercentage()),
		Latched: r.Latched, Finalised: r.Finalised, Overrides: len(state.Overrides),
		Revision: state.Revision, Region: a.config.Region, Instances: []Instance{}, Warnings: []string{},
	}
	s.Approvals, s.ApprovalsNeeded = approvalsOf(state), state.Settings.Approvals
	s.Guardian = guardianOf(state)
	if ends := state.SoakEndsAt(); !ends.IsZero() {
		s.SoakEndsAt = &ends
	}
	if !counted {
		s.Warnings = append(s.Warnings, "the users are still being counted")
	}
	if users > 0 {
		onNew := int64(math.Round(float64(users) * float64(s.EffectivePercentage) / 100))
		onOld := users - onNew
		s.TotalUsers, s.EstimatedUsersNewArch, s.EstimatedUsersOldArch = &users, &onNew, &onOld
	}
	a.addInstances(&s, instances, state.Last.At)
	a.addLease(&s, state)
	a.addArchitectures(&s, state)
	if err := a.addDistrust(ctx, &s); err != nil {
		return nil, err
	}
	a.addAudit(ctx, &s)
	return &statusOutput{ETag: etag(state.Revision), Body: s}, nil
}

func approvalsOf(state rollout.State) []Approval {
	list := []Approval{}
	for _, a := range state.Approvals {
		list = append(list, Approval{a.By, a.At})
	}
	return list
}

func guardianOf(state rollout.State) Guardian {
	p := state.Guardian
	g := Guardian{Mode: string(state.Settings.Guardian), Paused: string(p.Paused), By: p.By, Why: p.Why}
	if p.Paused != rollout.PauseNone {
		g.At = &p.At
	}
	return g
}

// patience is how long a status waits for what is dear to compute: in an emergency the
// rest of it must not be held up.
const patience = 2 * time.Second

// users is how many different users the rollout has seen, in both cohorts; false if
// that takes too long to count just now.
func (a *API) users(ctx context.Context, name string) (int64, bool, error) {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	counted, err := a.window(waiting, store.OutcomeQuery{Rollout: name})
	switch {
	case err != nil && waiting.Err() != nil && ctx.Err() == nil:
		return 0, false, nil
	case err != nil:
		return 0, false, err
	}
	both := new(outcome.Tally)
	both.Merge(counted.Old.Tally)
	both.Merge(counted.New.Tally)
	return both.Users(), true, nil
}

// addAudit warns of a broken audit trail, if that is known in time.
func (a *API) addAudit(ctx context.Context, s *Status) {
	ctx, cancel := context.WithTimeout(ctx, patience/4)
	defer cancel()
	report, err := a.verified.get(ctx, "", func(ctx context.Context) (store.AuditReport, error) {
		return a.config.Store.VerifyAudit(ctx, "")
	})
	if err == nil && !report.OK {
		s.Warnings = append(s.Warnings, fmt.Sprintf("the audit trail does not verify, so nothing may advance; rolling back works: %s", report.Problem))
	}
}

// addDistrust warns of a database that went back: it is why everyone is on old.
func (a *API) addDistrust(ctx context.Context, s *Status) error {
	why, err := a.config.Store.Distrust(ctx)
	if err == nil && why != "" {
		s.Distrust = why
		s.Warnings = append(s.Warnings, "the database went back, so no instance trusts it and everyone gets old: "+why+"; roll back if in doubt, and then accept the restore if it is the right database")
	}
	return err
}

// lagsAfter is how long an instance may take to honour a change before it is warned of.
const lagsAfter = time.Second

func (a *API) addInstances(s *Status, instances []store.Instance, lastChange time.Time) {
	longest := follow.DefaultLease
	for _, i := range instances {
		live := a.now().Sub(i.SeenAt) < i.Lease
		s.Instances = append(s.Instances, Instance{
			ID: i.ID, Region: string(i.Region), Version: i.Version, Address: i.Address, Revision: i.Revision,
			StartedAt: i.StartedAt, SeenAt: i.SeenAt, LeaseMS: i.Lease.Milliseconds(), LeaseAgeMS: max(a.now().Sub(i.SeenAt).Milliseconds(), 0),
			BreakGlass: i.BreakGlass, CacheSize: i.CacheSize, Live: live,
		})
		if live {
			s.CacheSize += i.CacheSize
			longest = max(longest, i.Lease)
		}
		switch {
		case !live:
			s.Warnings = append(s.Warnings, fmt.Sprintf("instance %s has not been heard of since %s: without a lease it sends everyone to old", i.ID, i.SeenAt.Format(time.RFC3339)))
		case i.BreakGlass:
			s.Warnings = append(s.Warnings, fmt.Sprintf("instance %s sends everyone to old by its kill file or SIGUSR1", i.ID))
		case i.Revision < s.Revision && a.now().Sub(lastChange) > lagsAfter:
			s.Warnings = append(s.Warnings, fmt.Sprintf("instance %s still honours revision %d; revision %d stands", i.ID, i.Revision, s.Revision))
		}
	}
	s.RollbackBound = longest.String()
}

func (a *API) addLease(s *Status, state rollout.State) {
	if state.HoldsWhenStale() {
		s.RollbackBound = "none"
		s.Warnings = append(s.Warnings, "when_stale is hold: an instance that is cut off goes on serving its last state, so rollbacks are not bounded in time")
	}
	if !s.FeatureFlagEnabled && s.Percentage > 0 {
		s.Warnings = append(s.Warnings, "the kill switch "+rollout.KillSwitch+" is off: everyone is on the old architecture")
	}
	if a.config.Follower == nil {
		return
	}
	own := a.config.Follower.Status()
	s.Lease = &Lease{Valid: own.Valid, RemainingMS: own.Remaining.Milliseconds(), LengthMS: own.Lease.Milliseconds()}
	if own.LastError != nil {
		s.Lease.LastError = a.classify(own.LastError).Detail
	}
}
