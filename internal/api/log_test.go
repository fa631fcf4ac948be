package api_test

import (
	"strings"
	"testing"

	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// Planted user ids, texts and secrets are sent by every way there is, rightly and
// wrongly. None may reach the log, the audit trail, the metrics or the state.
func TestNothingPersonalIsLoggedOrKept(t *testing.T) {
	t.Parallel()
	const (
		user   = "planted-user"
		text   = "planted-text"
		secret = "nlpc_planted-secret"
	)
	in := newInstance(t, options{})
	in.do(t, call{method: "GET", path: "/api/v1/decision?user_id=" + user, as: client}).ok(t, nil)
	in.do(t, call{method: "GET", path: "/api/v1/decision", as: client, header: []string{"X-User-ID", user}}).ok(t, nil)
	var e api.Extraction
	in.do(t, call{method: "POST", path: extractPath, as: client, body: `{"user_id": "` + user + `", "text": "` + text + `"}`}).ok(t, &e)
	in.do(t, call{method: "POST", path: "/api/v1/outcomes/" + e.OutcomeID + "/feedback", as: client, body: `{"quality": 3}`}).ok(t, nil)
	in.do(t, call{method: "POST", path: ofrepKill, as: client, body: `{"context": {"targetingKey": "` + user + `"}}`}).ok(t, nil)
	in.do(t, call{method: "POST", path: ofrepPath, as: client, body: `{"context": {"targetingKey": "` + user + `"}}`}).ok(t, nil)
	for _, architecture := range []string{"old", "new"} {
		in.do(t, call{method: "POST", path: canary + "overrides", as: admin, body: `{"user_id": "` + user + `", "architecture": "` + architecture + `"}`}).ok(t, nil)
	}
	var made api.NewToken
	in.do(t, call{method: "POST", path: "/api/v1/admin/tokens", as: admin, body: `{"name": "n", "role": "viewer"}`}).ok(t, &made)
	for _, c := range []call{
		{method: "GET", path: "/" + user},
		{method: "GET", path: "/api/v1/decision/" + user, as: client},
		{method: "GET", path: "/api/v1/decision?user_id=" + user + "%00", as: client},
		{method: "GET", path: "/api/v1/decision?" + user + "=1", as: client},
		{method: "GET", path: canary + "history?" + user + "=1", as: admin},
		{method: "GET", path: canary + "status", header: []string{"Authorization", "Bearer " + secret}},
		{method: "POST", path: extractPath, as: client, body: `{"user_id": "` + user + `", "text": "` + text},
		{method: "POST", path: extractPath, as: client, body: `{"user_id": "` + user + `\u0000", "text": "` + text + `"}`},
		{method: "POST", path: extractPath, as: client, body: `{"user_id": "` + user + `", "text": "` + text + `", "language": "` + text + `"}`},
		{method: "POST", path: extractPath, as: client, body: `{"user_id": ["` + user + `"], "text": {"a": "` + text + `"}}`},
		{method: "POST", path: ofrepKill, as: client, body: `{"context": {"targetingKey": "` + user + `\u0000"}}`},
		{method: "POST", path: ofrepPath + "/" + user, as: client, body: `{"context": {"targetingKey": "` + user + `"}}`},
		{method: "POST", path: canary + "overrides/remove", as: admin, body: `{"user_id": "` + user + `x"}`},
		{method: "DELETE", path: canary + "overrides/" + user, as: admin},
		{method: "GET", path: canary + "status", as: viewer, header: []string{"X-Request-ID", user + " " + text}},
	} {
		if got := in.do(t, c); got.status < 400 && c.header == nil {
			t.Errorf("%s %s: status %d", c.method, c.path, got.status)
		}
	}
	in.ship(t)
	kept := map[string]string{
		"the log":     in.log.String(),
		"the metrics": in.do(t, call{method: "GET", path: "/metrics"}).ok(t, nil).text,
	}
	for _, path := range []string{"/api/v1/admin/audit?limit=1000", canary + "status", canary + "overrides", "/api/v1/admin/tokens", canary + "metrics"} {
		kept[path] = in.do(t, call{method: "GET", path: path, as: admin}).ok(t, nil).text
	}
	plants := []string{user, text, secret, made.Secret}
	for _, token := range in.tokens {
		plants = append(plants, token)
	}
	for where, held := range kept {
		for _, plant := range plants {
			if strings.Contains(held, plant) {
				i := strings.Index(held, plant)
				t.Errorf("%s holds %q: …%s…", where, plant, held[max(0, i-80):min(len(held), i+80)])
			}
		}
	}
	if !strings.Contains(kept["the log"], `"route":"GET /api/v1/decision"`) || !strings.Contains(kept["the log"], `"actor":"client"`) {
		t.Error("the log lacks what it should tell")
	}
}

func TestEveryAnswerAndLogLineHasTheRequestID(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{})
	for _, c := range []call{
		{method: "GET", path: canary + "status", as: viewer},
		{method: "POST", path: canary + "rollback", as: viewer},
		{method: "GET", path: "/nowhere"},
		{method: "GET", path: "/api/v1/decision?user_id=u", as: client},
		{method: "POST", path: ofrepKill, as: client, body: `{"context": {"targetingKey": "u"}}`},
		{method: "GET", path: "/docs"},
	} {
		c.header = []string{"X-Request-ID", "given-" + strings.NewReplacer("/", ".", "?", ".", "=", ".").Replace(c.path[:min(len(c.path), 30)])}
		got := in.do(t, c)
		if got.header.Get("X-Request-Id") != c.header[1] || strings.Count(in.log.String(), `"request_id":"`+c.header[1]+`"`) == 0 {
			t.Errorf("%s: the id %q came back as %q", c.path, c.header[1], got.header.Get("X-Request-Id"))
		}
	}
	for _, bad := range []string{"", "a b", strings.Repeat("a", 65), "a\"b", "id/../x", "ид"} {
		got := in.do(t, call{method: "GET", path: "/livez", header: []string{"X-Request-ID", bad}})
		if id := got.header.Get("X-Request-Id"); id == bad || len(id) != 16 {
			t.Errorf("the id %q came back as %q", bad, id)
		}
	}
	if a, b := in.do(t, call{method: "GET", path: "/livez"}), in.do(t, call{method: "GET", path: "/livez"}); a.header.Get("X-Request-Id") == b.header.Get("X-Request-Id") {
		t.Error("two requests have one id")
	}
}

func TestMetricsAreNamedByConvention(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{})
	in.apply(t, rollout.Rollback{Target: rollout.HalfRollout})
	in.do(t, call{method: "POST", path: extractPath, as: client, body: `{"user_id": "u", "text": "A tall house."}`}).ok(t, nil)
	text := in.do(t, call{method: "GET", path: "/metrics"}).ok(t, nil).text
	for _, want := range []string{
		`nlpcanary_build_info{region="eu",version="v1"} 1`,
		"nlpcanary_stage 3", "nlpcanary_effective_percentage 50", "nlpcanary_lease_valid 1", "nlpcanary_rollback_bounded 1", "nlpcanary_break_glass 0",
		"nlpcanary_lease_renewals_total ", "nlpcanary_lease_renewal_failures_total 0", "nlpcanary_revision ", "nlpcanary_lease_remaining_seconds ",
		"nlpcanary_extractions_total{", "nlpcanary_extraction_duration_seconds_bucket{",
		`nlpcanary_http_requests_total{route="POST /api/v1/extract",status="200"} 1`, `nlpcanary_http_request_duration_seconds_count{route="POST /api/v1/extract"} 1`,
		`nlpcanary_decisions_total{architecture="old",reason="DISABLED"} 0`,
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
}
