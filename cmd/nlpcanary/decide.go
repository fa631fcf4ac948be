package main

import (
	"context"
	"fmt"
	"net/url"

	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/rollout"
)

type decideCmd struct {
	User string `arg:"" help:"The user's id; '-' reads it from stdin."`
}

// Run shows a user's architecture.
func (cmd decideCmd) Run(ctx context.Context, s *session) error {
	user, err := s.argument(ctx, cmd.User)
	if err != nil {
		return err
	}
	c, err := s.connectDataPlane(ctx)
	if err != nil {
		return err
	}
	defer c.close() //nolint:errcheck // nothing was written
	var d api.Decision
	raw, err := c.get(ctx, "/api/v1/decision", url.Values{"user_id": {user}}, &d)
	if err != nil {
		return err
	}
	return s.answer(raw, func() {
		fmt.Fprintf(s.stdout, "%s  %s\n", s.style.strong(d.Architecture), because(d))
		fmt.Fprintf(s.stdout, "     %s, stage %s, revision %d\n", s.style.quiet(d.Reason), stageText(d.Stage, d.Percentage), d.Revision)
	})
}

// because puts a decision's reason in words.
func because(d api.Decision) string {
	switch rollout.Reason(d.Reason) {
	case rollout.ReasonStatic:
		return fmt.Sprintf("because %d %% of users are on new", d.Percentage)
	case rollout.ReasonSplit:
		if d.Bucket == nil {
			return ""
		}
		if d.Architecture == string(rollout.New) {
			return fmt.Sprintf("because the user's bucket %d is below %d", *d.Bucket, d.Percentage)
		}
		return fmt.Sprintf("because the user's bucket %d is not below %d", *d.Bucket, d.Percentage)
	case rollout.ReasonTargetingMatch:
		return "because an override pins the user"
	case rollout.ReasonDisabled:
		return "because the kill switch is off, or glass was broken on the instance"
	case rollout.ReasonStale:
		return "because the instance has no state that it may trust"
	case rollout.ReasonError:
		return "because the user id is not valid"
	}
	return ""
}
