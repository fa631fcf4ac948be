package main

import (
	"context"
	"encoding/json"
	"fmt"
)

type doctorCmd struct{}

// check is one thing that doctor looked at.
type check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"`
}

// Run checks the installation. What cannot be opened or reached is a finding, and
// also the error that decides the exit code.
func (doctorCmd) Run(ctx context.Context, s *session) error {
	report, raw, err := s.diagnose(ctx)
	if err != nil {
		f := explain(err)
		report.Checks = append(report.Checks, check{Name: "reach", Detail: s.redact(f.message), Hint: s.redact(f.hint)})
		if !s.JSON {
			s.writeChecks(report.Checks)
		}
		return err
	}
	if err := s.answer(raw, func() { s.writeChecks(report.Checks) }); err != nil {
		return err
	}
	bad := 0
	for _, c := range report.Checks {
		if !c.OK {
			bad++
		}
	}
	if bad > 0 {
		return failed(fmt.Sprintf("%s of %d failed", plural(bad, "check", "checks"), len(report.Checks)), "the list above says what to do about each")
	}
	return nil
}

type doctorReport struct {
	OK     bool    `json:"ok"`
	Checks []check `json:"checks"`
}

func (s *session) diagnose(ctx context.Context) (doctorReport, reply, error) {
	var report doctorReport
	c, err := s.connect(ctx)
	if err != nil {
		return report, nil, err
	}
	defer c.close() //nolint:errcheck // nothing was written
	raw, err := c.get(ctx, doctorPath, nil, &report)
	if err != nil {
		return report, nil, err
	}
	if !json.Valid(raw) {
		return report, nil, failed("the answer is not a report", "check --server")
	}
	return report, raw, nil
}

func (s *session) writeChecks(checks []check) {
	t := table{}
	for _, c := range checks {
		mark := s.style.good("✓")
		if !c.OK {
			mark = s.style.bad("✗")
		}
		t.add(mark, c.Name, printable(c.Detail))
		if !c.OK && c.Hint != "" {
			t.add("", "", "→ "+printable(c.Hint))
		}
	}
	t.write(s.stdout, s.style, "")
}
