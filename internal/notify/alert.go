package notify

import (
	"context"
	"time"
)

// Severity is how soon a person must act.
type Severity string

// The severities.
const (
	Info     Severity = "info"     // good to know
	Warning  Severity = "warning"  // in working hours
	Critical Severity = "critical" // now: wakes whoever is on call
)

// Alert is something that began to be wrong, or ended. It never holds user ids,
// texts or secrets.
type Alert struct {
	// Rule names what is watched, such as "error_rate" or "stale_instance".
	Rule string
	// Subject is what it is about, such as an instance's id; empty where the rule says
	// all. Alerts of one rule and subject are about the same trouble.
	Subject  string
	Severity Severity
	// Resolved says that the trouble ended; false that it began, or goes on.
	Resolved bool
	// Summary is one or two sentences that a tired person understands.
	Summary string
	// Since is when the trouble began, At when this was found.
	Since, At time.Time
	// Rollout is the rollout's name, Stage where it stands, as "2 EXPANDED 25 %".
	Rollout, Stage string
}

// Key is the same for all alerts of one trouble.
func (a Alert) Key() string { return "nlpcanary/" + a.Rule + "/" + a.Subject }

// Notifier is a way to people.
type Notifier interface {
	// Name says which one it is, such as "slack"; never a secret.
	Name() string
	// Notify delivers the alert, or says why it could not be delivered.
	Notify(ctx context.Context, a Alert) error
}
