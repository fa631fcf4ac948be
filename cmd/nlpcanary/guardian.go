package main

import (
	"context"
	"net/http"
)

type approveCmd struct {
	changeFlags
}

// Run approves the next stage, based on the revision that stands: an approval of
// what one has not seen is worth nothing.
func (cmd approveCmd) Run(ctx context.Context, s *session) error {
	return cmd.make(ctx, s, "/approve")
}

type guardianCmd struct {
	Pause  guardianPauseCmd  `cmd:"" help:"Stop everything automatic: the guardian then only alerts."`
	Resume guardianResumeCmd `cmd:"" help:"Let the guardian act again as the setting guardian says."`
}

type guardianPauseCmd struct {
	changeFlags
}

// Run pauses the guardian.
func (cmd guardianPauseCmd) Run(ctx context.Context, s *session) error {
	return cmd.make(ctx, s, "/guardian/pause")
}

type guardianResumeCmd struct {
	changeFlags
}

// Run resumes the guardian.
func (cmd guardianResumeCmd) Run(ctx context.Context, s *session) error {
	return cmd.make(ctx, s, "/guardian/resume")
}

// make posts a change that has no fields of its own, based on the revision that
// stands.
func (f changeFlags) make(ctx context.Context, s *session, path string) error {
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close() //nolint:errcheck // the change is committed by the answer
	body, err := f.basedOnNow(ctx, c)
	if err != nil {
		return err
	}
	return s.changeWith(ctx, c, http.MethodPost, canaryPath+path, body)
}
