package api_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/rollout"
)

const outcomesPath = "/api/v1/outcomes"

// decided is what a user is sent to at 50 %.
func decided(user string) rollout.Variant {
	if rollout.BucketOf("", rollout.UserID(user)) < 50 {
		return rollout.New
	}
	return rollout.Old
}

func reportOf(id, user string, more string) string {
	return fmt.Sprintf(`{"id":%q,"user_id":%q,"architecture":%q,"processing_time_ms":12.5,"error":false,"timeout":false,"descriptions":3%s}`, id, user, decided(user), more)
}

func reports(list ...string) string { return `{"outcomes":[` + strings.Join(list, ",") + `]}` }

// half is an instance at 50 %.
func half(t *testing.T) *instance {
	t.Helper()
	in := newInstance(t, options{})
	in.apply(t, rollout.Rollback{Target: rollout.HalfRollout})
	return in
}

func (in *instance) metrics(t *testing.T) api.Metrics {
	t.Helper()
	var m api.Metrics
	in.do(t, call{method: "GET", path: canary + "metrics", as: viewer}).ok(t, &m)
	return m
}

func TestReportsCountOnce(t *testing.T) {
	t.Parallel()
	in := half(t)
	first := make([]string, 100)
	news := int64(0)
	for i := range first {
		user := fmt.Sprint("user-", i)
		first[i] = reportOf(fmt.Sprint("a", i), user, "")
		if decided(user) == rollout.New {
			news++
		}
	}
	report := func(body, kind string, counted, repeated int) {
		t.Helper()
		var receipt api.ReportReceipt
		in.do(t, call{method: "POST", path: outcomesPath, body: body, as: client, header: []string{"Content-Type", kind}}).ok(t, &receipt)
		if receipt.Counted != counted || receipt.Repeated != repeated {
			t.Errorf("%+v, want %d counted and %d repeated", receipt, counted, repeated)
		}
	}
	report(reports(first...), "application/json", 100, 0)
	report(reports(first...), "application/json", 0, 100)
	// Line by line, an old one among new ones, and one twice in one report.
	lines := []string{first[0], reportOf("b", "user-1", ""), "", reportOf("b", "user-1", "")}
	report(strings.Join(lines, "\r\n")+"\n", "application/x-ndjson", 1, 2)
	report(reports(), "application/json", 0, 0)
	report("\n", "application/x-ndjson", 0, 0)
	if decided("user-1") == rollout.New {
		news++
	}
	m := in.metrics(t)
	if m.NewArchitecture.TotalProcessed != news || m.OldArchitecture.TotalProcessed != 101-news {
		t.Errorf("%d on new, %d on old; want %d and %d", m.NewArchitecture.TotalProcessed, m.OldArchitecture.TotalProcessed, news, 101-news)
	}
	if got := *m.NewArchitecture.AvgProcessingTimeMS; got != 12.5 {
		t.Errorf("mean time %v ms", got)
	}
}

func TestReportsCarryLabels(t *testing.T) {
	t.Parallel()
	in := half(t)
	body := reports(
		reportOf("1", "user-1", `,"quality":4`),
		reportOf("2", "user-1", `,"true_positives":3,"false_positives":1,"false_negatives":0,"quality":null`),
		reportOf("3", "user-1", `,"quality":8,"true_positives":1,"false_positives":0,"false_negatives":2,"region":"us"`),
	)
	in.do(t, call{method: "POST", path: outcomesPath, body: body, as: client}).ok(t, nil)
	m := in.metrics(t)
	got := m.OldArchitecture
	if decided("user-1") == rollout.New {
		got = m.NewArchitecture
	}
	if *got.AvgQualityScore != 6 || got.Labelled != 2 || *got.Precision != .8 || *got.Recall != 4./6 {
		t.Errorf("%+v", got)
	}
}

