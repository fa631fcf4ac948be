package api_test

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/rollout"
)

func TestAChangeNamesTheRevisionItWasBasedOn(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{})
	in.apply(t, rollout.Rollback{Target: rollout.Disabled})
	revision := in.revision(t)
	stale := strconv.FormatInt(revision-1, 10)
	advance := canary + "advance"

	p := in.do(t, call{method: "POST", path: advance, as: admin, header: []string{"If-Match", `"` + stale + `"`}}).problem(t, 412, "conflict")
	if p.CurrentRevision != revision || p.ChangedBy != "test" {
		t.Errorf("the conflict names revision %d by %q", p.CurrentRevision, p.ChangedBy)
	}
	in.do(t, call{method: "POST", path: advance, as: admin, body: `{"base_revision": ` + stale + `}`}).problem(t, 409, "conflict")
	in.do(t, call{method: "POST", path: advance, as: admin, body: `{"base_revision": 1}`, header: []string{"If-Match", `"2"`}}).problem(t, 422, "invalid")
	for _, bad := range []string{"x", `"0"`, `"-1"`, `"1", "2"`, `"12`, `W/`, `+12`, `""`} {
		in.do(t, call{method: "POST", path: advance, as: admin, header: []string{"If-Match", bad}}).problem(t, 422, "invalid")
	}
	if in.revision(t) != revision {
		t.Fatal("a refused change moved the revision")
	}

	seen := in.do(t, call{method: "GET", path: canary + "status", as: admin}).ok(t, nil).header.Get("ETag")
	if seen != `"`+strconv.FormatInt(revision, 10)+`"` {
		t.Errorf("the status has the ETag %s at revision %d", seen, revision)
	}
	var changed api.StageChange
	got := in.do(t, call{method: "POST", path: advance, as: admin, header: []string{"If-Match", seen}}).ok(t, &changed)
	if changed.NewStage != 1 || changed.Revision != revision+1 || got.header.Get("ETag") != `"`+strconv.FormatInt(revision+1, 10)+`"` {
		t.Errorf("%+v with ETag %s", changed, got.header.Get("ETag"))
	}
	// A rollback is right whatever came before.
	in.do(t, call{method: "POST", path: canary + "rollback", as: operator, body: `{"stage": 0}`, header: []string{"If-Match", `"1"`}}).ok(t, nil)
}

func TestADryRunChangesNothing(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{})
	revision := in.revision(t)
	for _, c := range []call{
		{path: canary + "rollback", body: `{"stage": 0, "dry_run": true}`},
		{path: canary + "rollback?dry_run=true", body: `{"stage": 0}`},
	} {
		c.method, c.as = "POST", operator
		var changed api.StageChange
		got := in.do(t, c).ok(t, &changed)
		if !changed.DryRun || !changed.Changed || changed.NewStage != 0 || changed.Convergence != nil {
			t.Errorf("%s %s: %+v", c.path, c.body, changed)
		}
		if changed.Revision != revision || got.header.Get("ETag") != fmt.Sprintf("%q", strconv.FormatInt(revision, 10)) {
			t.Errorf("a dry run names revision %d and ETag %s; %d stands", changed.Revision, got.header.Get("ETag"), revision)
		}
	}
	var made api.NewToken
	in.do(t, call{method: "POST", path: "/api/v1/admin/tokens?dry_run=true", body: `{"name": "n", "role": "viewer"}`, as: admin}).ok(t, &made)
	if made.Secret != "" {
		t.Error("a dry run shows a secret")
	}
	if in.revision(t) != revision {
		t.Error("a dry run moved the revision")
	}
}

func TestARepeatedRequestGetsTheFirstAnswer(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{})
	in.apply(t, rollout.Rollback{Target: rollout.Disabled})
	c := call{method: "POST", path: canary + "advance", as: admin, header: []string{"Idempotency-Key", "k1"}}
	first := in.do(t, c).ok(t, nil)
	again := in.do(t, c).ok(t, nil)
	if first.text != again.text || first.header.Get("ETag") != again.header.Get("ETag") {
		t.Errorf("first %s\nagain %s", first.text, again.text)
	}
	if first.header.Get("Idempotency-Replayed") != "" || again.header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("replayed: first %q, again %q", first.header.Get("Idempotency-Replayed"), again.header.Get("Idempotency-Replayed"))
	}
	c.body = `{"note": "another"}`
	in.do(t, c).problem(t, 422, "idempotency_key_reused")
	var status api.Status
	in.do(t, call{method: "GET", path: canary + "status", as: admin}).ok(t, &status)
	if status.Stage != 1 {
		t.Errorf("stage %d after one advance", status.Stage)
	}
}

func TestABareAdvanceAfterSomebodyElsesIsRefused(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{})
	in.apply(t, rollout.Rollback{Target: rollout.Disabled})
	in.apply(t, rollout.Advance{})
	p := in.do(t, call{method: "POST", path: canary + "advance", as: admin}).problem(t, 409, "conflict")
	if p.ChangedBy != "test" {
		t.Errorf("it names %q", p.ChangedBy)
	}
}

