package api

import (
	"context"

	"github.com/nlpcanary/nlpcanary/rollout"
)

const settingsRoot = "/api/v1/admin/settings"

type settingsOutput struct {
	ETag string `header:"ETag"`
	Body rollout.Settings
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
	handle(a, route{method: "PUT", path: settingsRoot + "/{key}", id: "set-setting", needs: rollout.Administer, summary: "Change a setting",
		about: "soak: advise or enforce. when_stale: old or hold."}, a.setSetting)
}

func (a *API) listSettings(ctx context.Context, _ *struct{}) (*settingsOutput, error) {
	state, err := a.config.Store.State(ctx)
	if err != nil {
		return nil, err
	}
	return &settingsOutput{ETag: etag(state.Revision), Body: state.Settings}, nil
}

func (a *API) setSetting(ctx context.Context, in *setSettingInput) (*changeOutput, error) {
	applied, err := a.apply(ctx, in.ChangeInput, in.Body.ChangeBody, rollout.SetSetting{Key: in.Key, Value: in.Body.Value})
	if err != nil {
		return nil, err
	}
	return a.changed(ctx, applied, in.DryRun || in.Body.DryRun, in.Key+" is "+in.Body.Value), nil
}
