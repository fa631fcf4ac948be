package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/nlpcanary/nlpcanary/rollout"
)

const (
	nobody   = rollout.Role("")
	client   = rollout.RoleClient
	viewer   = rollout.RoleViewer
	operator = rollout.RoleOperator
	admin    = rollout.RoleAdmin
)

var (
	all       = []rollout.Role{nobody, client, viewer, operator, admin}
	deciders  = []rollout.Role{client, viewer, operator, admin}
	reporters = []rollout.Role{client, operator, admin}
	readers   = []rollout.Role{viewer, operator, admin}
	operators = []rollout.Role{operator, admin}
	admins    = []rollout.Role{admin}
)

// matrix says who may do what. Each call is one that changes nothing when it is let
// through: what is asked here is only whether it is let through.
var matrix = []struct {
	route string // as in the OpenAPI document
	path  string // to call; the route's if empty
	body  string
	may   []rollout.Role
}{
	{"GET /api/v1/admin/nlp-canary/status", "", "", readers},
	{"GET /api/v1/admin/nlp-canary/metrics", "", "", readers},
	{"GET /api/v1/admin/nlp-canary/shadow", "", "", readers},
	{"GET /api/v1/admin/nlp-canary/history", "", "", readers},
	{"GET /api/v1/admin/nlp-canary/recommendations", "", "", readers},
	{"GET /api/v1/admin/nlp-canary/alerts", "", "", readers},
	{"GET /api/v1/admin/nlp-canary/gold", "", "", readers},
	{"GET /api/v1/admin/nlp-canary/metrics/series", "", "", readers},
	{"POST /api/v1/admin/nlp-canary/advance", "", `{"dry_run": true}`, admins},
	{"POST /api/v1/admin/nlp-canary/rollback", "", `{"stage": 0, "dry_run": true}`, operators},
	{"POST /api/v1/admin/nlp-canary/approve", "", `{"dry_run": true}`, admins},
	{"POST /api/v1/admin/nlp-canary/guardian/pause", "", `{"dry_run": true}`, admins},
	{"POST /api/v1/admin/nlp-canary/guardian/resume", "", `{"dry_run": true}`, admins},
	{"POST /api/v1/admin/nlp-canary/clear-cache", "", `{"dry_run": true}`, operators},
	{"POST /api/v1/admin/nlp-canary/start", "", `{"name": "next", "old": "a", "new": "b", "dry_run": true}`, admins},
	{"POST /api/v1/admin/nlp-canary/accept-restore", "", `{"dry_run": true}`, admins},
	{"POST /api/v1/admin/nlp-canary/finalise", "", `{"dry_run": true}`, admins},
	{"GET /api/v1/admin/nlp-canary/overrides", "", "", readers},
	{"POST /api/v1/admin/nlp-canary/overrides", "", `{"user_id": "u", "architecture": "old", "dry_run": true}`, operators},
	{"POST /api/v1/admin/nlp-canary/overrides", "", `{"user_id": "u", "architecture": "new", "dry_run": true}`, admins},
	{"POST /api/v1/admin/nlp-canary/overrides/remove", "", `{"user_id": "u", "dry_run": true}`, admins},
	{"DELETE /api/v1/admin/nlp-canary/overrides/{user}", canary + "overrides/" + strings.Repeat("0", 32) + "?dry_run=true", "", admins},
	{"GET /api/v1/admin/feature-flags", "", "", readers},
	{"POST /api/v1/admin/feature-flags", "", `{"name": "F", "dry_run": true}`, admins},
	{"GET /api/v1/admin/feature-flags/{name}", kill, "", readers},
	{"PUT /api/v1/admin/feature-flags/{name}", kill, `{"enabled": false, "dry_run": true}`, operators},
	{"PUT /api/v1/admin/feature-flags/{name}", kill, `{"enabled": true, "dry_run": true}`, admins},
	{"GET /api/v1/admin/tokens", "", "", admins},
	{"POST /api/v1/admin/tokens", "", `{"name": "t", "role": "viewer", "dry_run": true}`, admins},
	{"DELETE /api/v1/admin/tokens/{id}", "/api/v1/admin/tokens/none?dry_run=true", "", admins},
	{"GET /api/v1/admin/settings", "", "", readers},
	{"GET /api/v1/admin/settings/{key}", "/api/v1/admin/settings/soak", "", readers},
	{"PUT /api/v1/admin/settings/{key}", "/api/v1/admin/settings/soak", `{"value": "enforce", "dry_run": true}`, admins},
	{"GET /api/v1/admin/audit", "", "", readers},
	{"GET /api/v1/admin/audit/verify", "", "", readers},
	{"POST /api/v1/admin/audit/verify", "", `{}`, readers},
	{"GET /api/v1/admin/audit/head", "", "", readers},
	{"GET /api/v1/admin/doctor", "", "", readers},
	{"GET /api/v1/events", "/api/v1/events?last_event_id=x", "", readers},
	{"GET /api/v1/decision", "/api/v1/decision?user_id=u", "", deciders},
	{"GET /api/v1/lease", "", "", reporters},
	{"GET /api/v1/lease/changes", "/api/v1/lease/changes?x=y", "", reporters},
	{"POST /api/v1/tallies", "", `{"producer": "p", "tallies": []}`, reporters},
	{"POST /api/v1/extract", "", `{"user_id": "u", "text": "A tall house."}`, reporters},
	{"POST /api/v1/outcomes", "", `{"outcomes": []}`, reporters},
	{"POST /api/v1/outcomes/{id}/feedback", "/api/v1/outcomes/none/feedback", `{"quality": 5}`, reporters},
	{"POST /ofrep/v1/evaluate/flags/{key}", "/ofrep/v1/evaluate/flags/" + rollout.KillSwitch, `{"context": {"targetingKey": "u"}}`, deciders},
	{"POST /ofrep/v1/evaluate/flags", "", `{"context": {"targetingKey": "u"}}`, deciders},
	{"GET /livez", "", "", all},
	{"GET /readyz", "", "", all},
	{"GET /metrics", "", "", all},
	{"GET /openapi.json", "", "", all},
	{"GET /docs", "", "", all},
	{"GET /docs.css", "", "", all},
}

