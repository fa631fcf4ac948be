package notify

import (
	"context"
	"time"
)

// pagerDutyURL is where events go unless the configuration names the service of
// another region.
const pagerDutyURL = "https://events.pagerduty.com/v2/enqueue"

// pagerDuty sends events of PagerDuty's Events API v2: trigger and resolve, which meet
// in one incident by their dedup_key.
type pagerDuty struct {
	name, routingKey, source string
	poster
}

type pagerDutyEvent struct {
	RoutingKey string            `json:"routing_key"`
	Action     string            `json:"event_action"`
	DedupKey   string            `json:"dedup_key"`
	Payload    *pagerDutyPayload `json:"payload,omitempty"`
}

type pagerDutyPayload struct {
	Summary   string            `json:"summary"` // at most 1,024 characters
	Source    string            `json:"source"`
	Severity  string            `json:"severity"`
	Timestamp string            `json:"timestamp"`
	Component string            `json:"component"`
	Class     string            `json:"class"`
	Details   map[string]string `json:"custom_details"`
}

// Name is the name in the configuration.
func (p pagerDuty) Name() string { return p.name }

// Notify sends the event. What is merely good to know wakes nobody: it is not sent.
func (p pagerDuty) Notify(ctx context.Context, a Alert) error {
	if a.Severity == Info {
		return nil
	}
	event := pagerDutyEvent{RoutingKey: p.routingKey, Action: "trigger", DedupKey: clip(a.Key(), 255)}
	if a.Resolved {
		event.Action = "resolve"
	} else {
		event.Payload = &pagerDutyPayload{
			Summary: clip(headline(a)+": "+a.Summary, 1024), Source: p.source, Severity: string(a.Severity),
			Timestamp: a.At.UTC().Format(time.RFC3339Nano), Component: a.Rollout, Class: a.Rule,
			Details: map[string]string{"subject": a.Subject, "stage": a.Stage, "since": a.Since.UTC().Format(time.RFC3339)},
		}
	}
	body, err := encode(event)
	if err != nil {
		return err
	}
	return p.post(ctx, body, nil)
}

// clip shortens a text to that many characters.
func clip(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return string(runes[:most-1]) + "…"
}
