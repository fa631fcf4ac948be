package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/faultproxy"
	"github.com/nlpcanary/nlpcanary/internal/pgtest"
	"github.com/nlpcanary/nlpcanary/rollout"
)

const (
	// key lets the load in, on both sides.
	key = "bench-key-0123456789abcdef0123456789abcdef"
	// ofrepGoal is our requests per second over the relay proxy's.
	ofrepGoal = 1.4
	relayName = "go-feature-flag relay proxy v1.55.2"
)

var client = &http.Client{Timeout: 5 * time.Second}

// service evaluates flags over OFREP.
type service struct {
	base, path string
}

func (s service) url() string { return s.base + s.path }

// evaluate asks for one user's value.
func (s service) evaluate(ctx context.Context, user string) (bool, error) {
	body := fmt.Sprintf(`{"context": {"targetingKey": %q}}`, user)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url(), strings.NewReader(body))
	if err != nil {
		return false, err
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+key)
	response, err := client.Do(request)
	if err != nil {
		return false, err
	}
	defer response.Body.Close()
	var answer struct {
		Value *bool `json:"value"`
	}
	raw, err := io.ReadAll(response.Body)
	if err == nil {
		err = json.Unmarshal(raw, &answer)
	}
	if err != nil || answer.Value == nil {
		return false, fmt.Errorf("%s: %w", raw, err)
	}
	return *answer.Value, nil
}

// program is a command that was built before, or builds it into the test's directory.
func program(t *testing.T, dir, pkg string) string {
	t.Helper()
	if prepared := os.Getenv("BENCH_BIN"); prepared != "" {
		return filepath.Join(prepared, filepath.Base(pkg))
	}
	path := filepath.Join(t.TempDir(), filepath.Base(pkg))
	build := exec.Command("go", "build", "-o", path, pkg)
	build.Dir, build.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building %s: %v\n%s", pkg, err, out)
	}
	return path
}

// run starts a program and ends it with the test.
func run(t *testing.T, env []string, name string, args ...string) {
	t.Helper()
	command := exec.Command(name, args...)
	command.Env = append(os.Environ(), env...)
	var out bytes.Buffer
	command.Stdout, command.Stderr = &out, &out
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
		if t.Failed() {
			t.Logf("%s:\n%.4000s", name, out.String())
		}
	})
}

func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// awaitValue waits until the service answers with the value for the user.
func (s service) awaitValue(t *testing.T, user string, want bool, patience time.Duration) {
	t.Helper()
	s.sinceValue(t, time.Now(), user, want, patience)
}

// sinceValue is the time from a moment until the service answers with the value.
func (s service) sinceValue(t *testing.T, began time.Time, user string, want bool, patience time.Duration) time.Duration {
	t.Helper()
	var last error
	for time.Since(began) < patience {
		var got bool
		if got, last = s.evaluate(t.Context(), user); last == nil && got == want {
			return time.Since(began)
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatalf("%s does not answer %t for %s within %s (%v)", s.base, want, user, patience, last)
	return 0
}

// relay starts the relay proxy with its flags from a URL, polled every second, which is
// the shortest that it takes. Its log says errors only.
func relay(t *testing.T, binary, flags string) service {
	t.Helper()
	port := freePort(t)
	config := filepath.Join(t.TempDir(), "relay.yaml")
	text := fmt.Sprintf("server:\n  mode: http\n  host: 127.0.0.1\n  port: %d\npollingInterval: 1000\nretriever:\n  kind: http\n  url: %s\nauthorizedKeys:\n  evaluation:\n    - %s\nloglevel: error\nhideBanner: true\n", port, flags, key)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, nil, binary, "--config", config)
	return service{"http://127.0.0.1:" + strconv.Itoa(port), "/ofrep/v1/evaluate/flags/" + flagName}
}

// flagServer is the relay proxy's source of truth.
type flagServer struct {
	*httptest.Server
	percent atomic.Int64
}

func newFlagServer(t *testing.T) *flagServer {
	f := &flagServer{}
	f.percent.Store(percent)
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, goFeatureFlags(int(f.percent.Load())))
	}))
	t.Cleanup(f.Close)
	return f
}

