package main

import (
	"context"
	"net/http"
	"net/url"

	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/rollout"
)

type flagCmd struct {
	List   flagListCmd   `cmd:"" help:"List the flags."`
	Get    flagGetCmd    `cmd:"" help:"Show one flag."`
	Set    flagSetCmd    `cmd:"" help:"Switch a flag on or off."`
	Create flagCreateCmd `cmd:"" help:"Create a flag."`
}

type flagListCmd struct{}

// Run lists the flags.
func (flagListCmd) Run(ctx context.Context, s *session) error {
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close() //nolint:errcheck // nothing was written
	var list struct {
		Flags []api.Flag `json:"flags"`
	}
	raw, err := c.get(ctx, flagsPath, nil, &list)
	if err != nil {
		return err
	}
	return s.answer(raw, func() { s.writeFlags(list.Flags...) })
}

func (s *session) writeFlags(flags ...api.Flag) {
	t := table{header: []string{"FLAG", "STATE", "DEFAULT", "CATEGORY", "UPDATED", "DESCRIPTION"}}
	for _, f := range flags {
		t.add(f.Name, s.onOff(f.Enabled), onOffText(f.DefaultValue), orDash(printable(f.Category)), timeText(f.UpdatedAt), clip(printable(f.Description), 70))
	}
	t.write(s.stdout, s.style, "")
}

func onOffText(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func (s *session) onOff(on bool) string {
	if on {
		return s.style.good("on")
	}
	return s.style.bad("off")
}

type flagGetCmd struct {
	Name string `arg:"" help:"The flag."`
}

// Run shows one flag.
func (cmd flagGetCmd) Run(ctx context.Context, s *session) error {
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close() //nolint:errcheck // nothing was written
	var flag api.Flag
	raw, err := c.get(ctx, flagPath(cmd.Name), nil, &flag)
	if err != nil {
		return err
	}
	return s.answer(raw, func() { s.writeFlags(flag) })
}

func flagPath(name string) string { return flagsPath + "/" + url.PathEscape(name) }

type flagSetCmd struct {
	Name  string `arg:"" help:"The flag."`
	Value string `arg:"" enum:"on,off,true,false" help:"on, off, true or false."`
	changeFlags
}

type flagSetBody struct {
	change
	Enabled bool `json:"enabled"`
}

// Run switches the flag. Switching the kill switch off is an emergency like a
// rollback: it looks at nothing before and waits until it holds everywhere.
func (cmd flagSetCmd) Run(ctx context.Context, s *session) error {
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close() //nolint:errcheck // the change is committed by the answer
	body := flagSetBody{change: cmd.body(), Enabled: cmd.Value == "on" || cmd.Value == "true"}
	kill := cmd.Name == rollout.KillSwitch && !body.Enabled
	if !kill {
		if body.change, err = cmd.basedOnNow(ctx, c); err != nil {
			return err
		}
	}
	var changed api.Change
	raw, err := c.call(ctx, http.MethodPut, flagPath(cmd.Name), body, &changed)
	if err != nil {
		return err
	}
	if err := s.answer(raw, func() { s.writeChange(changed) }); err != nil {
		return err
	}
	return s.requireHeld(changed.Convergence)
}

type flagCreateCmd struct {
	Name        string `arg:"" help:"Letters, digits, '-', '_' and '.'; at most 100."`
	Description string `placeholder:"TEXT" help:"What it switches."`
	Category    string `placeholder:"TEXT" help:"What it belongs to."`
	Default     string `enum:"on,off,true,false" default:"off" placeholder:"on|off" help:"Its default value, which it starts with: on or off; off if not given."`
	changeFlags
}

type flagCreateBody struct {
	change
	Name         string `json:"name"`
	Category     string `json:"category,omitempty"`
	Description  string `json:"description,omitempty"`
	DefaultValue bool   `json:"default_value"`
}

// Run creates a flag.
func (cmd flagCreateCmd) Run(ctx context.Context, s *session) error {
	return s.change(ctx, http.MethodPost, flagsPath, flagCreateBody{
		change: cmd.body(), Name: cmd.Name, Category: cmd.Category, Description: cmd.Description,
		DefaultValue: cmd.Default == "on" || cmd.Default == "true",
	})
}
