package rollout

import "strconv"

// Variant is the architecture chosen for a user.
type Variant string

// The two variants of every rollout.
const (
	Old Variant = "old" // the control
	New Variant = "new" // the canary
)

// ParseVariant reads "old" or "new".
func ParseVariant(text string) (Variant, error) {
	switch v := Variant(text); v {
	case Old, New:
		return v, nil
	}
	return "", invalid("architecture", strconv.Quote(clip(text))+" is not an architecture", "the architectures are old and new")
}

// Reason says why a variant was chosen, in OpenFeature's words.
type Reason string

// The evaluation reasons.
const (
	ReasonStatic         Reason = "STATIC"          // the stage is 0 % or 100 %: the user does not matter
	ReasonSplit          Reason = "SPLIT"           // the user's bucket against the percentage
	ReasonTargetingMatch Reason = "TARGETING_MATCH" // an override pins the user
	ReasonDisabled       Reason = "DISABLED"        // the kill switch is off
	ReasonStale          Reason = "STALE"           // there is no state that may be trusted
	ReasonError          Reason = "ERROR"           // the user id is not valid
	ReasonDefault        Reason = "DEFAULT"         // nothing is known about what was asked
)

// Region is where an instance runs: at most 64 bytes of ASCII letters, digits,
// '-', '_' and '.'; empty when it was not configured.
type Region string

// Decision is the variant chosen for a user, with everything needed to explain it.
type Decision struct {
	Variant    Variant
	Reason     Reason
	Bucket     Bucket
	Stage      Stage
	Percentage Percent
	Revision   int64
	Epoch      int64 // see [Rollout.Epoch]
	Rollout    string
	Region     Region
	Forced     bool // an override decided: leave the user out of both cohorts
}

// WhenStale says what an instance does with a state whose lease has ended.
type WhenStale string

// What happens without a valid lease. Hold is allowed only for a finalised
// rollout, whose old architecture is gone, and gives up the rollback bound.
const (
	StaleOld  WhenStale = "old"
	StaleHold WhenStale = "hold"
)

// Plan is a state made ready for deciding. It is immutable and safe for
// concurrent use. A nil Plan decides old with reason STALE.
type Plan struct {
	// base is what every decision of the plan has in common: old, until
	// something says new.
	base      Decision
	salt      Salt
	enabled   bool
	suspended bool // overrides do not pin anyone to new
	hold      bool
	overrides map[UserKey]Variant
	keyer     Keyer
	cache     *BucketCache
}

// Plan prepares the state for deciding in a region, under the installation's
// keyer. The cache may be nil.
func (s State) Plan(region Region, keyer Keyer, cache *BucketCache) *Plan {
	p := &Plan{
		base: Decision{
			Variant:    Old,
			Reason:     ReasonSplit,
			Bucket:     NoBucket,
			Stage:      s.Rollout.Stage,
			Percentage: s.Rollout.Percentage,
			Revision:   s.Revision,
			Epoch:      s.Rollout.Epoch,
			Rollout:    s.Rollout.Name,
			Region:     region,
		},
		salt:      s.Rollout.Salt,
		enabled:   s.NewArchitectureEnabled(),
		suspended: s.Rollout.OverridesSuspended(),
		hold:      s.HoldsWhenStale(),
		keyer:     keyer,
		cache:     cache,
	}
	if p.base.Percentage == 0 || p.base.Percentage == 100 {
		p.base.Reason = ReasonStatic
	}
	if len(s.Overrides) > 0 {
		p.overrides = make(map[UserKey]Variant, len(s.Overrides))
		for _, o := range s.Overrides {
			p.overrides[o.User] = o.Variant
		}
	}
	return p
}

// HoldsWhenStale reports whether the state may be served after its lease ended.
func (p *Plan) HoldsWhenStale() bool { return p != nil && p.hold }

// Decide chooses the user's variant. It never blocks, never fails and allocates
// nothing. The order is: a bad id, the kill switch, an override, the split.
func (p *Plan) Decide(id UserID) (d Decision) {
	if p == nil {
		return Decision{Variant: Old, Reason: ReasonStale, Bucket: NoBucket}
	}
	d = p.base
	if !id.valid() {
		d.Reason = ReasonError
		return d
	}
	d.Bucket = p.cache.Bucket(p.salt, id)
	if !p.enabled {
		d.Reason = ReasonDisabled
		return d
	}
	if p.overrides != nil {
		if v, pinned := p.overrides[p.keyer.Key(id)]; pinned && (v == Old || !p.suspended) {
			d.Variant, d.Reason, d.Forced = v, ReasonTargetingMatch, true
			return d
		}
	}
	if d.Bucket < Bucket(d.Percentage) {
		d.Variant = New
	}
	return d
}

// Stale is the decision in place of d when d's state may no longer be trusted.
func (d Decision) Stale() Decision {
	d.Variant, d.Reason, d.Forced = Old, ReasonStale, false
	return d
}
