package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/rollout"
)

const (
	extractPath = "/api/v1/extract"
	ofrepPath   = "/ofrep/v1/evaluate/flags"
	ofrepKill   = ofrepPath + "/" + rollout.KillSwitch
)

// Each of these is refused with a problem that says what was wrong, and changes
// nothing.
func TestBadInputIsRefusedAndChangesNothing(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{})
	in.apply(t, rollout.Rollback{Target: rollout.EarlyTesting})
	in.tokens["expired"] = in.newToken(t, "expired", admin, time.Now().Add(50*time.Millisecond))
	time.Sleep(60 * time.Millisecond)
	mega := strings.Repeat("a", 1<<20)
	user := func(json string) string { return `{"user_id": ` + json + `, "text": "A tall house."}` }
	feedback := "/api/v1/outcomes/AAAA/feedback"
	tests := map[string]struct {
		call
		status      int
		code, field string
		says        string
	}{
		// Routes and methods.
		"no such route":          {call{method: "GET", path: "/api/v1/nothing", as: admin}, 404, "not_found", "", "/docs"},
		"a path with a user id":  {call{method: "GET", path: "/api/v1/planted-user", as: admin}, 404, "not_found", "", ""},
		"a path that is unclean": {call{method: "GET", path: "/api//v1/../v1/decision", as: admin}, 404, "not_found", "", ""},
		"wrong method":           {call{method: "DELETE", path: canary + "status", as: admin}, 405, "method_not_allowed", "", "GET"},
		"made-up method":         {call{method: "BREW", path: canary + "status", as: admin}, 405, "method_not_allowed", "", "GET"},
		// Who asks.
		"no token":              {call{method: "GET", path: canary + "status"}, 401, "unauthenticated", "", "Bearer"},
		"unknown token":         {call{method: "GET", path: canary + "status", header: []string{"Authorization", "Bearer nlpc_x"}}, 401, "unauthenticated", "", ""},
		"basic authentication":  {call{method: "GET", path: canary + "status", header: []string{"Authorization", "Basic YTpi"}}, 401, "unauthenticated", "", "Bearer"},
		"expired token":         {call{method: "POST", path: canary + "advance", as: "expired"}, 401, "token_expired", "", "expired at"},
		"two Authorizations":    {call{method: "GET", path: canary + "status", header: []string{"Authorization", "Bearer a", "Authorization", "Bearer b"}}, 400, "invalid", "Authorization", "more than once"},
		"a body before a token": {call{method: "POST", path: canary + "rollback", body: `{`}, 401, "unauthenticated", "", ""},
		// Headers and query.
		"two Idempotency-Keys":   {call{method: "POST", path: canary + "advance", as: admin, header: []string{"Idempotency-Key", "a", "Idempotency-Key", "b"}}, 400, "invalid", "Idempotency-Key", ""},
		"two If-Matches":         {call{method: "POST", path: canary + "advance", as: admin, header: []string{"If-Match", `"1"`, "If-Match", `"2"`}}, 400, "invalid", "If-Match", ""},
		"a key that is too long": {call{method: "POST", path: canary + "advance", as: admin, header: []string{"Idempotency-Key", strings.Repeat("k", 256)}}, 422, "invalid", "Idempotency-Key", ""},
		"a key not in ASCII":     {call{method: "POST", path: canary + "advance", as: admin, header: []string{"Idempotency-Key", "ключ"}}, 422, "invalid", "idempotency_key", "ASCII"},
		"headers of 40 KB":       {call{method: "GET", path: canary + "status", as: admin, header: []string{"X-Long", strings.Repeat("x", 40<<10)}}, 431, "too_large", "", ""},
		"a URL of 10 KB":         {call{method: "GET", path: "/api/v1/decision?user_id=" + strings.Repeat("x", 10<<10), as: client}, 414, "too_large", "", "X-User-ID"},
		"a parameter twice":      {call{method: "GET", path: canary + "history?limit=1&limit=2", as: viewer}, 400, "invalid", "limit", "more than once"},
		"an unknown parameter":   {call{method: "GET", path: canary + "history?limits=1", as: viewer}, 422, "invalid", "limits", ""},
		"a malformed query":      {call{method: "GET", path: canary + "history?limit=%zz", as: viewer}, 400, "invalid", "", "percent"},
		"limit 0":                {call{method: "GET", path: canary + "history?limit=0", as: viewer}, 422, "invalid", "limit", ""},
		"limit 1001":             {call{method: "GET", path: canary + "history?limit=1001", as: viewer}, 422, "invalid", "limit", "1000"},
		"limit ten":              {call{method: "GET", path: canary + "history?limit=ten", as: viewer}, 422, "invalid", "limit", ""},
		"an unknown window":      {call{method: "GET", path: canary + "metrics?window=week", as: viewer}, 422, "invalid", "window", "stage"},
		"dry_run maybe":          {call{method: "POST", path: canary + "advance?dry_run=maybe", as: admin}, 422, "invalid", "dry_run", ""},
		// JSON.
		"truncated":                 {call{method: "POST", path: canary + "rollback", as: admin, body: `{"stage": 0`}, 400, "bad_json", "", "too early"},
		"not JSON":                  {call{method: "POST", path: canary + "rollback", as: admin, body: `stage=0`}, 400, "bad_json", "", ""},
		"NaN":                       {call{method: "POST", path: canary + "rollback", as: admin, body: `{"stage": NaN}`}, 400, "bad_json", "stage", ""},
		"Infinity":                  {call{method: "POST", path: canary + "rollback", as: admin, body: `{"stage": -Infinity}`}, 400, "bad_json", "stage", ""},
		"a leading zero":            {call{method: "POST", path: canary + "rollback", as: admin, body: `{"stage": 00}`}, 400, "bad_json", "", ""},
		"more after the object":     {call{method: "POST", path: canary + "rollback", as: admin, body: `{"stage": 0}{}`}, 400, "bad_json", "", "after"},
		"a field twice":             {call{method: "POST", path: canary + "rollback", as: admin, body: `{"stage": 0, "stage": 1}`}, 400, "bad_json", "stage", "twice"},
		"a field twice by escape":   {call{method: "POST", path: canary + "rollback", as: admin, body: `{"stage": 0, "st\u0061ge": 1}`}, 400, "bad_json", "stage", "twice"},
		"a field in other case":     {call{method: "POST", path: canary + "rollback", as: admin, body: `{"Stage": 0}`}, 422, "invalid", "stage", "required"},
		"an unknown field":          {call{method: "POST", path: canary + "rollback", as: admin, body: `{"stage": 0, "force": true}`}, 422, "invalid", "force", "no such field"},
		"an array":                  {call{method: "POST", path: canary + "rollback", as: admin, body: `[0]`}, 422, "invalid", "", "object"},
		"null":                      {call{method: "POST", path: canary + "rollback", as: admin, body: `null`}, 422, "invalid", "", ""},
		"deep nesting":              {call{method: "POST", path: canary + "rollback", as: admin, body: strings.Repeat("[", 100000)}, 413, "too_large", "", ""},
		"deep nesting, small":       {call{method: "POST", path: canary + "rollback", as: admin, body: strings.Repeat("[", 10000)}, 400, "bad_json", "", "deep"},
		"a body of 1 MB":            {call{method: "POST", path: canary + "rollback", as: admin, body: `{"note": "` + mega + `"}`}, 413, "too_large", "", "65536"},
		"a form":                    {call{method: "POST", path: canary + "rollback", as: admin, body: `stage=0`, header: []string{"Content-Type", "application/x-www-form-urlencoded"}}, 415, "unsupported_media_type", "", "application/json"},
		"JSON in UTF-16":            {call{method: "POST", path: canary + "rollback", as: admin, body: `{}`, header: []string{"Content-Type", "application/json; charset=utf-16"}}, 415, "unsupported_media_type", "", ""},
		"a relative of JSON":        {call{method: "POST", path: canary + "rollback", as: admin, body: `{}`, header: []string{"Content-Type", "application/x+json"}}, 415, "unsupported_media_type", "", ""},
		"a stage in words":          {call{method: "POST", path: canary + "rollback", as: admin, body: `{"stage": "DISABLED"}`}, 422, "invalid", "stage", "integer"},
		"half a stage":              {call{method: "POST", path: canary + "rollback", as: admin, body: `{"stage": 0.5}`}, 422, "invalid", "stage", "integer"},
		"a huge stage":              {call{method: "POST", path: canary + "rollback", as: admin, body: `{"stage": 1e400}`}, 400, "", "", ""},
		"a stage beyond an integer": {call{method: "POST", path: canary + "rollback", as: admin, body: `{"stage": 99999999999999999999}`}, 422, "invalid", "", ""},
		// Changes.
		"no stage, no body":           {call{method: "POST", path: canary + "rollback", as: operator}, 422, "invalid", "stage", "required"},
		"no stage":                    {call{method: "POST", path: canary + "rollback", as: operator, body: `{}`}, 422, "invalid", "stage", "required"},
		"stage 7":                     {call{method: "POST", path: canary + "rollback", as: operator, body: `{"stage": 7}`}, 422, "invalid", "stage", "7 is not a stage"},
		"stage -1":                    {call{method: "POST", path: canary + "rollback", as: operator, body: `{"stage": -1}`}, 422, "invalid", "stage", "not a stage"},
		"rollback to a higher stage":  {call{method: "POST", path: canary + "rollback", as: operator, body: `{"stage": 3}`}, 409, "not_a_rollback", "", "not a rollback"},
		"wait for an hour":            {call{method: "POST", path: canary + "rollback", as: operator, body: `{"stage": 0, "wait_ms": 3600000}`}, 422, "invalid", "wait_ms", ""},
		"a note with NUL":             {call{method: "POST", path: canary + "advance", as: admin, body: `{"note": "a\u0000b"}`}, 422, "invalid", "note", "control"},
		"a note of 3,000 characters":  {call{method: "POST", path: canary + "advance", as: admin, body: `{"note": "` + strings.Repeat("ю", 3000) + `"}`}, 422, "invalid", "note", "2000"},
		"a base in the future":        {call{method: "POST", path: canary + "advance", as: admin, body: `{"base_revision": 99}`}, 409, "conflict", "", ""},
		"finalise too early":          {call{method: "POST", path: canary + "finalise", as: admin}, 409, "not_finished", "", "stage 4"},
		"start over one under way":    {call{method: "POST", path: canary + "start", as: admin, body: `{"name": "n", "old": "a", "new": "b"}`}, 409, "not_finished", "", ""},
		"an unknown flag":             {call{method: "GET", path: flags + "/NONE", as: viewer}, 404, "not_found", "", "NONE"},
		"setting an unknown flag":     {call{method: "PUT", path: flags + "/NONE", as: admin, body: `{"enabled": true}`}, 404, "not_found", "name", "NONE"},
		"a flag that exists":          {call{method: "POST", path: flags, as: admin, body: `{"name": "` + rollout.KillSwitch + `"}`}, 409, "already_exists", "name", ""},
		"a flag with a bad name":      {call{method: "POST", path: flags, as: admin, body: `{"name": "a b"}`}, 422, "invalid", "name", ""},
		"a flag neither on nor off":   {call{method: "PUT", path: kill, as: admin, body: `{"enabled": "off"}`}, 422, "invalid", "enabled", "boolean"},
		"an unknown setting":          {call{method: "PUT", path: "/api/v1/admin/settings/x", as: admin, body: `{"value": "y"}`}, 404, "not_found", "key", "soak"},
		"a bad setting":               {call{method: "PUT", path: "/api/v1/admin/settings/soak", as: admin, body: `{"value": "y"}`}, 422, "invalid", "value", "enforce"},
		"hold before finalise":        {call{method: "PUT", path: "/api/v1/admin/settings/when_stale", as: admin, body: `{"value": "hold"}`}, 409, "not_finished", "", ""},
		"an unknown role":             {call{method: "POST", path: "/api/v1/admin/tokens", as: admin, body: `{"name": "n", "role": "root"}`}, 422, "invalid", "role", "viewer"},
		"a token expired from birth":  {call{method: "POST", path: "/api/v1/admin/tokens", as: admin, body: `{"name": "n", "role": "viewer", "expires_at": "2001-01-01T00:00:00Z"}`}, 422, "invalid", "expires_at", ""},
		"a token that expires soon":   {call{method: "POST", path: "/api/v1/admin/tokens", as: admin, body: `{"name": "n", "role": "viewer", "expires_at": "soon"}`}, 422, "invalid", "expires_at", ""},
		"an unknown token's end":      {call{method: "DELETE", path: "/api/v1/admin/tokens/none", as: admin}, 404, "not_found", "id", ""},
		"a malformed user hash":       {call{method: "DELETE", path: canary + "overrides/xyz", as: admin}, 422, "invalid", "user", "32"},
		"an override to nowhere":      {call{method: "POST", path: canary + "overrides", as: admin, body: `{"user_id": "u", "architecture": "third"}`}, 422, "invalid", "architecture", "old and new"},
		"a label that is the user id": {call{method: "POST", path: canary + "overrides", as: admin, body: `{"user_id": "u", "architecture": "old", "label": "u"}`}, 422, "invalid", "label", ""},
		"a head that is none":         {call{method: "POST", path: "/api/v1/admin/audit/verify", as: viewer, body: `{"head": "x"}`}, 422, "invalid", "head", "audit head"},
		// The data plane.
		"no user":                {call{method: "GET", path: "/api/v1/decision", as: client}, 422, "invalid", "user_id", "empty"},
		"a user twice":           {call{method: "GET", path: "/api/v1/decision?user_id=a", as: client, header: []string{"X-User-ID", "b"}}, 422, "invalid", "user_id", "once"},
		"a user with NUL":        {call{method: "GET", path: "/api/v1/decision?user_id=a%00b", as: client}, 422, "invalid", "user_id", "control"},
		"a user not in UTF-8":    {call{method: "GET", path: "/api/v1/decision?user_id=%ff", as: client}, 422, "invalid", "user_id", "UTF-8"},
		"a user of 257 bytes":    {call{method: "GET", path: "/api/v1/decision?user_id=" + strings.Repeat("a", 257), as: client}, 422, "invalid", "user_id", "257"},
		"an unknown argument":    {call{method: "GET", path: "/api/v1/decision?user=a", as: client}, 422, "invalid", "user", ""},
		"extract, no user":       {call{method: "POST", path: extractPath, as: client, body: `{"text": "x"}`}, 422, "invalid", "user_id", "required"},
		"extract, no text":       {call{method: "POST", path: extractPath, as: client, body: `{"user_id": "u"}`}, 422, "invalid", "text", "required"},
		"extract, empty user":    {call{method: "POST", path: extractPath, as: client, body: user(`""`)}, 422, "invalid", "user_id", "empty"},
		"extract, user of 1 MB":  {call{method: "POST", path: extractPath, as: client, body: user(`"` + mega + `"`)}, 422, "invalid", "user_id", "1048576 bytes"},
		"extract, user with NUL": {call{method: "POST", path: extractPath, as: client, body: user(`"a\u0000"`)}, 422, "invalid", "user_id", "control"},
		"extract, half a pair":   {call{method: "POST", path: extractPath, as: client, body: user(`"\ud800"`)}, 400, "bad_json", "user_id", "surrogate"},
		"extract, bad UTF-8":     {call{method: "POST", path: extractPath, as: client, body: user("\"\xff\"")}, 400, "bad_json", "user_id", "UTF-8"},
		"extract, number":        {call{method: "POST", path: extractPath, as: client, body: user(`7`)}, 422, "invalid", "user_id", "string"},
		"extract, 2 MB":          {call{method: "POST", path: extractPath, as: client, body: `{"user_id": "u", "text": "` + mega + mega + `"}`}, 413, "too_large", "", ""},
		"extract, text too long": {call{method: "POST", path: extractPath, as: client, body: `{"user_id": "u", "text": "` + mega + `a"}`}, 413, "too_large", "", "1048577"},
		"extract, in Klingon":    {call{method: "POST", path: extractPath, as: client, body: `{"user_id": "u", "text": "x", "language": "tlh"}`}, 422, "invalid", "language", ""},
		"feedback, malformed id": {call{method: "POST", path: feedback, as: client, body: `{"quality": 5}`}, 404, "not_found", "id", ""},
		"an event id in words":   {call{method: "GET", path: "/api/v1/events?last_event_id=x", as: viewer}, 422, "invalid", "Last-Event-ID", ""},
	}
	before := in.revision(t)
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p := in.do(t, tt.call).problem(t, tt.status, tt.code)
			if tt.field != "" && (len(p.Errors) == 0 || p.Errors[0].Field != tt.field) {
				t.Errorf("the field is %+v, want %q", p.Errors, tt.field)
			}
			if all := p.Detail + "; " + p.Hint; !strings.Contains(all, tt.says) {
				t.Errorf("it says %q, and not %q", all, tt.says)
			}
			if text := p.Detail + p.Hint + fmt.Sprint(p.Errors); len(text) > 1000 {
				t.Errorf("the problem repeats what was sent: %d bytes", len(text))
			}
		})
	}
	if after := in.revision(t); after != before {
		t.Errorf("the revision moved from %d to %d", before, after)
	}
	var status api.Status
	in.do(t, call{method: "GET", path: canary + "status", as: viewer}).ok(t, &status)
	if status.Stage != 1 || !status.FeatureFlagEnabled {
		t.Errorf("%+v", status)
	}
}

