package api

import (
	"context"
	"fmt"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/rollout"
)

type doctorOutput struct {
	Body struct {
		OK     bool          `json:"ok"`
		Checks []store.Check `json:"checks"`
	}
}

func (a *API) doctorRoute() {
	handle(a, route{method: "GET", path: "/api/v1/admin/doctor", id: "doctor", needs: rollout.View, summary: "Check what nlpcanary stands on"}, a.doctor)
}

func (a *API) doctor(ctx context.Context, _ *struct{}) (*doctorOutput, error) {
	out := &doctorOutput{}
	out.Body.Checks = a.config.Store.Doctor(ctx)
	if a.config.Follower != nil {
		s := a.config.Follower.Status()
		check := store.Check{Name: "lease", OK: s.Valid, Detail: fmt.Sprintf("%s of %s left, %d renewals, %d failed", s.Remaining.Round(time.Millisecond), s.Lease, s.Renewals, s.Failures)}
		if !s.Valid {
			check.Hint = "everyone is sent to old until the database answers again"
		}
		out.Body.Checks = append(out.Body.Checks, check)
	}
	out.Body.OK = true
	for _, c := range out.Body.Checks {
		out.Body.OK = out.Body.OK && c.OK
	}
	return out, nil
}