// canary starts our server on a database, at stage 2 (25 %).
func canary(t *testing.T, binary, database string) service {
	t.Helper()
	port := freePort(t)
	// NLPCANARY_ADMIN_TOKEN is a token like any other, here for the load as well.
	run(t, []string{"NLPCANARY_ADMIN_TOKEN=" + key}, binary, "serve", "--database", database, "--addr", "127.0.0.1:"+strconv.Itoa(port))
	s := service{"http://127.0.0.1:" + strconv.Itoa(port), "/ofrep/v1/evaluate/flags/" + rollout.KillSwitch}
	s.awaitValue(t, users[0], true, 30*time.Second) // a new installation is at 100 %
	s.rollback(t, rollout.Expanded)
	for _, user := range users {
		if rollout.BucketOf("", rollout.UserID(user)) >= rollout.Bucket(percent) {
			s.awaitValue(t, user, false, 30*time.Second)
			return s
		}
	}
	return s
}

// rollback is done when it is committed: it does not wait for the instances.
func (s service) rollback(t *testing.T, to rollout.Stage) {
	t.Helper()
	body := fmt.Sprintf(`{"stage": %d, "wait_ms": 0}`, to)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.base+"/api/v1/admin/nlp-canary/rollback", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+key)
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(response.Body)
		t.Fatalf("rollback: %s %s", response.Status, said)
	}
}

// someoneOnNew is a user who is on new at 25 % and not at 0 %.
func (s service) someoneOnNew(t *testing.T) string {
	t.Helper()
	for _, user := range users {
		if is, err := s.evaluate(t.Context(), user); err == nil && is {
			return user
		}
	}
	t.Fatal("nobody is on new")
	return ""
}

const wrkScript = `
local n = 0
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer ` + key + `"
request = function()
  n = (n + 1) %% 10000
  return wrk.format(nil, nil, nil, string.format('{"context":{"targetingKey":"user-%%08d"}}', n))
end
`

var perSecond = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)

// load is one round of wrk; it fails if any answer was an error.
func load(t *testing.T, s service) float64 {
	t.Helper()
	script := filepath.Join(t.TempDir(), "evaluate.lua")
	if err := os.WriteFile(script, []byte(strings.ReplaceAll(wrkScript, "%%", "%")), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("wrk", "-t1", "-c16", "-d4s", "-s", script, s.url()).CombinedOutput()
	if err != nil {
		t.Fatalf("wrk: %v\n%s", err, out)
	}
	found := perSecond.FindSubmatch(out)
	if found == nil || bytes.Contains(out, []byte("Non-2xx")) || bytes.Contains(out, []byte("Socket errors")) {
		t.Fatalf("wrk says:\n%s", out)
	}
	rate, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		t.Fatal(err)
	}
	return rate
}

// TestOFREP puts the same load on both, by turns.
func TestOFREP(t *testing.T) {
	if _, err := exec.LookPath("wrk"); err != nil {
		t.Fatal("wrk is missing; install it, on Debian with: apt-get install wrk")
	}
	ours := canary(t, program(t, "..", "./cmd/nlpcanary"), "sqlite:"+filepath.Join(t.TempDir(), "bench.db"))
	theirs := relay(t, program(t, ".", "github.com/thomaspoignant/go-feature-flag/cmd/relayproxy"), newFlagServer(t).URL)
	for _, s := range []service{ours, theirs} {
		deadline := time.Now().Add(30 * time.Second)
		for _, err := s.evaluate(t.Context(), users[0]); err != nil && time.Now().Before(deadline); _, err = s.evaluate(t.Context(), users[0]) {
			time.Sleep(50 * time.Millisecond)
		}
		s.wantShare(t)
		load(t, s) // warm
	}
	var we, they []float64
	for range 5 {
		we, they = append(we, load(t, ours)), append(they, load(t, theirs))
	}
	slices.Sort(we)
	slices.Sort(they)
	ratio := we[2] / they[2]
	print := table("OFREP evaluation, wrk with 16 connections, median of 5 rounds of 4 s by turns", "requests/s", "ratio", "goal")
	print("nlpcanary, SQLite", fmt.Sprintf("%.0f", we[2]), fmt.Sprintf("%.2f", ratio), fmt.Sprintf("≥ %.1f", ofrepGoal))
	print(relayName, fmt.Sprintf("%.0f", they[2]), "1", "–")
	if ratio < ofrepGoal {
		t.Errorf("nlpcanary answers %.2f times as many requests, and %.1f is the goal", ratio, ofrepGoal)
	}
}

