package guardian

import (
	"cmp"
	"slices"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/notify"
	"github.com/nlpcanary/nlpcanary/internal/store"
)

// Of alerts: when people are told again.
const (
	// settleAfter is how long trouble must be gone before it is called resolved, so
	// that what comes and goes is one alert.
	settleAfter = time.Minute
	// coolDown is how long after telling of trouble nothing is told of its coming back.
	coolDown = 15 * time.Minute
	// remindAfter is how often people are reminded of trouble that goes on.
	remindAfter = 4 * time.Hour
)

// finding is trouble that one look found.
type finding struct {
	rule, subject string
	severity      notify.Severity
	summary       string
}

// alarm is trouble that is known of.
type alarm struct {
	store.Alert
	seen time.Time // when it was found last
}

// alarms remembers trouble from look to look.
type alarms struct {
	known map[[2]string]*alarm
}

// recall continues where another leader, or this one before, was.
func recall(list []store.Alert, now time.Time) *alarms {
	a := &alarms{known: map[[2]string]*alarm{}}
	for _, one := range list {
		a.known[[2]string{one.Rule, one.Subject}] = &alarm{one, now}
	}
	return a
}

// look compares what was found now with what was known. Kept are the alerts that
// changed, to be stored before anybody is told; told is which of them people must
// hear of.
func (a *alarms) look(found []finding, now time.Time) (kept []store.Alert, told []store.Alert) {
	for _, f := range found {
		if tell, changed := a.fire(f, now); changed {
			one := a.known[[2]string{f.rule, f.subject}].Alert
			kept = append(kept, one)
			if tell {
				told = append(told, one)
			}
		}
	}
	for _, one := range a.known {
		if !one.ResolvedAt.IsZero() || now.Sub(one.seen) < settleAfter {
			continue
		}
		one.ResolvedAt = now
		kept = append(kept, one.Alert)
		if !one.NotifiedAt.Before(one.Since) {
			told = append(told, one.Alert)
		}
	}
	byName := func(a, b store.Alert) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Subject, b.Subject))
	}
	slices.SortFunc(kept, byName)
	slices.SortFunc(told, byName)
	return kept, told
}

// fire notes trouble that was found, and says whether people must hear of it.
func (a *alarms) fire(f finding, now time.Time) (tell, changed bool) {
	key := [2]string{f.rule, f.subject}
	one, known := a.known[key]
	if !known {
		one = &alarm{Alert: store.Alert{Rule: f.rule, Subject: f.subject, Since: now}}
		a.known[key] = one
		changed = true
	}
	if !one.ResolvedAt.IsZero() {
		one.Since, one.ResolvedAt = now, time.Time{}
		changed = true
	}
	worse := rank(f.severity) > rank(notify.Severity(one.Severity)) && known
	untold := one.NotifiedAt.Before(one.Since)
	quietFor := now.Sub(one.NotifiedAt)
	switch {
	case worse, one.NotifiedAt.IsZero(), untold && quietFor >= coolDown, quietFor >= remindAfter:
		one.NotifiedAt = now
		tell, changed = true, true
	}
	if one.Severity != string(f.severity) {
		one.Severity, changed = string(f.severity), true
	}
	one.Summary, one.seen = f.summary, now
	return tell, changed
}

func rank(s notify.Severity) int {
	return slices.Index([]notify.Severity{notify.Info, notify.Warning, notify.Critical}, s)
}
