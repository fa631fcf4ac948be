package gateway_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/gateway"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

func TestTheCohortsServiceServes(t *testing.T) {
	s := newStand(t, says("old"), says("new"), nil)
	a := s.send("POST", "/a%2Fb//c?x=1;y=%zz", "u", "text")
	s.wantServed(a, "new", "STATIC", "")
	if a.text != "new POST /a%2Fb//c?x=1;y=%zz text" {
		t.Errorf("the service got %q", a.text)
	}
	ticket, err := s.sealer.Open(a.header.Get("Nlpcanary-Outcome-Id"))
	want := outcome.Ticket{Rollout: "nlp", Epoch: 1, Variant: rollout.New, Region: "eu", Minute: ticket.Minute, UserKey: s.keyer.Key("u")}
	if err != nil || ticket != want {
		t.Errorf("ticket %+v (%v), want %+v", ticket, err, want)
	}
	s.apply(rollout.Rollback{Target: rollout.Disabled})
	s.wantServed(s.send("GET", "/", "u", ""), "old", "STATIC", "")
	for _, v := range []rollout.Variant{rollout.Old, rollout.New} {
		if n := s.counted(v).Total().Requests; n != 1 {
			t.Errorf("%s has %d outcomes, want 1", v, n)
		}
	}
}

// At 5 % the users split by their bucket, and each stays where he is.
func TestUsersAreSplitAndStay(t *testing.T) {
	s := newStand(t, says("old"), says("new"), nil)
	s.apply(rollout.Rollback{Target: rollout.EarlyTesting})
	plan := s.follower.State().Plan("eu", s.keyer, nil)
	onNew := 0
	for i := range 60 {
		user := fmt.Sprint("user-", i)
		d := plan.Decide(rollout.UserID(user))
		if d.Variant == rollout.New {
			onNew++
		}
		for range 2 {
			s.wantServed(s.send("GET", "/", user, ""), string(d.Variant), "SPLIT", "")
		}
	}
	if onNew == 0 {
		t.Error("none of the users is on new: the test says nothing")
	}
}

func TestWithoutAUserOldServes(t *testing.T) {
	s := newStand(t, says("old"), says("new"), nil)
	for name, c := range map[string]struct{ user, reason, why string }{
		"no user":     {"", "DEFAULT", "missing"},
		"a bad id":    {strings.Repeat("x", 257), "ERROR", "invalid"},
		"a tab in it": {"a\tb", "ERROR", "invalid"},
	} {
		a := s.send("GET", "/", c.user, "")
		s.wantServed(a, "old", c.reason, "")
		if a.header.Get("Nlpcanary-User") != c.why || a.header.Get("Nlpcanary-Outcome-Id") != "" {
			t.Errorf("%s: headers %v, want the user %s", name, a.header, c.why)
		}
	}
	if tally := s.counted(rollout.Old); tally.Total().Requests != 0 || tally.Excluded().Requests != 3 {
		t.Errorf("in the cohort %d, excluded %d; want 0 and 3", tally.Total().Requests, tally.Excluded().Requests)
	}
}

