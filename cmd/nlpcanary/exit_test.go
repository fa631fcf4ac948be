package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/rollout"
)

func TestExplainMapsErrorsToExitCodes(t *testing.T) {
	problem := func(status int, code string) error {
		return &problemError{api.Problem{Status: status, Code: code, Title: "T"}}
	}
	for name, test := range map[string]struct {
		err  error
		exit int
	}{
		"anything else":                 {errors.New("boom"), exitError},
		"bad arguments":                 {usage("bad", ""), exitUsage},
		"a value that breaks a rule":    {&rollout.Refusal{Code: rollout.CodeInvalid}, exitUsage},
		"a refused change":              {&rollout.Refusal{Code: rollout.CodeSoak}, exitError},
		"an unmigrated database":        {fmt.Errorf("opening: %w", store.ErrNotMigrated), exitDatabase},
		"a newer database":              {fmt.Errorf("opening: %w", store.ErrNewerSchema), exitDatabase},
		"a database that fails":         {fmt.Errorf("opening: %w", store.ErrDatabase), exitDatabase},
		"a problem: bad request":        {problem(400, "invalid"), exitUsage},
		"a problem: unprocessable":      {problem(422, "invalid"), exitUsage},
		"a problem: not allowed":        {problem(403, "forbidden"), exitError},
		"a problem: conflict":           {problem(409, "conflict"), exitError},
		"a problem: unknown":            {problem(404, "not_found"), exitError},
		"a problem: the database fails": {problem(503, codeDatabase), exitDatabase},
		"a problem: overload":           {problem(503, "overloaded"), exitError},
	} {
		if got := explain(test.err).exit; got != test.exit {
			t.Errorf("%s: exit %d; want %d", name, got, test.exit)
		}
	}
}

func TestProblemNamesTheFields(t *testing.T) {
	err := &problemError{api.Problem{
		Status: 422, Detail: "validation failed",
		Errors: []api.ProblemField{{Field: "body.name", Message: "expected a name"}},
	}}
	if got, want := err.Error(), "validation failed\n  body.name: expected a name"; got != want {
		t.Errorf("got %q; want %q", got, want)
	}
}

// A database URL's password shows nowhere, also where the URL does not parse.
func TestPasswordsAreNeverPrinted(t *testing.T) {
	for _, database := range []string{
		"postgres://ann:s3cr%2Fet@127.0.0.1:1/db?connect_timeout=1",
		"postgres://ann:s3cr/et@[::1:1/db",
		"mysql://ann:s3cr/et@db/x",
		"postgres://ann:x@s3cr/et@127.0.0.1:1/db?connect_timeout=1",
		"postgres://127.0.0.1:1/db?user=ann&password=s3cr%2Fet&connect_timeout=1",
	} {
		for _, extra := range []string{"--verbose", "--json"} {
			var stdout, stderr strings.Builder
			exit := run(context.Background(), []string{"status", extra, "--database", database}, nil, strings.NewReader(""), &stdout, &stderr)
			if exit == exitOK {
				t.Errorf("%s: exit 0", database)
			}
			for _, secret := range []string{"s3cr/et", "s3cr%2Fet"} {
				if strings.Contains(stdout.String()+stderr.String(), secret) {
					t.Errorf("%s: the password shows in %q", database, stderr.String())
				}
			}
		}
	}
}

func TestProblemsAsJSON(t *testing.T) {
	var stdout, stderr strings.Builder
	exit := run(context.Background(), []string{"--json", "rollback", "7"}, nil, strings.NewReader(""), &stdout, &stderr)
	if exit != exitUsage || stdout.Len() > 0 {
		t.Errorf("exit %d, stdout %q; want %d and nothing", exit, stdout.String(), exitUsage)
	}
	var problem api.Problem
	if err := json.Unmarshal([]byte(stderr.String()), &problem); err != nil {
		t.Fatalf("stderr is not a problem: %v\n%s", err, stderr.String())
	}
	if !strings.Contains(problem.Detail, `"7" is not a stage`) || problem.Hint == "" {
		t.Errorf("got %+v", problem)
	}
}

func TestInterruptedExits130(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var stdout, stderr strings.Builder
	args := []string{"status", "--server", "http://127.0.0.1:1"}
	if exit := run(ctx, args, environ{"NLPCANARY_TOKEN=t"}, strings.NewReader(""), &stdout, &stderr); exit != exitInterrupted {
		t.Errorf("exit %d, stderr %q; want %d", exit, stderr.String(), exitInterrupted)
	}
	if stderr.Len() > 0 {
		t.Errorf("stderr %q; want nothing", stderr.String())
	}
}
