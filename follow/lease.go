package follow

import (
	"encoding/base64"
	"fmt"
	"time"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// Lease is what a server gives to a client: all of the state that a decision depends
// on, and nothing else of it. How long it may be trusted goes beside it, see
// [LeaseHeader].
type Lease struct {
	Version Version `json:"version"`
	// Rollout, its stage and percentage, and the names of its architectures.
	Rollout    string          `json:"rollout"`
	OldName    string          `json:"old_name"`
	NewName    string          `json:"new_name"`
	Stage      rollout.Stage   `json:"stage"`
	Percentage rollout.Percent `json:"percentage"`
	Salt       rollout.Salt    `json:"salt"`
	// Epoch is the revision at which the present split of users began.
	Epoch int64 `json:"epoch"`
	// Enabled is false while the kill switch is off, or break-glass is in force on the
	// server that answers.
	Enabled   bool `json:"enabled"`
	Latched   bool `json:"latched"`
	Finalised bool `json:"finalised"`
	// WhenStale is "hold" only if the state may be served after the lease.
	WhenStale rollout.WhenStale `json:"when_stale"`
	Overrides []Pin             `json:"overrides"`
	// CacheEpoch is the revision of the last clear-cache.
	CacheEpoch int64 `json:"cache_epoch"`
	// UserKey is the secret under which user ids become user keys, in base64, so that the
	// client finds overrides and counts users as servers do.
	UserKey string `json:"user_key"`
	// OutcomeKey is the secret for the outcome ids that clients make, in base64.
	OutcomeKey string `json:"outcome_key"`
}

// Pin is an override without what people know of it.
type Pin struct {
	User    rollout.UserKey `json:"user"`
	Variant rollout.Variant `json:"architecture"`
}

// LeaseHeader is the header in which a server says for how many milliseconds its answer
// may be trusted, counted from when the client sent the request: what is left of the
// server's own lease. The client's request was sent before the server answered, so the
// client's lease ends before the server's, and the bound of the servers is that of the
// clients as well.
const LeaseHeader = "Nlpcanary-Lease-Ms"

// LeaseOf is the part of a state that decisions depend on.
func LeaseOf(s *rollout.State, v Version, breakGlass bool) Lease {
	l := Lease{
		Version: v, Rollout: s.Rollout.Name, OldName: s.Rollout.OldName, NewName: s.Rollout.NewName,
		Stage: s.Rollout.Stage, Percentage: s.Rollout.Percentage, Salt: s.Rollout.Salt, Epoch: s.Rollout.Epoch,
		Enabled: s.NewArchitectureEnabled() && !breakGlass, Latched: s.Rollout.Latched, Finalised: s.Rollout.Finalised,
		WhenStale: s.Settings.WhenStale, Overrides: make([]Pin, 0, len(s.Overrides)), CacheEpoch: s.CacheEpoch,
	}
	for _, o := range s.Overrides {
		l.Overrides = append(l.Overrides, Pin{o.User, o.Variant})
	}
	return l
}

// State is as much of the server's state as the lease holds.
func (l Lease) State() rollout.State {
	s := rollout.State{
		Revision: l.Version.Revision, Lineage: l.Version.Lineage, CacheEpoch: l.CacheEpoch,
		Rollout: rollout.Rollout{
			Name: l.Rollout, OldName: l.OldName, NewName: l.NewName, Salt: l.Salt, Stage: l.Stage, Percentage: l.Percentage,
			Epoch: l.Epoch, Latched: l.Latched, Finalised: l.Finalised,
		},
		Flags:     []rollout.Flag{{Name: rollout.KillSwitch, Enabled: l.Enabled}},
		Settings:  rollout.Settings{WhenStale: l.WhenStale},
		Overrides: make([]rollout.Override, 0, len(l.Overrides)),
	}
	for _, p := range l.Overrides {
		s.Overrides = append(s.Overrides, rollout.Override{User: p.User, Variant: p.Variant})
	}
	return s
}

// Renewal is the lease as a follower takes it.
func (l Lease) Renewal(sent time.Time, lasts time.Duration) (Renewal, error) {
	if l.Version.Revision < 1 || l.Rollout == "" || l.Percentage < 0 || l.Percentage > 100 {
		return Renewal{}, fmt.Errorf("a lease of revision %d for rollout %q at %d %% cannot be true", l.Version.Revision, l.Rollout, l.Percentage)
	}
	secret, err := base64.StdEncoding.DecodeString(l.UserKey)
	if err != nil || len(secret) == 0 {
		return Renewal{}, fmt.Errorf("the lease's user key cannot be read")
	}
	keyer, state := rollout.NewKeyer(secret), l.State()
	return Renewal{Version: l.Version, State: &state, Lease: lasts, Sent: sent, Keyer: &keyer}, nil
}