// Whom new fails, old serves, if the request may be repeated; and every outcome
// counts against new.
func TestFallbackRules(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "new failed", code) }
	}
	breaks := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	slow := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	})
	long := strings.Repeat("x", 2000)
	for _, c := range []struct {
		name         string
		new          http.Handler // nil: nothing listens
		rule         gateway.FallbackRule
		method, body string
		header       []string
		status       int
		fallback     string
	}{
		{"a GET, status 500", status(500), "", "GET", "", nil, 200, "status"},
		{"a GET, status 599", status(599), "", "GET", "", nil, 200, "status"},
		{"a GET, status 404 is an answer", status(404), "", "GET", "", nil, 404, ""},
		{"a POST kept, status 503", status(503), "", "POST", "short", nil, 200, "status"},
		{"a POST too long to keep, status 503", status(503), "", "POST", long, nil, 503, ""},
		{"a POST, idempotent only", status(503), gateway.FallbackIdempotent, "POST", "short", nil, 503, ""},
		{"a POST with a key, idempotent only", status(503), gateway.FallbackIdempotent, "POST", "short", []string{"Idempotency-Key", "k"}, 200, "status"},
		{"a PUT, idempotent only", status(503), gateway.FallbackIdempotent, "PUT", "short", nil, 200, "status"},
		{"a GET, never", status(503), gateway.FallbackNever, "GET", "", nil, 503, ""},
		{"broken off", breaks, "", "POST", "short", nil, 200, "error"},
		{"broken off, never", breaks, gateway.FallbackNever, "POST", "short", nil, 502, ""},
		{"too slow", slow, "", "POST", "short", nil, 200, "timeout"},
		{"too slow, never", slow, gateway.FallbackNever, "POST", "short", nil, 504, ""},
		{"too slow, streaming", slow, "", "POST", long, nil, 504, ""},
		{"nothing listens", nil, "", "POST", "short", nil, 200, "error"},
		{"nothing listens, streaming", nil, "", "POST", long, nil, 200, "error"},
		{"nothing listens, never", nil, gateway.FallbackNever, "POST", "short", nil, 200, "error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			canary := "http://127.0.0.1:1"
			if c.new != nil {
				canary = service(t, c.new)
			}
			s := newStandAt(t, service(t, says("old")), canary, func(g *gateway.Config) {
				g.Fallback, g.NewTimeout, g.MaxBuffered = c.rule, 300*time.Millisecond, 1000
			})
			a := s.send(c.method, "/p", "u", c.body, c.header...)
			if a.status != c.status || a.header.Get("Nlpcanary-Fallback") != c.fallback {
				t.Fatalf("status %d, fallback %q: %s; want %d, %q", a.status, a.header.Get("Nlpcanary-Fallback"), a.text, c.status, c.fallback)
			}
			if c.fallback != "" {
				s.wantServed(a, "old", "STATIC", c.fallback)
				if a.text != "old "+c.method+" /p "+c.body {
					t.Errorf("old got another request: %.80q", a.text)
				}
			}
			eventually(t, "the outcome is counted", func() bool { return s.counted(rollout.New).Total().Requests == 1 })
			sums := s.counted(rollout.New).Total()
			timeout := strings.HasPrefix(c.name, "too slow")
			if bad := c.status != 404; (sums.Timeouts == 1) != timeout || (sums.Errors == 1) != (bad && !timeout) || (sums.Fallbacks == 1) != (c.fallback != "") {
				t.Errorf("counted against new: %+v", sums)
			}
			if n := s.counted(rollout.Old).Total().Requests; n != 0 {
				t.Errorf("old, which only stood in, has %d outcomes of its own", n)
			}
		})
	}
}

// While new works, a rollback comes: nothing of its answer reaches the client, not
// even an interim answer.
func TestAnAnswerAfterARollbackIsDropped(t *testing.T) {
	var s *stand
	s = newStand(t, says("old"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Leaked", "yes")
		w.WriteHeader(http.StatusEarlyHints)
		s.apply(rollout.Rollback{Target: rollout.Disabled})
		says("new")(w, r)
	}), nil)
	a := s.send("POST", "/", "u", "text")
	s.wantServed(a, "old", "STATIC", "taken_back")
	if a.header.Get("Leaked") != "" {
		t.Errorf("headers of new reached the client: %v", a.header)
	}
	if sums := s.counted(rollout.New).Total(); sums.Requests != 1 || sums.Errors != 0 || sums.Timeouts != 0 || sums.Fallbacks != 1 {
		t.Errorf("a rollback counts as a failure of new: %+v", sums)
	}
}

// What cannot be repeated was done on new: its answer is the only one there is.
func TestALateAnswerToWhatCannotBeRepeated(t *testing.T) {
	var s *stand
	s = newStand(t, says("old"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		says("new")(w, r)
		s.apply(rollout.Rollback{Target: rollout.Disabled})
	}), func(c *gateway.Config) { c.Fallback = gateway.FallbackNever })
	s.wantServed(s.send("POST", "/", "u", "text"), "new", "STATIC", "")
}

