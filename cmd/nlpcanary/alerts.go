package main

import (
	"context"
	"fmt"
	"net/url"

	"github.com/nlpcanary/nlpcanary/internal/api"
)

type alertsCmd struct {
	All bool `help:"Resolved alerts too."`
}

// Run lists what is wrong.
func (cmd alertsCmd) Run(ctx context.Context, s *session) error {
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close() //nolint:errcheck // nothing was written
	which := "firing"
	if cmd.All {
		which = "all"
	}
	var list api.Alerts
	raw, err := c.get(ctx, canaryPath+"/alerts", url.Values{"state": {which}}, &list)
	if err != nil {
		return err
	}
	return s.answer(raw, func() {
		if len(list.Alerts) == 0 {
			fmt.Fprintln(s.stdout, s.style.good("Nothing is wrong, as far as the guardian saw."))
			return
		}
		t := table{header: []string{"STATE", "RULE", "SUBJECT", "SINCE", ""}}
		for _, a := range list.Alerts {
			state := s.style.quiet("resolved")
			if a.Firing {
				state = s.severity(a.Severity)
			}
			t.add(state, a.Rule, orDash(printable(a.Subject)), timeText(a.Since), printable(a.Summary))
		}
		t.write(s.stdout, s.style, "")
	})
}

func (s *session) severity(severity string) string {
	switch severity {
	case "critical":
		return s.style.bad(severity)
	case "warning":
		return s.style.warn(severity)
	}
	return severity
}
