package api_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	of "github.com/open-feature/go-sdk/openfeature"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// A real OpenFeature client sees what the rules decide, at every stage.
func TestTheOpenFeatureSDKSeesWhatIsDecided(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{})
	in.apply(t, rollout.CreateFlag{Name: "OTHER", DefaultValue: true})
	if err := of.SetNamedProviderAndWait(t.Name(), ofrepProvider{in.server.Client(), in.server.URL, in.tokens[client]}); err != nil {
		t.Fatal(err)
	}
	sdk := of.NewClient(t.Name())
	ask := func(flag, user string) of.BooleanEvaluationDetails {
		evaluation := of.NewEvaluationContext(user, map[string]any{"plan": "free", "nested": map[string]any{"targetingKey": 7}})
		details, _ := sdk.BooleanValueDetails(t.Context(), flag, false, evaluation)
		return details
	}
	for stage := rollout.FullRollout; stage >= rollout.Disabled; stage-- {
		in.apply(t, rollout.Rollback{Target: stage})
		onNew := 0
		for i := range 40 {
			user := fmt.Sprintf("пользователь-%d", i)
			bucket := rollout.BucketOf("", rollout.UserID(user))
			want := bucket < rollout.Bucket(stage.Percentage())
			d := ask(rollout.KillSwitch, user)
			if d.Value != want || (d.Variant == "new") != want || d.ErrorCode != "" {
				t.Fatalf("stage %d, %s in bucket %d: %+v", stage, user, bucket, d)
			}
			if b, err := d.FlagMetadata.GetFloat("bucket"); err != nil || b != float64(bucket) {
				t.Errorf("bucket %v (%v), want %d", b, err, bucket)
			}
			if name, err := d.FlagMetadata.GetString("stage_name"); err != nil || name != stage.String() {
				t.Errorf("stage name %q (%v)", name, err)
			}
			if d.Value {
				onNew++
			}
		}
		wantReason := of.SplitReason
		if stage == rollout.FullRollout || stage == rollout.Disabled {
			wantReason = of.StaticReason
		}
		if d := ask(rollout.KillSwitch, "u"); d.Reason != wantReason {
			t.Errorf("stage %d: reason %s, want %s", stage, d.Reason, wantReason)
		}
		t.Logf("stage %d: %d of 40 on new", stage, onNew)
	}
	if d := ask("OTHER", ""); !d.Value || d.Variant != "on" || d.Reason != of.StaticReason {
		t.Errorf("another flag: %+v", d)
	}
	if d := ask("NONE", "u"); d.ErrorCode != of.FlagNotFoundCode || d.Value {
		t.Errorf("no such flag: %+v", d)
	}
	if d := ask(rollout.KillSwitch, ""); d.ErrorCode != of.TargetingKeyMissingCode {
		t.Errorf("no targeting key: %+v", d)
	}
	if d := ask(rollout.KillSwitch, "a\x00b"); d.ErrorCode != of.InvalidContextCode {
		t.Errorf("a bad targeting key: %+v", d)
	}
	in.apply(t, rollout.SetFlag{Name: rollout.KillSwitch, Enabled: false})
	if d := ask(rollout.KillSwitch, "u"); d.Value || d.Reason != of.DisabledReason {
		t.Errorf("killed: %+v", d)
	}
}

func TestOFREPErrorsHaveItsShape(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{})
	for name, tt := range map[string]struct {
		call
		status int
		code   string
		key    string
	}{
		"truncated":         {call{path: ofrepKill, as: client, body: `{"context"`}, 400, "PARSE_ERROR", rollout.KillSwitch},
		"empty":             {call{path: ofrepKill, as: client}, 400, "PARSE_ERROR", rollout.KillSwitch},
		"a field twice":     {call{path: ofrepKill, as: client, body: `{"context": {"targetingKey": "a", "targetingKey": "b"}}`}, 400, "PARSE_ERROR", rollout.KillSwitch},
		"twice, deep":       {call{path: ofrepKill, as: client, body: `{"context": {"targetingKey": "a", "x": [{"y": 1, "y": 2}]}}`}, 400, "PARSE_ERROR", rollout.KillSwitch},
		"more after":        {call{path: ofrepKill, as: client, body: `{"context": {}} x`}, 400, "PARSE_ERROR", rollout.KillSwitch},
		"an unknown field":  {call{path: ofrepKill, as: client, body: `{"contxt": {}}`}, 400, "PARSE_ERROR", rollout.KillSwitch},
		"other case":        {call{path: ofrepKill, as: client, body: `{"Context": {"targetingKey": "a"}}`}, 400, "PARSE_ERROR", rollout.KillSwitch},
		"not UTF-8":         {call{path: ofrepKill, as: client, body: "{\"context\": {\"targetingKey\": \"\xff\"}}"}, 400, "PARSE_ERROR", rollout.KillSwitch},
		"no key":            {call{path: ofrepKill, as: client, body: `{"context": {}}`}, 400, "TARGETING_KEY_MISSING", rollout.KillSwitch},
		"no context":        {call{path: ofrepKill, as: client, body: `{}`}, 400, "TARGETING_KEY_MISSING", rollout.KillSwitch},
		"an empty key":      {call{path: ofrepKill, as: client, body: `{"context": {"targetingKey": ""}}`}, 400, "TARGETING_KEY_MISSING", rollout.KillSwitch},
		"key a number":      {call{path: ofrepKill, as: client, body: `{"context": {"targetingKey": 7}}`}, 400, "INVALID_CONTEXT", rollout.KillSwitch},
		"key with NUL":      {call{path: ofrepKill, as: client, body: `{"context": {"targetingKey": "a\u0000"}}`}, 400, "INVALID_CONTEXT", rollout.KillSwitch},
		"key too long":      {call{path: ofrepKill, as: client, body: `{"context": {"targetingKey": "` + strings.Repeat("k", 257) + `"}}`}, 400, "INVALID_CONTEXT", rollout.KillSwitch},
		"context a list":    {call{path: ofrepKill, as: client, body: `{"context": []}`}, 400, "INVALID_CONTEXT", rollout.KillSwitch},
		"no flag":           {call{path: ofrepPath + "/NONE", as: client, body: `{"context": {"targetingKey": "u"}}`}, 404, "FLAG_NOT_FOUND", "NONE"},
		"no token":          {call{path: ofrepKill, body: `{}`}, 401, "GENERAL", rollout.KillSwitch},
		"too large":         {call{path: ofrepKill, as: client, body: strings.Repeat(" ", 65<<10)}, 413, "PARSE_ERROR", rollout.KillSwitch},
		"a form":            {call{path: ofrepKill, as: client, body: "a=b", header: []string{"Content-Type", "text/plain"}}, 415, "PARSE_ERROR", rollout.KillSwitch},
		"bulk, truncated":   {call{path: ofrepPath, as: client, body: `{`}, 400, "PARSE_ERROR", ""},
		"bulk, bad context": {call{path: ofrepPath, as: client, body: `{"context": 7}`}, 400, "INVALID_CONTEXT", ""},
	} {
		tt.method = "POST"
		got := in.do(t, tt.call)
		var e api.EvaluationError
		got.read(t, &e)
		if got.status != tt.status || e.ErrorCode != tt.code || e.Key != tt.key || e.ErrorDetails == "" || got.header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: status %d, want %d %s: %s", name, got.status, tt.status, tt.code, got.text)
		}
	}
}

