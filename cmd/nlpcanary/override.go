package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/nlpcanary/nlpcanary/internal/api"
)

type overrideCmd struct {
	Add    overrideAddCmd    `cmd:"" help:"Pin a user to an architecture, or change where the user is pinned to."`
	Remove overrideRemoveCmd `cmd:"" help:"Let a user's bucket decide again."`
	List   overrideListCmd   `cmd:"" help:"List the pinned users, by keyed hash and label."`
}

type overrideAddCmd struct {
	User         string `arg:"" help:"The user's id; '-' reads it from stdin."`
	Architecture string `arg:"" enum:"old,new" help:"old or new."`
	Label        string `placeholder:"TEXT" help:"By what people know the user, such as a ticket. The id itself is not kept."`
	changeFlags
}

type overrideBody struct {
	change
	UserID       string `json:"user_id"`
	Architecture string `json:"architecture,omitempty"` // empty to remove
	Label        string `json:"label,omitempty"`
}

// Run pins a user.
func (cmd overrideAddCmd) Run(ctx context.Context, s *session) error {
	user, err := s.argument(ctx, cmd.User)
	if err != nil {
		return err
	}
	return s.change(ctx, http.MethodPost, overridePath, overrideBody{
		change: cmd.body(), UserID: user, Architecture: cmd.Architecture, Label: cmd.Label,
	})
}

type overrideRemoveCmd struct {
	User string `arg:"" optional:"" help:"The user's id; '-' reads it from stdin."`
	Hash string `placeholder:"HASH" help:"The user's keyed hash, as the list shows it, instead of the id."`
	changeFlags
}

// Run lets the bucket decide again.
func (cmd overrideRemoveCmd) Run(ctx context.Context, s *session) error {
	if (cmd.User == "") == (cmd.Hash == "") {
		return usage("which user?", "give the user's id, or --hash and the keyed hash that 'nlpcanary override list' shows")
	}
	if cmd.Hash != "" && cmd.Note != "" {
		return usage("--note cannot be given with --hash", "name the user by the id to leave a note")
	}
	if cmd.Hash != "" {
		return s.change(ctx, http.MethodDelete, overridePath+"/"+url.PathEscape(cmd.Hash)+dryRunQuery(cmd.DryRun), nil)
	}
	user, err := s.argument(ctx, cmd.User)
	if err != nil {
		return err
	}
	return s.change(ctx, http.MethodPost, overridePath+"/remove", overrideBody{change: cmd.body(), UserID: user})
}

type overrideListCmd struct{}

// Run lists the pinned users.
func (overrideListCmd) Run(ctx context.Context, s *session) error {
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close() //nolint:errcheck // nothing was written
	var list struct {
		Overrides []api.Override `json:"overrides"`
	}
	raw, err := c.get(ctx, overridePath, nil, &list)
	if err != nil {
		return err
	}
	return s.answer(raw, func() {
		if len(list.Overrides) == 0 {
			fmt.Fprintln(s.stdout, "No users are pinned.")
			return
		}
		t := table{header: []string{"USER (KEYED HASH)", "ON", "LABEL", "SINCE", "WHO"}}
		for _, o := range list.Overrides {
			t.add(o.User, o.Architecture, orDash(printable(o.Label)), timeText(o.CreatedAt), printable(o.CreatedBy))
		}
		t.write(s.stdout, s.style, "")
	})
}