// An outcome counts for the split of users that it was decided under.
func TestReportsAreCreditedToTheStageThatServed(t *testing.T) {
	t.Parallel()
	in := half(t)
	was := in.revision(t)
	in.apply(t, rollout.Rollback{Target: rollout.Disabled})
	user := "user-1"
	for i := 0; decided(user) != rollout.New; i++ {
		user = fmt.Sprint("user-", i)
	}
	in.do(t, call{method: "POST", path: outcomesPath, as: client, body: reports(reportOf("1", user, fmt.Sprintf(`,"revision":%d`, was)))}).ok(t, nil)
	in.do(t, call{method: "POST", path: outcomesPath, as: client, body: reports(reportOf("2", user, ""))}).problem(t, 422, "invalid")
	if n := in.metrics(t).NewArchitecture.TotalProcessed; n != 0 {
		t.Errorf("%d outcomes on new at stage 0", n)
	}
	var all api.Metrics
	in.do(t, call{method: "GET", path: canary + "metrics?window=rollout", as: viewer}).ok(t, &all)
	if n := all.NewArchitecture.TotalProcessed; n != 1 {
		t.Errorf("%d outcomes on new in the whole rollout", n)
	}
}

func TestForgedAndImpossibleReportsAreRefusedWhole(t *testing.T) {
	t.Parallel()
	in := half(t)
	good := reportOf("good", "user-1", "")
	other := map[rollout.Variant]string{rollout.Old: "new", rollout.New: "old"}[decided("user-1")]
	with := func(was, is string) string { return strings.Replace(good, was, is, 1) }
	cases := map[string]struct{ one, field, rule string }{
		"negative time":              {with("12.5", "-1"), "processing_time_ms", "0 to 3,600,000"},
		"hardly negative time":       {with("12.5", "-1e-9"), "processing_time_ms", "0 to 3,600,000"},
		"endless time":               {with("12.5", "1e300"), "processing_time_ms", "0 to 3600000"},
		"time in words":              {with("12.5", `"fast"`), "processing_time_ms", "milliseconds"},
		"quality 11":                 {reportOf("x", "user-1", `,"quality":11`), "quality", "1 to 10"},
		"quality 0":                  {reportOf("x", "user-1", `,"quality":0`), "quality", "1 to 10"},
		"half a quality":             {reportOf("x", "user-1", `,"quality":7.5`), "quality", "whole number"},
		"labels in part":             {reportOf("x", "user-1", `,"true_positives":3`), "false_positives", "together"},
		"labels all 0":               {reportOf("x", "user-1", `,"true_positives":0,"false_positives":0,"false_negatives":0`), "true_positives", "not all of them 0"},
		"negative labels":            {reportOf("x", "user-1", `,"true_positives":-1,"false_positives":0,"false_negatives":0`), "true_positives", "0 to 10,000"},
		"what was not decided":       {with(string(decided("user-1")), other), "architecture", "not what was decided"},
		"no architecture":            {with(string(decided("user-1")), "fast"), "architecture", "old or new"},
		"error and timeout":          {with(`"error":false,"timeout":false`, `"error":true,"timeout":true`), "timeout", "not both"},
		"an error in words":          {with(`"error":false`, `"error":"yes"`), "error", "true or false"},
		"minus one description":      {with(`:3`, `:-1`), "descriptions", "0 to 100,000"},
		"too many descriptions":      {with(`:3`, `:99999999999999999999`), "descriptions", "whole number"},
		"no id":                      {with(`"id":"good"`, `"id":""`), "id", "1 to 128"},
		"a long id":                  {with(`good`, strings.Repeat("x", 129)), "id", "1 to 128"},
		"a control character":        {with(`good`, `a\u0000b`), "id", "control"},
		"no user":                    {with(`"user-1"`, `""`), "user_id", "1 to 256"},
		"a missing field":            {with(`"timeout":false,`, ``), "timeout", "is missing"},
		"an unknown field":           {with(`"timeout":false,`, `"timeout":false,"speed":1,`), "speed", "no field"},
		"a bad region":               {reportOf("x", "user-1", `,"region":"a b"`), "region", "64 ASCII"},
		"revision 0":                 {reportOf("x", "user-1", `,"revision":0`), "revision", "1 or more"},
		"a revision from before all": {reportOf("x", "user-1", `,"revision":-5`), "revision", "1 or more"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p := in.do(t, call{method: "POST", path: outcomesPath, as: client, body: reports(good, c.one)}).problem(t, 422, "invalid")
			if len(p.Errors) != 1 || p.Errors[0].Field != "outcomes[1]."+c.field || !strings.Contains(p.Errors[0].Message, c.rule) {
				t.Errorf("%+v, want outcomes[1].%s: %s", p.Errors, c.field, c.rule)
			}
		})
	}
	many := strings.Repeat(reportOf("x", "user-1", `,"quality":11`)+",", 200)
	if p := in.do(t, call{method: "POST", path: outcomesPath, as: client, body: reports(many + good)}).problem(t, 422, "invalid"); len(p.Errors) != 50 || !strings.Contains(p.Detail, "200 broken rules") {
		t.Errorf("%d errors are named: %s", len(p.Errors), p.Detail)
	}
	for name, c := range map[string]struct {
		body   string
		status int
		code   string
		says   string
	}{
		"no JSON":              {`{"outcomes":[` + good, 400, "bad_json", "too early"},
		"a field twice":        {reports(with(`"id":`, `"id":"a","id":`)), 400, "bad_json", "outcomes[0].id: the field is given twice"},
		"half a character":     {reports(with("good", `\ud800`)), 400, "bad_json", "outcomes[0].id: half of a surrogate pair"},
		"another field":        {`{"outcomes":[],"x":1}`, 400, "bad_json", "one field"},
		"outcomes twice":       {`{"outcomes":[],"outcomes":[]}`, 400, "bad_json", "once"},
		"nothing":              {`{}`, 400, "bad_json", "outcomes"},
		"a bare array":         {`[` + good + `]`, 400, "bad_json", "object"},
		"too many":             {reports(good + strings.Repeat(","+good, 10_000)), 413, "too_large", "10001"},
		"too long":             {reports(with("good", strings.Repeat("x", 9<<20))), 413, "too_large", ""},
		"a revision to come":   {reports(reportOf("x", "user-1", `,"revision":999`)), 503, "not_ready", "999"},
		"two objects in a row": {reports(good + " " + good), 400, "bad_json", "expected ','"},
	} {
		t.Run(name, func(t *testing.T) {
			p := in.do(t, call{method: "POST", path: outcomesPath, as: client, body: c.body}).problem(t, c.status, c.code)
			if !strings.Contains(p.Detail, c.says) {
				t.Errorf("%q does not say %q", p.Detail, c.says)
			}
		})
	}
	if p := in.do(t, call{method: "POST", path: outcomesPath, as: client, body: good + "\n" + good + " x", header: []string{"Content-Type", "application/x-ndjson"}}).problem(t, 400, "bad_json"); !strings.Contains(p.Detail, "end of the line") {
		t.Error(p.Detail)
	}
	m := in.metrics(t)
	if n := m.NewArchitecture.TotalProcessed + m.OldArchitecture.TotalProcessed; n != 0 {
		t.Errorf("%d outcomes were counted", n)
	}
}

