package notify

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

var (
	noon   = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)
	firing = Alert{
		Rule: "error_rate", Subject: "new", Severity: Critical, Summary: "9.1 % of <1,204> texts & more failed.",
		Since: noon, At: noon.Add(2 * time.Second), Rollout: "nlp", Stage: "1 EARLY_TESTING 5 %",
	}
	resolved = func() Alert {
		a := firing
		a.Resolved, a.At = true, noon.Add(90*time.Second)
		return a
	}()
	info = func() Alert {
		a := firing
		a.Rule, a.Severity = "advanced", Info
		return a
	}()
)

// receiver is an HTTP server that keeps what it got.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []string
	header []http.Header
	answer http.HandlerFunc // nil for 200
}

func receive(t *testing.T, answer http.HandlerFunc) *receiver {
	r := &receiver{answer: answer}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		body, err := io.ReadAll(request.Body)
		if err != nil {
			t.Error(err)
		}
		r.mu.Lock()
		r.bodies, r.header = append(r.bodies, string(body)), append(r.header, request.Header)
		r.mu.Unlock()
		if r.answer != nil {
			r.answer(w, request)
		}
	}))
	t.Cleanup(r.Close)
	return r
}

// here allows what tests need: servers on this machine.
var here = Reach{Private: true}

// only makes the one notifier of a configuration.
func only(t *testing.T, c Config) Notifier {
	t.Helper()
	c.Reach = here
	list, err := New(c)
	if err != nil || len(list) != 1 {
		t.Fatalf("New: %d notifiers, %v", len(list), err)
	}
	return list[0]
}

func TestSlack(t *testing.T) {
	r := receive(t, nil)
	n := only(t, Config{Slack: []SlackConfig{{URL: r.URL + "/services/secret"}}})
	for _, a := range []Alert{firing, resolved} {
		if err := n.Notify(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{
		`{"text":":rotating_light: *CRITICAL nlp: error_rate (new)*\n9.1 % of &lt;1,204&gt; texts &amp; more failed.\nStage: 1 EARLY_TESTING 5 %\nSince: 2030-01-02T12:00:00Z"}`,
		`{"text":":white_check_mark: *RESOLVED nlp: error_rate (new)*\n9.1 % of &lt;1,204&gt; texts &amp; more failed.\nStage: 1 EARLY_TESTING 5 %\nSince: 2030-01-02T12:00:00Z, for 1m30s"}`,
	}
	for i, body := range r.bodies {
		if got := strings.TrimSpace(body); got != want[i] {
			t.Errorf("Slack got\n%s\nwant\n%s", got, want[i])
		}
	}
	if got := r.header[0].Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type %q", got)
	}
}

func TestPagerDuty(t *testing.T) {
	r := receive(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
	n := only(t, Config{PagerDuty: []PagerDutyConfig{{RoutingKey: "R0UT1NG", URL: r.URL}}})
	for _, a := range []Alert{firing, info, resolved} {
		if err := n.Notify(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.bodies) != 2 {
		t.Fatalf("PagerDuty got %d events, want 2: what is good to know wakes nobody", len(r.bodies))
	}
	var events [2]pagerDutyEvent
	for i, body := range r.bodies {
		if err := json.Unmarshal([]byte(body), &events[i]); err != nil {
			t.Fatal(err)
		}
	}
	first, last := events[0], events[1]
	if first.RoutingKey != "R0UT1NG" || first.Action != "trigger" || first.Payload.Severity != "critical" || first.Payload.Source != "nlpcanary" ||
		first.Payload.Summary != "CRITICAL nlp: error_rate (new): "+firing.Summary || first.Payload.Class != "error_rate" || first.Payload.Timestamp != "2030-01-02T12:00:02Z" {
		t.Errorf("trigger %+v with %+v", first, first.Payload)
	}
	if last.Action != "resolve" || last.DedupKey != first.DedupKey || last.DedupKey != "nlpcanary/error_rate/new" || last.Payload != nil {
		t.Errorf("resolve %+v", last)
	}
}

func TestWebhookIsSigned(t *testing.T) {
	r := receive(t, nil)
	secret := NewSecret()
	n := only(t, Config{Webhook: []WebhookConfig{{URL: r.URL, Secret: secret}}})
	for _, a := range []Alert{firing, firing, resolved} {
		if err := n.Notify(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	for i, body := range r.bodies {
		h := r.header[i]
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%s.%s", h.Get("webhook-id"), h.Get("webhook-timestamp"), body)
		if want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil)); h.Get("webhook-signature") != want {
			t.Errorf("signature %q, want %q", h.Get("webhook-signature"), want)
		}
		if at, err := strconv.ParseInt(h.Get("webhook-timestamp"), 10, 64); err != nil || time.Since(time.Unix(at, 0)).Abs() > time.Minute {
			t.Errorf("timestamp %q", h.Get("webhook-timestamp"))
		}
	}
	if r.header[0].Get("webhook-id") != r.header[1].Get("webhook-id") || r.header[0].Get("webhook-id") == r.header[2].Get("webhook-id") {
		t.Error("a repetition has another id, or another alert the same")
	}
	var got webhookBody
	if err := json.Unmarshal([]byte(r.bodies[2]), &got); err != nil || got.Type != "alert.resolved" || got.Data.Rule != "error_rate" || got.Data.Stage != firing.Stage {
		t.Errorf("%+v, %v", got, err)
	}
}

// What an answer says about another attempt.
func TestAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		answer    http.HandlerFunc
		permanent bool
		later     time.Duration
	}{
		"bad request":   {status(400), true, 0},
		"gone":          {status(410), true, 0},
		"broken":        {status(500), false, 0},
		"slow":          {status(408), false, 0},
		"too many":      {status(429, "Retry-After", "17"), false, 17 * time.Second},
		"no time given": {status(503, "Retry-After", "soon"), false, 0},
		"redirect":      {status(302, "Location", "http://127.0.0.1:1/"), true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			r := receive(t, c.answer)
			err := only(t, Config{Slack: []SlackConfig{{URL: r.URL + "/T0PSECRET"}}}).Notify(t.Context(), firing)
			var permanent *Permanent
			var later *Later
			if err == nil || errors.As(err, &permanent) != c.permanent || errors.As(err, &later) && later.After != c.later {
				t.Errorf("error %v, permanent %t, later %v", err, permanent != nil, later)
			}
			if err != nil && strings.Contains(err.Error(), "T0PSECRET") {
				t.Errorf("the error holds the address: %v", err)
			}
			if len(r.bodies) != 1 {
				t.Errorf("%d requests", len(r.bodies))
			}
		})
	}
}