func TestEveryRouteForEveryRole(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{})
	covered := map[string]bool{}
	before := in.revision(t)
	for _, row := range matrix {
		covered[row.route] = true
		method, path, _ := strings.Cut(row.route, " ")
		if row.path != "" {
			path = row.path
		}
		may := map[rollout.Role]bool{}
		for _, role := range row.may {
			may[role] = true
		}
		for _, role := range all {
			got := in.do(t, call{method: method, path: path, body: row.body, as: role})
			refused := got.status == http.StatusUnauthorized || got.status == http.StatusForbidden
			switch {
			case refused == may[role]:
				t.Errorf("%s %s by %q: status %d: %s", row.route, row.body, role, got.status, got.text)
			case got.status >= 500:
				t.Errorf("%s by %q: status %d: %s", row.route, role, got.status, got.text)
			case got.status == http.StatusUnauthorized && (role != nobody || got.header.Get("WWW-Authenticate") == ""):
				t.Errorf("%s by %q: 401 with WWW-Authenticate %q", row.route, role, got.header.Get("WWW-Authenticate"))
			case got.status == http.StatusForbidden && !strings.Contains(got.text, "needs the role "):
				t.Errorf("%s by %q does not say which role it needs: %s", row.route, role, got.text)
			}
		}
	}
	if after := in.revision(t); after != before {
		t.Errorf("asking moved the revision from %d to %d", before, after)
	}
	for route := range documented(t, in) {
		if !covered[route] {
			t.Errorf("%s is not in the matrix", route)
		}
	}
}
