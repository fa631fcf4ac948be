package rollout

import (
	"cmp"
	"slices"
	"time"
)

// KillSwitch is the feature flag that overrides everything: while it is off,
// everyone is on the old architecture whatever the stage.
const KillSwitch = "USE_NEW_NLP_ARCHITECTURE"

// DefaultName is the name of the rollout that exists from the start.
const DefaultName = "nlp"

// State is everything that can be changed, at one revision. Its JSON form is
// what the store keeps. Treat a State as immutable: [State.Apply] copies.
type State struct {
	// Revision is the number of the last change to any state. It grows by one
	// with each change, without gaps, in commit order.
	Revision int64 `json:"revision"`
	// Lineage tells the histories of one database apart: it is raised when a person
	// accepts a database that went back, and never falls. Of two states the one of the
	// higher lineage is newer, whatever their revisions. 0 until the first time.
	Lineage int64 `json:"lineage,omitempty"`
	// Last is the change that made this revision.
	Last      Last       `json:"last"`
	Rollout   Rollout    `json:"rollout"`
	Flags     []Flag     `json:"flags"`     // by name
	Overrides []Override `json:"overrides"` // by user key
	Tokens    []Token    `json:"tokens"`    // by id
	Settings  Settings   `json:"settings"`
	// Approvals of the next stage, in the order in which they were given.
	Approvals []Approval `json:"approvals"`
	Guardian  Guardian   `json:"guardian"`
	// CacheEpoch is the revision of the last clear-cache: an instance whose cache
	// is older clears it.
	CacheEpoch int64 `json:"cache_epoch"`
	// Past names the rollouts that came before, oldest first.
	Past []Past `json:"past"`
}

// Last says who made the last change of any state, when, and what it was.
type Last struct {
	Action Action    `json:"action"`
	By     string    `json:"by"`
	At     time.Time `json:"at"`
}

// Rollout is the move of users from one architecture to another.
type Rollout struct {
	Name       string  `json:"name"`
	OldName    string  `json:"old_name"`
	NewName    string  `json:"new_name"`
	Salt       Salt    `json:"salt"`
	Stage      Stage   `json:"stage"`
	Percentage Percent `json:"percentage"`
	// Epoch is the revision at which the present split of users began: the stage
	// was entered, or the kill switch was turned. Evidence is never carried from
	// one epoch to another.
	Epoch      int64     `json:"epoch"`
	EpochSince time.Time `json:"epoch_since"`
	StartedAt  time.Time `json:"started_at"`
	// StageSince is when the present stage was entered: soak counts from here.
	StageSince time.Time `json:"stage_since"`
	// UpdatedAt, UpdatedBy, Notes and LastAction tell of the last advance, rollback,
	// start or finalise.
	UpdatedAt  time.Time `json:"updated_at"`
	UpdatedBy  string    `json:"updated_by"`
	Notes      string    `json:"notes"`
	LastAction Action    `json:"last_action"`
	// Latched is set by a rollback: nothing automatic advances until a person does.
	Latched   bool `json:"latched"`
	Finalised bool `json:"finalised"`
}

// OverridesSuspended reports whether users pinned to new go to old nevertheless:
// after a rollback to stage 0, which takes all users back, until somebody advances.
func (r Rollout) OverridesSuspended() bool { return r.Latched && r.Stage == Disabled }

// SoakEndsAt is when the present stage has stood long enough to be left; zero at
// the last stage.
func (s State) SoakEndsAt() time.Time {
	if s.Rollout.Stage == FullRollout {
		return time.Time{}
	}
	return s.Rollout.StageSince.Add(s.Settings.SoakOf(s.Rollout.Stage))
}

// Past is a rollout that is over.
type Past struct {
	Name      string    `json:"name"`
	OldName   string    `json:"old_name"`
	NewName   string    `json:"new_name"`
	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at"`
	Stage     Stage     `json:"stage"`
	Finalised bool      `json:"finalised"`
}

// Initial is the state of a new installation: stage 4, 100 %, the kill switch on,
// as revision 1.
func Initial(at time.Time) State {
	at = at.UTC().Truncate(time.Microsecond)
	return State{
		Revision: 1,
		Last:     Last{ActionInitialise, "system", at},
		Rollout: Rollout{
			Name: DefaultName, OldName: "single", NewName: "ensemble",
			Stage: FullRollout, Percentage: FullRollout.Percentage(), Epoch: 1, EpochSince: at,
			StartedAt: at, StageSince: at, UpdatedAt: at, UpdatedBy: "system",
			Notes:      "Initial state: new architecture already at 100%",
			LastAction: ActionInitialise,
		},
		Flags: []Flag{{
			Name: KillSwitch, Enabled: true, Category: "nlp",
			Description:  "Kill switch: while off, everyone is on the old architecture whatever the stage",
			DefaultValue: true, CreatedAt: at, UpdatedAt: at,
		}},
		Overrides: []Override{},
		Tokens:    []Token{},
		Settings:  DefaultSettings(),
		Approvals: []Approval{},
		Past:      []Past{},
	}
}

// NewArchitectureEnabled reports whether the kill switch is on. A missing flag
// counts as off: in doubt, the old architecture serves.
func (s State) NewArchitectureEnabled() bool {
	f, ok := s.Flag(KillSwitch)
	return ok && f.Enabled
}

// EffectivePercentage is the share of users on new now: the stage's percentage,
// or 0 while the kill switch is off.
func (s State) EffectivePercentage() Percent {
	if !s.NewArchitectureEnabled() {
		return 0
	}
	return s.Rollout.Percentage
}

// HoldsWhenStale reports whether the state may be served after its lease ended.
func (s State) HoldsWhenStale() bool {
	return s.Rollout.Finalised && s.Settings.WhenStale == StaleHold
}

// Flag finds a flag by name.
func (s State) Flag(name string) (Flag, bool) {
	return find(s.Flags, name, func(f Flag) string { return f.Name })
}

// Override finds a user's override.
func (s State) Override(user UserKey) (Override, bool) {
	return find(s.Overrides, user.String(), func(o Override) string { return o.User.String() })
}

// Token finds a token by id.
func (s State) Token(id string) (Token, bool) {
	return find(s.Tokens, id, func(t Token) string { return t.ID })
}

func (s State) clone() State {
	s.Flags = slices.Clone(s.Flags)
	s.Overrides = slices.Clone(s.Overrides)
	s.Tokens = slices.Clone(s.Tokens)
	s.Past = slices.Clone(s.Past)
	s.Approvals = slices.Clone(s.Approvals)
	return s
}

// The lists of a state are kept sorted by key, so that its JSON form, and with it
// the digest in the audit trail, does not depend on the order of changes.

func find[T any](list []T, key string, keyOf func(T) string) (T, bool) {
	i, ok := position(list, key, keyOf)
	if !ok {
		var zero T
		return zero, false
	}
	return list[i], true
}

func put[T any](list []T, item T, keyOf func(T) string) []T {
	i, ok := position(list, keyOf(item), keyOf)
	if ok {
		list[i] = item
		return list
	}
	return slices.Insert(list, i, item)
}

func remove[T any](list []T, key string, keyOf func(T) string) []T {
	i, ok := position(list, key, keyOf)
	if !ok {
		return list
	}
	return slices.Delete(list, i, i+1)
}

func position[T any](list []T, key string, keyOf func(T) string) (int, bool) {
	return slices.BinarySearchFunc(list, key, func(item T, key string) int {
		return cmp.Compare(keyOf(item), key)
	})
}
