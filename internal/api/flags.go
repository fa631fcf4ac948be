package api

import (
	"context"
	"fmt"
	"time"

	"github.com/nlpcanary/nlpcanary/rollout"
)

const flagsRoot = "/api/v1/admin/feature-flags"

type flagsOutput struct {
	ETag string `header:"ETag"`
	Body struct {
		Flags []Flag `json:"flags"`
	}
}

type flagInput struct {
	Name string `path:"name" maxLength:"100"`
}

type flagOutput struct {
	ETag string `header:"ETag"`
	Body Flag
}

type setFlagInput struct {
	ChangeInput
	Name string `path:"name" maxLength:"100"`
	Body struct {
		ChangeBody
		Enabled bool   `json:"enabled"`
		WaitMS  *int64 `json:"wait_ms,omitempty" doc:"For the kill switch: how long to wait for the instances to honour it, 0 to 60000; 5000 if not given."`
	}
}

type createFlagInput struct {
	ChangeInput
	Body struct {
		ChangeBody
		Name         string `json:"name" doc:"1 to 100 ASCII letters, digits, '-', '_' or '.'"`
		Enabled      *bool  `json:"enabled,omitempty" doc:"The value to start with, if not the default one."`
		Category     string `json:"category,omitempty"`
		Description  string `json:"description,omitempty"`
		DefaultValue bool   `json:"default_value,omitempty"`
	}
}

func (a *API) flagRoutes() {
	handle(a, route{method: "GET", path: flagsRoot, id: "list-flags", needs: rollout.View, summary: "All feature flags"}, a.listFlags)
	handle(a, route{method: "GET", path: flagsRoot + "/{name}", id: "get-flag", needs: rollout.View, summary: "One feature flag"}, a.getFlag)
	handle(a, route{method: "POST", path: flagsRoot, id: "create-flag", needs: rollout.Administer, status: 201, summary: "Add a feature flag"}, a.createFlag)
	// Killing needs less than everything else that can be done here, and the rule
	// itself knows which it is.
	handle(a, route{method: "PUT", path: flagsRoot + "/{name}", id: "set-flag", needs: rollout.Operate, summary: "Switch a feature flag",
		about: "Switching " + rollout.KillSwitch + " off takes everyone back to old and needs operator; everything else needs admin."}, a.setFlag)
}

func flagBody(f rollout.Flag) Flag { return Flag(f) }

func (a *API) listFlags(ctx context.Context, _ *struct{}) (*flagsOutput, error) {
	state, err := a.config.Store.State(ctx)
	if err != nil {
		return nil, err
	}
	out := &flagsOutput{ETag: etag(state.Revision)}
	out.Body.Flags = []Flag{}
	for _, f := range state.Flags {
		out.Body.Flags = append(out.Body.Flags, flagBody(f))
	}
	return out, nil
}

func (a *API) getFlag(ctx context.Context, in *flagInput) (*flagOutput, error) {
	state, err := a.config.Store.State(ctx)
	if err != nil {
		return nil, err
	}
	f, ok := state.Flag(in.Name)
	if !ok {
		return nil, notFound(fmt.Sprintf("there is no flag %.40q", in.Name), "list the flags to see which there are")
	}
	return &flagOutput{ETag: etag(state.Revision), Body: flagBody(f)}, nil
}

func (a *API) createFlag(ctx context.Context, in *createFlagInput) (*changeOutput, error) {
	b := in.Body
	applied, err := a.apply(ctx, in.ChangeInput, b.ChangeBody, rollout.CreateFlag{
		Name: b.Name, Category: b.Category, Description: b.Description, DefaultValue: b.DefaultValue, Enabled: b.Enabled,
	})
	if err != nil {
		return nil, err
	}
	return a.changed(ctx, applied, in.DryRun || b.DryRun, "the flag "+b.Name+" is created"), nil
}

func (a *API) setFlag(ctx context.Context, in *setFlagInput) (*changeOutput, error) {
	wait, err := waitOf(in.Body.WaitMS)
	if err != nil {
		return nil, err
	}
	dry := in.DryRun || in.Body.DryRun
	applied, err := a.apply(ctx, in.ChangeInput, in.Body.ChangeBody, rollout.SetFlag{Name: in.Name, Enabled: in.Body.Enabled})
	if err != nil {
		return nil, err
	}
	committed := time.Now()
	word := map[bool]string{true: "on", false: "off"}[in.Body.Enabled]
	out := a.changed(ctx, applied, dry, fmt.Sprintf("the flag %s is %s", in.Name, word))
	if dry || wait == 0 || in.Name != rollout.KillSwitch || in.Body.Enabled {
		return out, nil
	}
	out.Body.Convergence, err = a.converge(ctx, applied.State.Revision, committed, wait)
	if err != nil {
		out.Body.Warnings = append(out.Body.Warnings, "the kill switch is off, but which instances honour it could not be read: "+a.classify(err).Detail)
	}
	return out, nil
}