func TestBulkEvaluationChangesItsTagWithAnyAnswer(t *testing.T) {
	t.Parallel()
	source := new(cuttable)
	in := newInstance(t, options{follow: func(c *follow.Config) {
		source.Source, c.Source = c.Source, source
		c.Lease, c.Interval = 300*time.Millisecond, 20*time.Millisecond
	}})
	in.apply(t, rollout.CreateFlag{Name: "OTHER"})
	ask := func(tag string) answer {
		c := call{method: "POST", path: ofrepPath, as: client, body: `{"context": {"targetingKey": "u"}}`}
		if tag != "" {
			c.header = []string{"If-None-Match", tag}
		}
		return in.do(t, c)
	}
	var bulk api.Evaluations
	first := ask("").ok(t, &bulk)
	if len(bulk.Flags) != 2 || bulk.Flags[0].Key != rollout.KillSwitch || !bulk.Flags[0].Value || bulk.Flags[1].Key != "OTHER" || bulk.Flags[1].Value {
		t.Errorf("%s", first.text)
	}
	tag := first.header.Get("ETag")
	for _, held := range []string{tag, "W/" + tag, `"x", ` + tag, "*"} {
		if got := ask(held); got.status != 304 || got.text != "" || got.header.Get("ETag") != tag {
			t.Errorf("If-None-Match %s: status %d, ETag %s, body %s", held, got.status, got.header.Get("ETag"), got.text)
		}
	}
	changed := func(what string) {
		t.Helper()
		got := ask(tag).ok(t, &bulk)
		if got.status != 200 || got.header.Get("ETag") == tag {
			t.Errorf("%s: status %d, ETag %s again", what, got.status, tag)
		}
		tag = got.header.Get("ETag")
	}
	in.apply(t, rollout.SetFlag{Name: "OTHER", Enabled: true})
	changed("another flag was switched")
	in.apply(t, rollout.Rollback{Target: rollout.HalfRollout})
	changed("a rollback")
	source.cut.Store(true)
	waitFor(t, func() bool { return !in.follower.Status().Valid })
	changed("the lease lapsed")
	for _, f := range bulk.Flags {
		if f.Reason != "STALE" {
			t.Errorf("without a lease: %+v", f)
		}
	}
	// Without a user, only what depends on one is not evaluated.
	got := in.do(t, call{method: "POST", path: ofrepPath, as: client, body: `{"context": {}}`}).ok(t, nil)
	if !strings.Contains(got.text, "TARGETING_KEY_MISSING") || !strings.Contains(got.text, `"key":"OTHER","value":true`) {
		t.Errorf("without a user: %s", got.text)
	}
}

// The encoders are written by hand, so encoding/json must read back what they mean.
func TestEvaluationsAreWhatEncodingJSONWouldWrite(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{})
	odd := "ODD.name-_1"
	in.apply(t, rollout.CreateFlag{Name: odd, DefaultValue: true})
	for _, key := range []string{rollout.KillSwitch, odd} {
		got := in.do(t, call{method: "POST", path: ofrepPath + "/" + key, as: client, body: `{"context": {"targetingKey": "u"}}`}).ok(t, nil)
		var e api.Evaluation
		got.read(t, &e)
		again, err := json.Marshal(e)
		if err != nil || string(again)+"\n" != got.text {
			t.Errorf("%v\n got %swant %s", err, got.text, again)
		}
	}
}