// Users who were not where their bucket would have put them are in neither cohort.
func TestReportsOfPinnedUsersAreInNoCohort(t *testing.T) {
	t.Parallel()
	in := half(t)
	user := "user-1"
	in.apply(t, rollout.SetFlag{Name: rollout.KillSwitch, Enabled: false})
	body := reports(strings.Replace(reportOf("1", user, ""), string(decided(user)), "old", 1))
	in.do(t, call{method: "POST", path: outcomesPath, as: client, body: body}).ok(t, nil)
	m := in.metrics(t)
	if n := m.NewArchitecture.TotalProcessed + m.OldArchitecture.TotalProcessed; n != 0 {
		t.Errorf("%d outcomes are in a cohort", n)
	}
}

// Feedback takes both sets of names, and not one count under two.
func TestFeedbackUnderOtherNames(t *testing.T) {
	t.Parallel()
	in := half(t)
	var e api.Extraction
	in.do(t, call{method: "POST", path: extractPath, as: client, body: `{"user_id":"u","text":"A tall house."}`}).ok(t, &e)
	path := outcomesPath + "/" + e.OutcomeID + "/feedback"
	p := in.do(t, call{method: "POST", path: path, as: client, body: `{"correct":1,"true_positives":1,"wrong":0,"missed":0}`}).problem(t, 422, "invalid")
	if len(p.Errors) != 1 || p.Errors[0].Field != "true_positives" {
		t.Errorf("%+v", p.Errors)
	}
	in.do(t, call{method: "POST", path: path, as: client, body: `{"true_positives":3,"false_positives":1,"false_negatives":0}`}).ok(t, nil)
	in.do(t, call{method: "POST", path: path, as: client, body: `{"correct":3,"wrong":1,"missed":0}`}).ok(t, nil) // says the same
	m := in.metrics(t)
	if n := m.OldArchitecture.Labelled + m.NewArchitecture.Labelled; n != 1 {
		t.Errorf("%d texts are labelled", n)
	}
}
