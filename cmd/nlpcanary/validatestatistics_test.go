package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/nlpcanary/nlpcanary/internal/evidence"
)

func TestAFailedRowIsAFailure(t *testing.T) {
	row := evidence.ValidationRow{Case: "timeouts at exactly 1 %", Must: "false rollback <= 5 %", Measured: "9.5 %", Value: .095, Limit: .06, Trials: 1000}
	for _, c := range []struct {
		passed, json bool
		want         string
	}{
		{true, false, "pass"},
		{false, false, "FAIL"},
		{true, true, `"passed": true`},
		{false, true, `"passed": false`},
	} {
		var stdout, stderr bytes.Buffer
		s := newSession(environ{}, strings.NewReader(""), &stdout, &stderr)
		s.JSON = c.json
		row.Passed = c.passed
		err := s.reportValidation(evidence.Validation{Seed: 3, Quick: true, Rows: []evidence.ValidationRow{row}, Passed: c.passed})
		exit := exitOK
		if err != nil {
			exit = s.report(err)
		}
		if want := map[bool]int{true: exitOK, false: exitError}[c.passed]; exit != want {
			t.Errorf("passed %v: exit code %d", c.passed, exit)
		}
		if !strings.Contains(stdout.String(), c.want) || !strings.Contains(stdout.String(), "9.5 %") {
			t.Errorf("passed %v, JSON %v:\n%s", c.passed, c.json, stdout.String())
		}
	}
}