func TestARollbackSaysWhoHonoursIt(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{})
	var changed api.StageChange
	in.do(t, call{method: "POST", path: canary + "rollback", as: operator, body: `{"stage": 1, "note": "errors"}`}).ok(t, &changed)
	c := changed.Convergence
	if c == nil || !c.Complete || c.Held != 1 || c.Total != 1 || c.ElapsedMS > 1000 || !changed.IsRollback || changed.Admin != "operator" {
		t.Errorf("%+v, convergence %+v", changed, c)
	}
	in.do(t, call{method: "POST", path: canary + "rollback", as: operator, body: `{"stage": 0, "wait_ms": 0}`}).ok(t, &changed)
	var now api.StageChange
	in.do(t, call{method: "POST", path: canary + "rollback", as: operator, body: `{"stage": 0, "wait_ms": 0}`}).ok(t, &now)
	if now.Changed || now.Convergence != nil || now.NewStage != 0 {
		t.Errorf("the same again: %+v", now)
	}
	var put api.Change
	in.do(t, call{method: "PUT", path: kill, as: operator, body: `{"enabled": false}`}).ok(t, &put)
	if put.Convergence == nil || !put.Convergence.Complete {
		t.Errorf("the kill switch: %+v", put)
	}
}

// Whoever changes something sees it at once on the same instance: a token just made
// works, and one just revoked does not.
func TestAChangeIsHonouredHereWhenItIsAnswered(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{})
	for i := range 20 {
		var made api.NewToken
		in.do(t, call{method: "POST", path: "/api/v1/admin/tokens", body: fmt.Sprintf(`{"name": "n%d", "role": "viewer"}`, i), as: admin}).ok(t, &made)
		if !strings.HasPrefix(made.Secret, "nlpc_") || len(made.Secret) != 5+43 {
			t.Fatalf("a secret of %d characters", len(made.Secret))
		}
		status := call{method: "GET", path: canary + "status", header: []string{"Authorization", "bearer " + made.Secret}}
		in.do(t, status).ok(t, nil)
		in.do(t, call{method: "DELETE", path: "/api/v1/admin/tokens/" + made.ID, as: admin}).ok(t, nil)
		in.do(t, status).problem(t, http.StatusUnauthorized, "unauthenticated")
	}
	list := in.do(t, call{method: "GET", path: "/api/v1/admin/tokens", as: admin}).ok(t, nil).text
	if strings.Contains(list, "nlpc_") || strings.Contains(list, "hash") {
		t.Errorf("the list shows secrets: %s", list)
	}
}

func TestAnExpiredTokenSaysSo(t *testing.T) {
	t.Parallel()
	var moved time.Duration
	in := newInstance(t, options{config: func(c *api.Config) { c.Now = func() time.Time { return time.Now().Add(moved) } }})
	in.tokens["expiring"] = in.newToken(t, "expiring", viewer, time.Now().Add(time.Hour))
	in.do(t, call{method: "GET", path: canary + "status", as: "expiring"}).ok(t, nil)
	moved = 2 * time.Hour
	p := in.do(t, call{method: "GET", path: canary + "status", as: "expiring"}).problem(t, 401, "token_expired")
	if !strings.Contains(p.Detail, "expired at") {
		t.Errorf("it says %q", p.Detail)
	}
}

func TestOverridesKeepNoUserID(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{})
	decide := func() (d api.Decision) {
		in.do(t, call{method: "GET", path: "/api/v1/decision", as: client, header: []string{"X-User-ID", "planted-user"}}).ok(t, &d)
		return d
	}
	in.do(t, call{method: "POST", path: canary + "overrides", body: `{"user_id": "planted-user", "architecture": "old", "label": "ticket 7"}`, as: operator}).ok(t, nil)
	if d := decide(); d.Architecture != "old" || d.Reason != "TARGETING_MATCH" {
		t.Errorf("pinned, but %+v", d)
	}
	list := in.do(t, call{method: "GET", path: canary + "overrides", as: viewer}).ok(t, nil)
	audit := in.do(t, call{method: "GET", path: "/api/v1/admin/audit", as: viewer}).ok(t, nil)
	if strings.Contains(list.text+audit.text, "planted-user") {
		t.Error("the user id is kept")
	}
	in.do(t, call{method: "POST", path: canary + "overrides/remove", body: `{"user_id": "planted-user"}`, as: admin}).ok(t, nil)
	if d := decide(); d.Architecture != "new" || d.Reason != "STATIC" {
		t.Errorf("unpinned, but %+v", d)
	}
	in.do(t, call{method: "POST", path: canary + "overrides/remove", body: `{"user_id": "planted-user"}`, as: admin}).problem(t, 404, "not_found")
}
