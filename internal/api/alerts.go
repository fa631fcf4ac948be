package api

import (
	"context"
	"slices"

	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/rollout"
)

func (a *API) alertRoutes() {
	handle(a, route{method: "GET", path: canary + "alerts", id: "alerts", needs: rollout.View,
		summary: "What is wrong, and what was",
		about:   "What fires comes first, the newest first; then what is resolved."}, a.alerts)
}

type alertsInput struct {
	State string `query:"state" enum:"firing,resolved,all" default:"firing"`
}

type alertsOutput struct{ Body Alerts }

func (a *API) alerts(ctx context.Context, in *alertsInput) (*alertsOutput, error) {
	known, err := a.config.Store.Alerts(ctx)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(known, func(x, y store.Alert) int {
		if fires, other := x.ResolvedAt.IsZero(), y.ResolvedAt.IsZero(); fires != other {
			if fires {
				return -1
			}
			return 1
		}
		return y.Since.Compare(x.Since)
	})
	out := &alertsOutput{Body: Alerts{Alerts: []Alert{}, Timestamp: a.now().UTC()}}
	for _, one := range known {
		firing := one.ResolvedAt.IsZero()
		if in.State == "firing" && !firing || in.State == "resolved" && firing {
			continue
		}
		alert := Alert{Rule: one.Rule, Subject: one.Subject, Severity: one.Severity, Summary: one.Summary, Firing: firing, Since: one.Since}
		if !firing {
			alert.ResolvedAt = &one.ResolvedAt
		}
		out.Body.Alerts = append(out.Body.Alerts, alert)
	}
	return out, nil
}