func TestFeedbackIsCheckedFieldByField(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{})
	var e api.Extraction
	in.do(t, call{method: "POST", path: extractPath, body: `{"user_id": "u", "text": "A tall house."}`, as: client}).ok(t, &e)
	path := "/api/v1/outcomes/" + e.OutcomeID + "/feedback"
	for body, field := range map[string]string{
		`{}`:              "quality",
		`{"quality": 0}`:  "quality",
		`{"quality": 11}`: "quality",
		`{"correct": 1}`:  "wrong",
		`{"correct": -1, "wrong": 0, "missed": 0}`: "correct",
		`{"correct": 0, "wrong": 0, "missed": 0}`:  "correct",
		`{"quality": 1.5}`:                         "quality",
	} {
		if p := in.do(t, call{method: "POST", path: path, body: body, as: client}).problem(t, 422, "invalid"); p.Errors[0].Field != field {
			t.Errorf("%s: the field is %q, want %q", body, p.Errors[0].Field, field)
		}
	}
	forged := "/api/v1/outcomes/" + e.OutcomeID[:len(e.OutcomeID)-4] + "AAAA/feedback"
	in.do(t, call{method: "POST", path: forged, body: `{"quality": 5}`, as: client}).problem(t, 404, "not_found")
}

// The mission's bare curl works: a change without a body, and one whose body has no
// declared type.
func TestBareRequestsWork(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{})
	for _, c := range []call{
		{path: canary + "rollback", body: `{"stage": 0}`, header: []string{"Content-Type", "application/json; charset=UTF-8"}},
		{path: canary + "advance"},
		{path: canary + "clear-cache", header: []string{"Content-Type", "application/x-www-form-urlencoded"}}, // curl -d ''
	} {
		c.method, c.as = "POST", admin
		in.do(t, c).ok(t, nil)
	}
}

// What no client library would send.
func TestRawRequests(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{})
	head := "Host: x\r\nAuthorization: Bearer " + in.tokens[admin] + "\r\n"
	for name, tt := range map[string]struct {
		request string
		status  int
	}{
		"body cut short":     {"POST " + canary + "rollback HTTP/1.1\r\n" + head + "Content-Length: 100\r\n\r\n{\"stage\": 0}", 400},
		"id of raw bytes":    {"GET /api/v1/decision HTTP/1.1\r\n" + head + "X-User-ID: \xff\xfe\r\n\r\n", 422},
		"chunked, too long":  {"POST " + canary + "rollback HTTP/1.1\r\n" + head + "Transfer-Encoding: chunked\r\n\r\n11170\r\n" + strings.Repeat(" ", 0x11170) + "\r\n0\r\n\r\n", 413},
		"a bad request line": {"GET  HTTP/1.1\r\n\r\n", 400},
	} {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", in.server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(conn, tt.request); err != nil {
			t.Fatal(err)
		}
		if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if response.StatusCode != tt.status {
			t.Errorf("%s: status %d, want %d", name, response.StatusCode, tt.status)
		}
		response.Body.Close()
		conn.Close()
	}
}
