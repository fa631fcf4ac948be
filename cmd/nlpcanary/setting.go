package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	"github.com/nlpcanary/nlpcanary/rollout"
)

type settingCmd struct {
	List settingListCmd `cmd:"" help:"List the settings."`
	Set  settingSetCmd  `cmd:"" help:"Change a setting; 'setting list' says which there are."`
}

type settingListCmd struct{}

// Run lists the settings.
func (settingListCmd) Run(ctx context.Context, s *session) error {
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close() //nolint:errcheck // nothing was written
	var settings map[string]any
	raw, err := c.get(ctx, settingsPath, nil, &settings)
	if err != nil {
		return err
	}
	return s.answer(raw, func() {
		t := table{header: []string{"SETTING", "VALUE", ""}}
		for _, known := range (rollout.Settings{}).Known() {
			if value, ok := settings[known.Key]; ok {
				t.add(known.Key, fmt.Sprint(value), s.style.quiet(known.About))
			}
		}
		t.write(s.stdout, s.style, "")
	})
}

type settingSetCmd struct {
	Key   string `arg:"" help:"The setting."`
	Value string `arg:"" help:"Its new value."`
	changeFlags
}

type settingBody struct {
	change
	Value string `json:"value"`
}

// Run changes a setting.
func (cmd settingSetCmd) Run(ctx context.Context, s *session) error {
	if _, known := rollout.DefaultSettings().Value(cmd.Key); !known {
		return usage("there is no setting "+cmd.Key, "'nlpcanary setting list' says which there are")
	}
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close() //nolint:errcheck // the change is committed by the answer
	body, err := cmd.basedOnNow(ctx, c)
	if err != nil {
		return err
	}
	return s.changeWith(ctx, c, http.MethodPut, settingsPath+"/"+url.PathEscape(cmd.Key), settingBody{change: body, Value: cmd.Value})
}
