package main

import (
	"context"
	"net/http"
	"net/url"
	"slices"
)

type settingCmd struct {
	List settingListCmd `cmd:"" help:"List the settings."`
	Set  settingSetCmd  `cmd:"" help:"Change a setting: soak (advise, enforce) or when_stale (old, hold)."`
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
		for _, known := range settingMeanings {
			if value, ok := settings[known.key].(string); ok {
				t.add(known.key, value, s.style.quiet(known.meaning[value]))
			}
		}
		t.write(s.stdout, s.style, "")
	})
}

// settingMeanings explains each value of each setting, in the order of the list.
var settingMeanings = []struct {
	key     string
	meaning map[string]string
}{
	{"soak", map[string]string{
		"advise":  "an early advance goes through with a warning",
		"enforce": "an early advance is refused",
	}},
	{"when_stale", map[string]string{
		"old":  "an instance without a valid lease sends everyone to old",
		"hold": "an instance without a valid lease serves its last state: rollbacks are not bounded in time",
	}},
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
	if !slices.ContainsFunc(settingMeanings, func(known struct {
		key     string
		meaning map[string]string
	}) bool {
		return known.key == cmd.Key
	}) {
		return usage("there is no setting "+cmd.Key, "the settings are soak and when_stale")
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
