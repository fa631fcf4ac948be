package api

import (
	"context"
	"fmt"
	"strings"

	"github.com/nlpcanary/nlpcanary/rollout"
)

const settingsRoot = "/api/v1/admin/settings"

type settingsOutput struct {
	ETag string `header:"ETag"`
	Body rollout.Settings
}

type settingInput struct {
	Key string `path:"key" maxLength:"64"`
}

type settingOutput struct {
	ETag string `header:"ETag"`
	Body struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
}

type setSettingInput struct {
	ChangeInput
	Key  string `path:"key" maxLength:"64"`
	Body struct {
		ChangeBody
		Value string `json:"value"`
	}
}

func (a *API) settingRoutes() {
	handle(a, route{method: "GET", path: settingsRoot, id: "list-settings", needs: rollout.View, summary: "The settings that all instances share"}, a.listSettings)
	handle(a, route{method: "GET", path: settingsRoot + "/{key}", id: "get-setting", needs: rollout.View, summary: "One setting"}, a.getSetting)
	handle(a, route{method: "PUT", path: settingsRoot + "/{key}", id: "set-setting", needs: rollout.Administer, summary: "Change a setting",
		about: aboutSettings()}, a.setSetting)
}

func aboutSettings() string {
	var about strings.Builder
	for _, s := range (rollout.Settings{}).Known() {
		fmt.Fprintf(&about, "- `%s`: %s (%s)\n", s.Key, s.About, s.Values)
	}
	return about.String()
}

func (a *API) listSettings(ctx context.Context, _ *struct{}) (*settingsOutput, error) {
	state, err := a.config.Store.State(ctx)
	if err != nil {
		return nil, err
	}
	return &settingsOutput{ETag: etag(state.Revision), Body: state.Settings}, nil
}

func (a *API) getSetting(ctx context.Context, in *settingInput) (*settingOutput, error) {
	state, err := a.config.Store.State(ctx)
	if err != nil {
		return nil, err
	}
	out := &settingOutput{ETag: etag(state.Revision)}
	out.Body.Key = in.Key
	value, known := state.Settings.Value(in.Key)
	if !known {
		return nil, notFound(fmt.Sprintf("there is no setting %.40q", in.Key), "GET "+settingsRoot+" lists them, soak and guardian among them")
	}
	out.Body.Value = value
	return out, nil
}

func (a *API) setSetting(ctx context.Context, in *setSettingInput) (*changeOutput, error) {
	applied, err := a.apply(ctx, in.ChangeInput, in.Body.ChangeBody, rollout.SetSetting{Key: in.Key, Value: in.Body.Value})
	if err != nil {
		return nil, err
	}
	return a.changed(ctx, applied, in.DryRun || in.Body.DryRun, in.Key+" is "+in.Body.Value), nil
}
