package api_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/rollout"
)

const leasePath = "/api/v1/lease"

// leaseLeft is what the answer says is left.
func leaseLeft(t *testing.T, a answer) time.Duration {
	t.Helper()
	ms, err := strconv.ParseInt(a.header.Get(follow.LeaseHeader), 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", follow.LeaseHeader, err)
	}
	return time.Duration(ms) * time.Millisecond
}

func TestTheLeaseDecidesAsTheServerDoes(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{})
	keyer := rollout.NewKeyer(in.store.Secrets().UserKey)
	for _, change := range []rollout.Change{
		rollout.Rollback{Target: rollout.Expanded},
		rollout.AddOverride{User: keyer.Key("pinned"), Variant: rollout.New, Label: "tester Anna"},
	} {
		in.apply(t, change)
	}
	a := in.do(t, call{method: "GET", path: leasePath, as: client})
	var l follow.Lease
	a.ok(t, &l)
	for _, secret := range append([]string{"tester Anna", "created_by", "updated_by", "hash"}, in.tokens[admin], rollout.HashToken(in.tokens[admin])) {
		if strings.Contains(a.text, secret) {
			t.Errorf("the lease tells %q", secret)
		}
	}
	if left := leaseLeft(t, a); left <= 0 || left > follow.DefaultLease {
		t.Errorf("%s is left", left)
	}
	renewal, err := l.Renewal(time.Now(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	plan := renewal.State.Plan("eu", *renewal.Keyer, nil)
	for _, user := range []rollout.UserID{"a", "b", "c", "d", "e", "f", "g", "pinned"} {
		if server, client := in.follower.Decide(user), plan.Decide(user); server != client {
			t.Errorf("%s: the server decides %+v, the client %+v", user, server, client)
		}
	}
	if d := plan.Decide("pinned"); d.Variant != rollout.New || !d.Forced {
		t.Errorf("the pinned user's decision is %+v", d)
	}
	logs := in.log.String()
	if key := base64.StdEncoding.EncodeToString(in.store.Secrets().UserKey); !strings.Contains(a.text, key) || strings.Contains(logs, key) {
		t.Error("the user key is not in the lease, or is in the log")
	}

	tag := a.header.Get("ETag")
	same := in.do(t, call{method: "GET", path: leasePath, as: client, header: []string{"If-None-Match", tag}})
	if same.status != http.StatusNotModified || same.text != "" || leaseLeft(t, same) <= 0 {
		t.Errorf("asked with the tag: status %d, body %q, header %v", same.status, same.text, same.header)
	}
	in.apply(t, rollout.SetFlag{Name: rollout.KillSwitch})
	off := in.do(t, call{method: "GET", path: leasePath, as: client, header: []string{"If-None-Match", tag}})
	off.ok(t, &l)
	if l.Enabled || off.header.Get("ETag") == tag {
		t.Errorf("the kill switch is off, the lease is %+v", l)
	}
}

// What the lease says is left is what is left of the server's own, and when nothing is,
// nothing is given.
func TestTheLeaseEndsWithTheServersOwn(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{follow: func(c *follow.Config) { c.Lease, c.Interval = 700*time.Millisecond, 100*time.Millisecond }})
	if err := in.store.Close(); err != nil { // nothing is renewed any more
		t.Fatal(err)
	}
	for last := time.Second; ; time.Sleep(10 * time.Millisecond) {
		asked := time.Now()
		a := in.do(t, call{method: "GET", path: leasePath, as: client})
		if a.status != http.StatusOK {
			p := a.problem(t, http.StatusServiceUnavailable, "not_ready")
			if a.header.Get("Retry-After") == "" || !strings.Contains(p.Detail, "lease") {
				t.Errorf("%+v", p)
			}
			break
		}
		left := leaseLeft(t, a)
		if own := in.follower.Status().Remaining; left > own+time.Since(asked)+time.Millisecond {
			t.Fatalf("%s is given away, and %s is left", left, own)
		}
		if left > last+time.Millisecond {
			t.Fatalf("the lease grew from %s to %s without the database", last, left)
		}
		last = left
	}
}

func TestBreakGlassHoldsForClientsToo(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{})
	var l follow.Lease
	before := in.do(t, call{method: "GET", path: leasePath, as: client}).ok(t, &l).header.Get("ETag")
	in.follower.BreakGlass(true)
	after := in.do(t, call{method: "GET", path: leasePath, as: client, header: []string{"If-None-Match", before}}).ok(t, &l)
	if l.Enabled || after.header.Get("ETag") == before {
		t.Errorf("with break-glass the lease is %+v", l)
	}
}

// An idle stream of changes tells of each, and ends when the token is revoked.
func TestLeaseChangesAreTold(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{config: func(c *api.Config) { c.Heartbeat = 20 * time.Millisecond }})
	secret := in.newToken(t, "another client", client, time.Time{})
	r, err := http.NewRequestWithContext(t.Context(), "GET", in.server.URL+leasePath+"/changes", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	response, err := in.server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	next := func() string {
		for lines.Scan() {
			if tag, found := strings.CutPrefix(lines.Text(), "id: "); found {
				return tag
			}
		}
		return ""
	}
	first := next()
	in.apply(t, rollout.Rollback{Target: rollout.Disabled})
	second := next()
	in.follower.BreakGlass(true)
	third := next()
	if first == "" || second == "" || third == "" || first == second || second == third {
		t.Fatalf("told %q, %q, %q", first, second, third)
	}
	if tag := in.do(t, call{method: "GET", path: leasePath, as: client}).header.Get("ETag"); tag != third {
		t.Errorf("told %s, the lease is %s", third, tag)
	}
	state, err := in.store.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range state.Tokens {
		if token.Name == "another client" {
			in.apply(t, rollout.RevokeToken{ID: token.ID})
		}
	}
	for lines.Scan() {
	} // to the end, which is what is waited for
}

// As many streams as there may be, and no more: those beyond still get their lease.
func TestStreamsOfChangesAreBounded(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{config: func(c *api.Config) { c.MaxClients = 1 }})
	r, err := http.NewRequestWithContext(t.Context(), "GET", in.server.URL+leasePath+"/changes", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+in.tokens[client])
	response, err := in.server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	in.do(t, call{method: "GET", path: leasePath + "/changes", as: client}).problem(t, http.StatusServiceUnavailable, "overloaded")
	in.do(t, call{method: "GET", path: leasePath, as: client}).ok(t, nil)
}

func TestTheLeaseIsValidJSONOfItsDescription(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{})
	text := in.do(t, call{method: "GET", path: leasePath, as: client}).ok(t, nil).text
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.DisallowUnknownFields()
	var l follow.Lease
	if err := decoder.Decode(&l); err != nil || l.Rollout != "nlp" || l.Percentage != 100 {
		t.Errorf("%+v, %v", l, err)
	}
	in.do(t, call{method: "GET", path: leasePath + "?user_id=u", as: client}).problem(t, 422, "invalid")
}