func TestWithoutALeaseOldServes(t *testing.T) {
	s := newStand(t, says("old"), says("new"), nil)
	s.follower.BreakGlass(true)
	s.wantServed(s.send("GET", "/", "u", ""), "old", "DISABLED", "")
	s.follower.BreakGlass(false)
	s.wantServed(s.send("GET", "/", "u", ""), "new", "STATIC", "")
}

// A client that gives up is nobody's failure.
func TestAClientThatGivesUpIsNoOutcome(t *testing.T) {
	arrived := make(chan struct{}, 2)
	s := newStand(t, says("old"), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		<-r.Context().Done()
	}), nil)
	conn := s.raw()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: h\r\nX-User-Id: u\r\n\r\n")
	<-arrived
	conn.Close()
	// Half of a body is not enough for the gateway to begin.
	conn = s.raw()
	fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: h\r\nX-User-Id: u\r\nContent-Length: 10\r\n\r\nhalf")
	conn.Close()
	eventually(t, "the requests are over", func() bool { return s.metric("nlpcanary_gateway_requests_total", "canceled") == 1 })
	if n := s.counted(rollout.New).Total().Requests + s.counted(rollout.Old).Total().Requests; n != 0 {
		t.Errorf("%d outcomes", n)
	}
}

// metric is the sum of a metric's values with a label of the given value.
func (s *stand) metric(name, label string) float64 {
	s.t.Helper()
	families, err := s.registry.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if l.GetValue() == label {
					sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
				}
			}
		}
	}
	return sum
}

// Neither logs nor metrics nor answers say who the user is.
func TestNobodyIsToldWhoTheUserIs(t *testing.T) {
	const secret = "user-4711"
	s := newStand(t, says("old"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }), nil)
	a := s.send("GET", "/", secret, "")
	s.wantServed(a, "old", "STATIC", "status")
	families, err := s.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for where, text := range map[string]string{"headers": fmt.Sprint(a.header), "log": s.log.String(), "metrics": fmt.Sprint(families)} {
		if strings.Contains(text, secret) {
			t.Errorf("the %s tell: %s", where, text)
		}
		if where == "log" && !strings.Contains(text, "old serves in place of new") {
			t.Errorf("the log tells nothing of the fallback: %s", text)
		}
	}
}

func TestHeadersCanBeHidden(t *testing.T) {
	s := newStand(t, says("old"), says("new"), func(c *gateway.Config) { c.HideHeaders = true })
	for name := range s.send("GET", "/", "u", "").header {
		if strings.HasPrefix(name, "Nlpcanary-") {
			t.Errorf("%s is there", name)
		}
	}
}