func (s service) wantShare(t *testing.T) {
	t.Helper()
	n := 0
	for _, user := range users[:2000] {
		is, err := s.evaluate(t.Context(), user)
		if err != nil {
			t.Fatal(err)
		}
		if is {
			n++
		}
	}
	if share := float64(n) / 20; share < percent-4 || share > percent+4 {
		t.Fatalf("%s gives %.1f %%", s.base, share)
	}
}

// TestPropagationAndCutOff: how long a change takes to have an effect, and what is
// served when the source of truth is gone and a change was made there.
func TestPropagationAndCutOff(t *testing.T) {
	ourBinary, relayBinary := program(t, "..", "./cmd/nlpcanary"), program(t, ".", "github.com/thomaspoignant/go-feature-flag/cmd/relayproxy")
	database, err := url.Parse(pgtest.Start(t).NewDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := faultproxy.Listen(t.Context(), database.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = proxy.Close() })
	direct := canary(t, ourBinary, database.String()) // makes the changes
	behind := *database
	behind.Host = proxy.Addr()
	port := freePort(t)
	run(t, []string{"NLPCANARY_ADMIN_TOKEN=" + key}, ourBinary, "serve", "--database", behind.String(), "--addr", "127.0.0.1:"+strconv.Itoa(port))
	ours := service{"http://127.0.0.1:" + strconv.Itoa(port), direct.path}
	user := direct.someoneOnNew(t)
	ours.awaitValue(t, user, true, 30*time.Second)

	flags := newFlagServer(t)
	theirs := relay(t, relayBinary, flags.URL)
	deadline := time.Now().Add(30 * time.Second)
	for _, err := theirs.evaluate(t.Context(), users[0]); err != nil && time.Now().Before(deadline); _, err = theirs.evaluate(t.Context(), users[0]) {
		time.Sleep(50 * time.Millisecond)
	}
	relayUser := theirs.someoneOnNew(t)

	// Connected: everyone to old.
	var weTook, theyTook []time.Duration
	for range 5 {
		// Both clocks start before the change is asked for; the relay proxy's polls are
		// met at a random moment.
		began := time.Now()
		direct.rollback(t, rollout.Disabled)
		weTook = append(weTook, ours.sinceValue(t, began, user, false, 10*time.Second))
		for range rollout.Expanded {
			direct.advance(t)
		}
		ours.awaitValue(t, user, true, 10*time.Second)

		time.Sleep(rand.N(time.Second))
		began = time.Now()
		flags.percent.Store(0)
		theyTook = append(theyTook, theirs.sinceValue(t, began, relayUser, false, 30*time.Second))
		flags.percent.Store(percent)
		theirs.awaitValue(t, relayUser, true, 30*time.Second)
	}

	// Cut off: the source hangs for us, and is gone for them; then everyone to old.
	proxy.Set(faultproxy.Fault{HoldUp: true, HoldDown: true})
	began := time.Now()
	direct.rollback(t, rollout.Disabled)
	weCut := ours.sinceValue(t, began, user, false, 10*time.Second)
	flags.percent.Store(0)
	flags.CloseClientConnections()
	flags.Close()
	const watched = 20 * time.Second
	theyCut := "still new after " + watched.String() + ", when the watch ended"
	for began := time.Now(); time.Since(began) < watched; time.Sleep(100 * time.Millisecond) {
		value, err := theirs.evaluate(t.Context(), relayUser)
		if err != nil {
			t.Fatalf("the relay proxy does not answer any more: %v", err)
		}
		if !value {
			theyCut = "old after " + time.Since(began).Round(10*time.Millisecond).String()
			break
		}
	}
	print := table("from a rollback to its effect", "connected, median of 5", "cut off from the source of truth")
	print("nlpcanary, PostgreSQL, T = 3 s", median(weTook).Round(time.Millisecond).String(), "old after "+weCut.Round(10*time.Millisecond).String())
	print(relayName+", polling every second (its shortest)", median(theyTook).Round(time.Millisecond).String(), theyCut)
	if weCut > 3*time.Second {
		t.Errorf("cut off, nlpcanary served new for %s", weCut)
	}
}

func (s service) advance(t *testing.T) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.base+"/api/v1/admin/nlp-canary/advance", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+key)
	response, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(response.Body)
		t.Fatalf("advance: %s %s", response.Status, said)
	}
}