func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if len(header) > 0 {
			w.Header().Set(header[0], header[1])
		}
		w.WriteHeader(code)
		fmt.Fprint(w, "because")
	}
}

// A name that resolves to a private address does not get past the check of names.
func TestPrivateAddressesAreRefused(t *testing.T) {
	r := receive(t, nil)
	p := poster{Reach{}.client(), strings.Replace(r.URL, "127.0.0.1", "localhost", 1) + "/T0PSECRET"}
	err := p.post(t.Context(), []byte("{}"), nil)
	var permanent *Permanent
	if !errors.Is(err, ErrPrivateAddress) || !errors.As(err, &permanent) || strings.Contains(err.Error(), "T0PSECRET") {
		t.Errorf("error %v", err)
	}
	if len(r.bodies) != 0 {
		t.Error("the request arrived")
	}
}

// smtpServer is a server that takes any mail, and keeps it.
type smtpServer struct {
	port  int
	mails chan string
}

// serveSMTP answers MAIL with the given reply.
func serveSMTP(t *testing.T, mailReply string) *smtpServer {
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &smtpServer{port: listener.Addr().(*net.TCPAddr).Port, mails: make(chan string, 4)}
	var done sync.WaitGroup
	t.Cleanup(func() { _ = listener.Close(); done.Wait() })
	done.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			done.Go(func() {
				defer context.AfterFunc(t.Context(), func() { _ = conn.Close() })()
				defer func() { _ = conn.Close() }()
				s.talk(conn, mailReply)
			})
		}
	})
	return s
}

func (s *smtpServer) talk(conn net.Conn, mailReply string) {
	lines := bufio.NewScanner(conn)
	say := func(text string) { fmt.Fprintf(conn, "%s\r\n", text) }
	say("220 here")
	var mail strings.Builder
	for lines.Scan() {
		switch command := strings.ToUpper(strings.SplitN(lines.Text(), " ", 2)[0]); command {
		case "EHLO", "HELO", "RCPT", "RSET", "NOOP":
			mail.WriteString(lines.Text() + "\n")
			say("250 fine")
		case "MAIL":
			mail.WriteString(lines.Text() + "\n")
			say(mailReply)
		case "DATA":
			say("354 go on")
			for lines.Scan() && lines.Text() != "." {
				mail.WriteString(lines.Text() + "\n")
			}
			say("250 taken")
			s.mails <- mail.String()
		case "QUIT":
			say("221 bye")
			return
		default:
			say("502 what")
		}
	}
}

func (s *smtpServer) config() Config {
	return Config{Email: []EmailConfig{{Host: "127.0.0.1", Port: s.port, From: "nlpcanary@example.org", To: []string{"a@example.org", "Ops <b@example.org>"}, TLS: "none"}}}
}

func TestEmail(t *testing.T) {
	s := serveSMTP(t, "250 fine")
	a := firing
	a.Summary = "Ошибки: 9.1 %\r\nBcc: evil@example.org"
	a.Subject = "new\r\nBcc: evil@example.org"
	if err := only(t, s.config()).Notify(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	got := <-s.mails
	for _, part := range []string{"MAIL FROM:<nlpcanary@example.org>", "RCPT TO:<a@example.org>", "RCPT TO:<b@example.org>", "Subject: CRITICAL nlp: error_rate (new Bcc: evil@example.org)", "Message-ID: <msg_"} {
		if !strings.Contains(got, part) {
			t.Errorf("the mail lacks %q:\n%s", part, got)
		}
	}
	headers, _, _ := strings.Cut(got, "\n\n")
	if strings.Contains(headers, "\nBcc:") {
		t.Errorf("a header was injected:\n%s", headers)
	}
}

func TestEmailErrors(t *testing.T) {
	var permanent *Permanent
	err := only(t, serveSMTP(t, "550 no such sender").config()).Notify(t.Context(), firing)
	if err == nil || !errors.As(err, &permanent) {
		t.Errorf("a final refusal: %v", err)
	}
	err = only(t, serveSMTP(t, "451 later").config()).Notify(t.Context(), firing)
	if err == nil || errors.As(err, &permanent) {
		t.Errorf("a passing refusal: %v", err)
	}
	// Without TLS nothing is sent, unless that is configured.
	c := serveSMTP(t, "250 fine").config()
	c.Email[0].TLS = ""
	if err := only(t, c).Notify(t.Context(), firing); err == nil {
		t.Error("mail went out in the clear")
	}
}

func TestEmailWithinReach(t *testing.T) {
	s := serveSMTP(t, "250 fine")
	c := s.config()
	c.Email[0].TLS = ""
	list, err := New(c) // allow_private is not set
	if err != nil {
		t.Fatal(err)
	}
	var permanent *Permanent
	if err := list[0].Notify(context.Background(), firing); !errors.As(err, &permanent) {
		t.Errorf("error %v", err)
	}
}