func TestBadConfigurationsAreRefused(t *testing.T) {
	good := func() gateway.Config {
		return gateway.Config{Old: gateway.Upstream{URL: "http://127.0.0.1:1"}, New: gateway.Upstream{URL: "http://127.0.0.1:2"}, Users: []gateway.UserSource{{Header: "X-User"}}}
	}
	if err := good().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*gateway.Config)
		want   string
	}{
		"no old":            {func(c *gateway.Config) { c.Old.URL = "" }, "old.url"},
		"another scheme":    {func(c *gateway.Config) { c.New.URL = "ftp://h" }, "new.url"},
		"no host":           {func(c *gateway.Config) { c.New.URL = "http:///p" }, "new.url"},
		"a password":        {func(c *gateway.Config) { c.New.URL = "http://u:secret@h" }, "new.url"},
		"a query":           {func(c *gateway.Config) { c.New.URL = "http://h?x=1" }, "new.url"},
		"one service twice": {func(c *gateway.Config) { c.New = c.Old }, "new.url"},
		"no user":           {func(c *gateway.Config) { c.Users = nil }, "users"},
		"two in one":        {func(c *gateway.Config) { c.Users[0].Cookie = "c" }, "users[0]"},
		"a bad header":      {func(c *gateway.Config) { c.Users[0].Header = "X User" }, "users[0].header"},
		"an own header":     {func(c *gateway.Config) { c.Users[0].Header = "nlpcanary_user" }, "users[0].header"},
		"a hop":             {func(c *gateway.Config) { c.Users[0].Header = "connection" }, "users[0].header"},
		"a bad pointer":     {func(c *gateway.Config) { c.Users[0] = gateway.UserSource{JSON: "user"} }, "users[0].json"},
		"no key":            {func(c *gateway.Config) { c.Users[0] = gateway.UserSource{JWT: &gateway.JWT{}} }, "users[0].jwt"},
		"a key not there":   {func(c *gateway.Config) { c.Users[0] = gateway.UserSource{JWT: &gateway.JWT{Keys: "/none"}} }, "users[0].jwt.keys"},
		"new takes longer":  {func(c *gateway.Config) { c.Timeout, c.NewTimeout = time.Second, time.Minute }, "new_timeout"},
		"a short answer":    {func(c *gateway.Config) { c.AnswerTimeout = time.Second }, "answer_timeout"},
		"a bad rule":        {func(c *gateway.Config) { c.Fallback = "always" }, "fallback"},
		"two qualities":     {func(c *gateway.Config) { c.Quality = gateway.Quality{Header: "Q", JSON: "/q"} }, "quality"},
		"negative slots":    {func(c *gateway.Config) { c.New.MaxConcurrent = -1 }, "new.max_concurrent"},
	} {
		config := good()
		c.change(&config)
		err := config.Validate()
		if err == nil || !strings.HasPrefix(err.Error(), "gateway."+c.want+" ") {
			t.Errorf("%s: %v, want a rule for gateway.%s", name, err, c.want)
		}
		if name == "a password" && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error repeats the password", name)
		}
	}
}

// What an answer tells of its own quality is counted with its outcome, and so are its
// descriptions, also where it is compressed.
func TestAnswersTellTheirQuality(t *testing.T) {
	const text = `{"meta": {"quality": 7.6}, "descriptions": [{}, {}, {}]}`
	answers := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Quality", "8")
		w.Header().Set("Served-By", "new")
		if r.Header.Get("Accept-Encoding") != "" {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			defer z.Close()
			_, _ = io.WriteString(z, text)
			return
		}
		_, _ = io.WriteString(w, text)
	}
	for name, c := range map[string]struct {
		quality gateway.Quality
		header  []string
		want    int64
	}{
		"in a header":           {gateway.Quality{Header: "x-quality"}, nil, 8},
		"in JSON":               {gateway.Quality{JSON: "/meta/quality"}, []string{"Accept-Encoding", ""}, 8},
		"in JSON, compressed":   {gateway.Quality{JSON: "/meta/quality"}, []string{"Accept-Encoding", "gzip"}, 8},
		"nowhere":               {gateway.Quality{JSON: "/quality"}, []string{"Accept-Encoding", ""}, 0},
		"what cannot be a mark": {gateway.Quality{JSON: "/meta"}, []string{"Accept-Encoding", ""}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, says("old"), http.HandlerFunc(answers), func(g *gateway.Config) { g.Quality, g.Descriptions = c.quality, "/descriptions" })
			if a := s.send("POST", "/", "u", "text", c.header...); a.status != 200 {
				t.Fatalf("status %d", a.status)
			}
			eventually(t, "the outcome is counted", func() bool { return s.counted(rollout.New).Total().Requests == 1 })
			tally := s.counted(rollout.New)
			var marks outcome.Marks
			for i := range outcome.Buckets {
				marks.Add(tally.Marks(i))
			}
			if n := tally.Total().Descriptions; n != 3 || marks.Quality != c.want {
				t.Errorf("%d descriptions, marks %+v; want 3 and the quality %d", n, marks, c.want)
			}
		})
	}
}
