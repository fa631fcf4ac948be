package api

import (
	"context"

	"github.com/nlpcanary/nlpcanary/rollout"
)

type overridesOutput struct {
	ETag string `header:"ETag"`
	Body struct {
		Overrides []Override `json:"overrides"`
	}
}

type addOverrideInput struct {
	ChangeInput
	Body struct {
		ChangeBody
		UserID       string `json:"user_id" doc:"Of it only a keyed hash is kept."`
		Architecture string `json:"architecture" doc:"old or new"`
		Label        string `json:"label,omitempty" doc:"By which people know the user; at most 100 characters, never the user id."`
	}
}

type removeOverrideInput struct {
	ChangeInput
	Body struct {
		ChangeBody
		UserID string `json:"user_id"`
	}
}

type deleteOverrideInput struct {
	ChangeInput
	User string `path:"user" doc:"The user's keyed hash, as the list shows it."`
}

func (a *API) overrideRoutes() {
	root := canary + "overrides"
	handle(a, route{method: "GET", path: root, id: "list-overrides", needs: rollout.View, summary: "Users pinned to an architecture"}, a.listOverrides)
	handle(a, route{method: "POST", path: root, id: "add-override", needs: rollout.Operate, summary: "Pin a user to an architecture",
		about: "Pinning to old needs operator, pinning to new needs admin."}, a.addOverride)
	handle(a, route{method: "POST", path: root + "/remove", id: "remove-override", needs: rollout.Administer, summary: "Let a user's bucket decide again",
		about: "The user id is in the body, because a path gets into logs."}, a.removeOverride)
	handle(a, route{method: "DELETE", path: root + "/{user}", id: "delete-override", needs: rollout.Administer, summary: "Let a user's bucket decide again, by the keyed hash"}, a.deleteOverride)
}

func (a *API) listOverrides(ctx context.Context, _ *struct{}) (*overridesOutput, error) {
	state, err := a.config.Store.State(ctx)
	if err != nil {
		return nil, err
	}
	out := &overridesOutput{ETag: etag(state.Revision)}
	out.Body.Overrides = []Override{}
	for _, o := range state.Overrides {
		out.Body.Overrides = append(out.Body.Overrides, Override{
			User: o.User.String(), Architecture: string(o.Variant), Label: o.Label, CreatedAt: o.CreatedAt, CreatedBy: o.CreatedBy,
		})
	}
	return out, nil
}

func (a *API) addOverride(ctx context.Context, in *addOverrideInput) (*changeOutput, error) {
	b := in.Body
	user, err := rollout.ParseUserID(b.UserID)
	if err != nil {
		return nil, err
	}
	if b.Label == b.UserID {
		return nil, badField("label", "the label is the user id itself, which must not be kept", "choose a label by which people know the user, such as \"tester in Berlin\"")
	}
	applied, err := a.apply(ctx, in.ChangeInput, b.ChangeBody, rollout.AddOverride{
		User: a.config.Keyer.Key(user), Variant: rollout.Variant(b.Architecture), Label: b.Label,
	})
	if err != nil {
		return nil, err
	}
	return a.changed(ctx, applied, in.DryRun || b.DryRun, "the user is pinned to "+b.Architecture), nil
}

func (a *API) removeOverride(ctx context.Context, in *removeOverrideInput) (*changeOutput, error) {
	user, err := rollout.ParseUserID(in.Body.UserID)
	if err != nil {
		return nil, err
	}
	return a.unpin(ctx, in.ChangeInput, in.Body.ChangeBody, a.config.Keyer.Key(user))
}

func (a *API) deleteOverride(ctx context.Context, in *deleteOverrideInput) (*changeOutput, error) {
	var user rollout.UserKey
	if err := user.UnmarshalText([]byte(in.User)); err != nil {
		return nil, badField("user", "this is not a user's keyed hash", "it is 32 hexadecimal digits, as the list of overrides shows them")
	}
	return a.unpin(ctx, in.ChangeInput, ChangeBody{}, user)
}

func (a *API) unpin(ctx context.Context, in ChangeInput, body ChangeBody, user rollout.UserKey) (*changeOutput, error) {
	applied, err := a.apply(ctx, in, body, rollout.RemoveOverride{User: user})
	if err != nil {
		return nil, err
	}
	return a.changed(ctx, applied, in.DryRun || body.DryRun, "the user's bucket decides again"), nil
}
