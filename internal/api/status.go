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
	users, err := a.users(ctx, state.Rollout.Name)
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
	if ends := r.SoakEndsAt(); !ends.IsZero() {
		s.SoakEndsAt = &ends
	}
	if users > 0 {
		onNew := int64(math.Round(float64(users) * float64(s.EffectivePercentage) / 100))
		onOld := users - onNew
		s.TotalUsers, s.EstimatedUsersNewArch, s.EstimatedUsersOldArch = &users, &onNew, &onOld
	}
	a.addInstances(&s, instances)
	a.addLease(&s, state)
	return &statusOutput{ETag: etag(state.Revision), Body: s}, nil
}

// users is how many different users the rollout has seen, in both cohorts.
func (a *API) users(ctx context.Context, name string) (int64, error) {
	a.flush(ctx)
	tallies, err := a.config.Store.Tallies(ctx, store.OutcomeQuery{Rollout: name})
	if err != nil {
		return 0, err
	}
	both := new(outcome.Tally)
	for _, t := range tallies {
		both.Merge(t)
	}
	return both.Users(), nil
}

func (a *API) addInstances(s *Status, instances []store.Instance) {
	longest := follow.DefaultLease
	for _, i := range instances {
		live := a.now().Sub(i.SeenAt) < i.Lease
		s.Instances = append(s.Instances, Instance{
			ID: i.ID, Region: string(i.Region), Version: i.Version, Address: i.Address, Revision: i.Revision,
			StartedAt: i.StartedAt, SeenAt: i.SeenAt, LeaseMS: i.Lease.Milliseconds(),
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
		}
	}
	s.RollbackBound = longest.String()
}

func (a *API) addLease(s *Status, state rollout.State) {
	if state.Rollout.Finalised && state.Settings.WhenStale == rollout.StaleHold {
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
