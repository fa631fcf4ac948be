package guardian

import (
	"fmt"
	"math"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/advisor"
	"github.com/nlpcanary/nlpcanary/internal/evidence"
	"github.com/nlpcanary/nlpcanary/internal/notify"
	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/outcome"
)

// The rules, by which alerts are named.
const (
	ruleErrors   = "error_rate"
	ruleTimeouts = "timeout_rate"
	ruleWorse    = "worse" // of a metric: proven, with its limit or without
	ruleSplit    = "sample_ratio"
	ruleTraffic  = "no_traffic"
	ruleInstance = "stale_instance"
	ruleGlass    = "break_glass"
	ruleDatabase = "database"
	ruleAudit    = "audit"
	ruleWentBack = "database_went_back"
	ruleRollback = "rolled_back"
	ruleAdvance  = "advanced"
)

// sight is everything that one look saw.
type sight struct {
	advisor.Input
	advice    advisor.Advice
	instances []store.Instance
	audit     store.AuditReport
	distrust  string // why no instance trusts the database; empty if all do
}

// findings applies every rule.
func (s sight) findings() []finding {
	var list []finding
	for _, rule := range []func(sight) []finding{
		sight.spikes, sight.judged, sight.traffic, sight.lost, sight.brokenAudit, sight.wentBack,
	} {
		list = append(list, rule(s)...)
	}
	return list
}

// recently is how far back a spike is looked for: short enough that an outage shows
// at once, long enough for some requests.
const recently = 5 * time.Minute

// split adds up the blocks of the last few minutes, and those before.
func (s sight) split(last time.Duration) (recent, before outcome.Block) {
	border := outcome.MinuteOf(s.At.Add(-last))
	for _, b := range s.Window.Blocks {
		to := &before
		if b.Minute > border {
			to = &recent
		}
		to.Old.Add(b.Old)
		to.New.Add(b.New)
	}
	return recent, before
}

// A spike is an alarm for people, not evidence against an architecture: it looks at a
// few minutes, of both, and needs a rate that is surely past twice the usual one and
// one percent more. What the guardian acts on is judged over the whole stage.
const (
	spikeFactor = 2
	spikeMargin = .01
)

func (s sight) spikes() []finding {
	recent, before := s.split(recently)
	usualOfNew := before.Old
	usualOfNew.Add(recent.Old)
	var list []finding
	for _, v := range []struct {
		name           string
		recent, before outcome.Counts
	}{
		{"new", recent.New, usualOfNew}, // new is measured by old
		{"old", recent.Old, before.Old},
	} {
		usual := share(v.before.Errors, v.before.Requests)
		if surely(v.recent.Errors, v.recent.Requests) > math.Max(spikeFactor*usual, usual+spikeMargin) {
			list = append(list, finding{ruleErrors, v.name, notify.Critical, fmt.Sprintf(
				"%.1f %% of %d texts failed on %s in the last %d minutes; %.1f %% are usual.",
				100*share(v.recent.Errors, v.recent.Requests), v.recent.Requests, v.name, recently/time.Minute, 100*usual)})
		}
		if limit := s.State.Settings.RollbackTimeoutRate; surely(v.recent.Timeouts, v.recent.Requests) > limit {
			list = append(list, finding{ruleTimeouts, v.name, notify.Critical, fmt.Sprintf(
				"%.1f %% of %d texts timed out on %s in the last %d minutes; the limit is %.1f %%.",
				100*share(v.recent.Timeouts, v.recent.Requests), v.recent.Requests, v.name, recently/time.Minute, 100*limit)})
		}
	}
	return list
}

func share(part, of int64) float64 {
	if of == 0 {
		return 0
	}
	return float64(part) / float64(of)
}

// surely is a rate that the true one is above with near certainty: the lower end of
// Wilson's interval at z = 3.3 (E. B. Wilson, JASA 22, 1927); 0 if nothing was seen.
func surely(part, of int64) float64 {
	if of == 0 {
		return 0
	}
	const z = 3.3
	n, p := float64(of), share(part, of)
	middle := p + z*z/(2*n)
	spread := z * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return math.Max(0, (middle-spread)/(1+z*z/n))
}

// Traffic is missed when this much time of a stage has passed without any.
const trafficWithin = 10 * time.Minute

func (s sight) traffic() []finding {
	percentage := s.State.EffectivePercentage()
	if percentage == 0 || s.At.Sub(s.State.Rollout.EpochSince) < trafficWithin {
		return nil
	}
	recent, before := s.split(trafficWithin)
	minutes := int(trafficWithin / time.Minute)
	switch {
	case recent.New.Requests > 0:
		return nil
	case recent.Old.Requests >= int64(100*float64(minRequests)/float64(percentage)):
		// Old alone is served, and so much that new's share cannot be missing by chance.
		return []finding{{ruleTraffic, "new", notify.Warning, fmt.Sprintf(
			"Nothing reached the new architecture for %d minutes, although %d %% of users should be on it and old served %d texts.", minutes, percentage, recent.Old.Requests)}}
	case recent.Old.Requests == 0 && before.New.Requests+before.Old.Requests > 0:
		return []finding{{ruleTraffic, "", notify.Warning, fmt.Sprintf("No text was served for %d minutes, by either architecture.", minutes)}}
	}
	return nil
}

// minRequests is how many of new's requests must be missing before they are missed:
// the chance of none by chance is then e^-20.
const minRequests = 20

// judged are the verdicts that people must hear of, and a split that is none.
func (s sight) judged() []finding {
	var list []finding
	for _, f := range s.Report.Findings {
		if f.Verdict != evidence.Harm && f.Verdict != evidence.Worse {
			continue
		}
		severity := notify.Warning
		if f.Verdict == evidence.Harm {
			severity = notify.Critical
		}
		list = append(list, finding{ruleWorse, string(f.Metric), severity, s.Words(f)})
	}
	if split := s.Report.Split; split.Mismatch {
		list = append(list, finding{ruleSplit, "", notify.Critical, fmt.Sprintf(
			"Users are not split as designed: about %d on old and %d on new, where %.0f %% should be on new. The assignment or the counting is broken.",
			split.OldUsers, split.NewUsers, 100*split.Share)})
	}
	return list
}

// lost finds instances that are cut off, or sent everyone to old by themselves.
func (s sight) lost() []finding {
	var list []finding
	for _, i := range s.instances {
		switch silent := s.At.Sub(i.SeenAt); {
		case silent > i.Lease:
			list = append(list, finding{ruleInstance, i.ID, notify.Warning, fmt.Sprintf(
				"Instance %s has not renewed its lease since %s: it sends everyone to old, if it runs at all.", i.ID, i.SeenAt.Format(time.RFC3339))})
		case i.BreakGlass:
			list = append(list, finding{ruleGlass, i.ID, notify.Warning, fmt.Sprintf(
				"Instance %s sends everyone to old by its kill file or SIGUSR1, until somebody clears that.", i.ID)})
		}
	}
	return list
}

func (s sight) brokenAudit() []finding {
	if s.audit.OK || s.audit.Problem == "" {
		return nil
	}
	return []finding{{ruleAudit, "", notify.Critical, "The audit trail does not verify, so nothing may advance; rolling back works. " + s.audit.Problem}}
}

func (s sight) wentBack() []finding {
	if s.distrust == "" {
		return nil
	}
	return []finding{{ruleWentBack, "", notify.Critical,
		"The database went back, so no instance trusts it and everyone gets old: " + s.distrust + ". A person must accept it or bring back the right one."}}
}
