package main

import (
	"context"
	"net/http"
)

type rolloutCmd struct {
	Start    rolloutStartCmd    `cmd:"" help:"Start the next rollout at stage 0, with a fresh salt."`
	Finalise rolloutFinaliseCmd `cmd:"" help:"Declare the rollout done: the old architecture may be taken away."`
}

type rolloutStartCmd struct {
	Name string `arg:"" help:"Its name, never used before."`
	Old  string `required:"" placeholder:"NAME" help:"The architecture that serves now."`
	New  string `required:"" placeholder:"NAME" help:"The architecture to move to."`
	changeFlags
}

type rolloutStartBody struct {
	change
	Name string `json:"name"`
	Old  string `json:"old"`
	New  string `json:"new"`
}

// Run starts the next rollout, based on the revision that stands.
func (cmd rolloutStartCmd) Run(ctx context.Context, s *session) error {
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close() //nolint:errcheck // the change is committed by the answer
	body, err := cmd.basedOnNow(ctx, c)
	if err != nil {
		return err
	}
	return s.changeWith(ctx, c, http.MethodPost, canaryPath+"/start", rolloutStartBody{change: body, Name: cmd.Name, Old: cmd.Old, New: cmd.New})
}

type rolloutFinaliseCmd struct {
	changeFlags
}

// Run finalises the rollout, based on the revision that stands.
func (cmd rolloutFinaliseCmd) Run(ctx context.Context, s *session) error {
	return cmd.make(ctx, s, "/finalise")
}
