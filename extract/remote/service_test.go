package remote

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nlpcanary/nlpcanary/extract"
)

const none = `{"descriptions": []}`

// serving starts a service on 127.0.0.1 and returns its architecture.
func serving(t *testing.T, config Config, handler http.HandlerFunc) *Service {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	config.URL = server.URL + config.URL
	if config.Health != "" {
		config.Health = server.URL + config.Health
	}
	return service(t, config)
}

func answering(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, text) }
}

// hanging answers nothing until its test ends.
func hanging(t *testing.T) http.HandlerFunc {
	t.Helper()
	over := make(chan struct{})
	// Cleanups run last in, first out: this one before the server's own.
	release := sync.OnceFunc(func() { close(over) })
	t.Cleanup(release)
	return func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then the server notices a client that goes
		select {
		case <-over:
		case <-r.Context().Done():
		}
	}
}

// Each protocol as a service sees it.
func TestRequests(t *testing.T) {
	cases := []struct {
		config       Config
		path, body   string
		answer       string
		descriptions int
	}{
		{Config{URL: "/extract"}, "/extract", `{"id":"d1","lang":"ru","text":"` + text + `"}`,
			`{"descriptions": [{"type": "location", "start": 0, "end": 3, "text": "Сад"}]}`, 1},
		{Config{URL: "/base/", Protocol: OpenInference, Model: "my model"}, "/base/v2/models/my%20model/infer",
			`{"id":"d1","inputs":[{"name":"text","shape":[1],"datatype":"BYTES","data":["` + text + `"]},{"name":"lang","shape":[1],"datatype":"BYTES","data":["ru"]}]}`,
			`{"outputs": [{"name": "descriptions", "shape": [1], "datatype": "BYTES", "data": ["{\"descriptions\": []}"]}]}`, 0},
		{Config{URL: "/", Protocol: SpaCy}, "/", `{"id":"d1","lang":"ru","text":"` + text + `"}`, `{"text": "` + text + `", "ents": [{"start": 0, "end": 3, "label": "LOC"}]}`, 1},
	}
	for _, c := range cases {
		t.Run(string(c.config.Protocol), func(t *testing.T) {
			s := serving(t, c.config, func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				got := []string{r.Method, r.URL.EscapedPath(), r.Header.Get("Content-Type"), string(body)}
				if diff := cmp.Diff([]string{"POST", c.path, "application/json", c.body}, got); err != nil || diff != "" {
					t.Errorf("%v (-want +got)\n%s", err, diff)
				}
				if _, sent := r.Header["Idempotency-Key"]; sent {
					t.Error("an empty Idempotency-Key was sent")
				}
				fmt.Fprint(w, c.answer)
			})
			result, err := s.Extract(t.Context(), document())
			if err != nil || len(result.Descriptions) != c.descriptions {
				t.Errorf("%+v, %v", result, err)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	elsewhere := httptest.NewServer(answering(none))
	t.Cleanup(elsewhere.Close)
	status := func(n int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(n) }
	}
	cases := []struct {
		name    string
		config  Config
		handler http.HandlerFunc
		want    string
	}{
		{"hanging", Config{Timeout: 30 * time.Millisecond}, hanging(t), "context deadline exceeded"},
		{"hanging in the middle of the answer", Config{Timeout: 30 * time.Millisecond}, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, `{"descr`)
			_ = http.NewResponseController(w).Flush()
			<-r.Context().Done()
		}, "context deadline exceeded"},
		{"too long", Config{MaxResponse: 10}, answering(none), "it is longer than 10 bytes"},
		{"without end", Config{MaxResponse: 1 << 20}, func(w http.ResponseWriter, _ *http.Request) {
			for {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return
				}
			}
		}, "it is longer than 1048576 bytes"},
		{"garbage", Config{}, answering("no"), "it is not JSON"},
		{"500", Config{}, status(500), "status 500"},
		{"204", Config{}, status(204), "status 204"},
		{"redirect", Config{}, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		}, "status 307: redirects are not followed"},
		{"cut off", Config{}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			fmt.Fprint(w, none)
		}, "reading the answer: unexpected EOF"},
		{"wrong offsets", Config{}, answering(`{"descriptions": [{"type": "location", "start": 1, "end": 4, "text": "Сад"}]}`), "description 1: the text from 1 to 4"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := serving(t, c.config, c.handler)
			result, err := s.Extract(t.Context(), document())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v, %v; want %s", result, err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "Сад") {
				t.Errorf("the error quotes the text: %v", err)
			}
		})
	}
	t.Run("nobody there", func(t *testing.T) {
		s := service(t, Config{URL: "http://user:secret@127.0.0.1:1/x"})
		_, err := s.Extract(t.Context(), document())
		if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(s.URL(), "secret") {
			t.Errorf("%v; %s", err, s.URL())
		}
	})
	t.Run("a text that nobody takes", func(t *testing.T) {
		s := service(t, Config{})
		if _, err := s.Extract(t.Context(), extract.Document{Text: "\xff"}); !errors.Is(err, extract.ErrInvalidText) {
			t.Error(err)
		}
		var long *extract.TooLongError
		if _, err := s.Extract(t.Context(), extract.Document{Text: strings.Repeat("x", extract.MaxBytes+1)}); !errors.As(err, &long) {
			t.Error(err)
		}
	})
}

// A slow service is waited for, as long as its time is not over.
func TestSlow(t *testing.T) {
	s := serving(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(50 * time.Millisecond):
			fmt.Fprint(w, none)
		case <-r.Context().Done():
		}
	})
	if _, err := s.Extract(t.Context(), document()); err != nil {
		t.Error(err)
	}
}

// eventually waits for something, for at most 10 s.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 10 s", what)
		}
	}
}

func TestBreaker(t *testing.T) {
	var asked, failing atomic.Int64
	failing.Store(1)
	s := serving(t, Config{OpenFor: 100 * time.Millisecond}, func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		if failing.Load() == 1 {
			w.WriteHeader(503)
			return
		}
		fmt.Fprint(w, none)
	})
	var status *StatusError
	for range failuresInRow {
		if _, err := s.Extract(t.Context(), document()); !errors.As(err, &status) {
			t.Fatal(err)
		}
	}
	if _, err := s.Extract(t.Context(), document()); !errors.Is(err, ErrOpen) {
		t.Fatalf("after %d failures: %v", failuresInRow, err)
	}
	if asked.Load() != failuresInRow || s.Condition().Breaker != "open" {
		t.Errorf("%d requests, %+v", asked.Load(), s.Condition())
	}
	// One trial, which fails, opens it again.
	eventually(t, "half-open", func() bool { return s.Condition().Breaker == "half-open" })
	if _, err := s.Extract(t.Context(), document()); !errors.As(err, &status) {
		t.Errorf("the trial: %v", err)
	}
	if _, err := s.Extract(t.Context(), document()); !errors.Is(err, ErrOpen) {
		t.Errorf("after the trial: %v", err)
	}
	// One that succeeds closes it.
	failing.Store(0)
	eventually(t, "half-open again", func() bool { return s.Condition().Breaker == "half-open" })
	for range 3 {
		if _, err := s.Extract(t.Context(), document()); err != nil {
			t.Error(err)
		}
	}
	if s.Condition().Breaker != "closed" {
		t.Errorf("%+v", s.Condition())
	}
}

// Neither a text that the service refuses nor a caller who goes is held against it.
func TestBreakerForgives(t *testing.T) {
	var refusing atomic.Bool
	refusing.Store(true)
	hang := hanging(t)
	s := serving(t, Config{}, func(w http.ResponseWriter, r *http.Request) {
		if refusing.Load() {
			w.WriteHeader(422)
			return
		}
		hang(w, r)
	})
	for range 3 * failuresInRow {
		var status *StatusError
		if _, err := s.Extract(t.Context(), document()); !errors.As(err, &status) {
			t.Fatal(err)
		}
	}
	refusing.Store(false)
	for range 3 * failuresInRow {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Millisecond, cancel)
		if _, err := s.Extract(ctx, document()); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if got := s.Condition(); got.Breaker != "closed" || got.UnderWay != 0 {
		t.Errorf("%+v", got)
	}
}

// While the new service hangs with all its slots taken and as many again waiting, the
// old one answers, and nothing is left behind when the callers have gone.
func TestHangingServiceStarvesNobody(t *testing.T) {
	const slots = 4
	broken := serving(t, Config{Concurrency: slots, Timeout: time.Minute}, hanging(t))
	healthy := serving(t, Config{Concurrency: slots}, answering(none))
	if _, err := healthy.Extract(t.Context(), document()); err != nil {
		t.Fatal(err)
	}
	before := runtime.NumGoroutine()
	ctx, cancel := context.WithCancel(t.Context())
	var calls sync.WaitGroup
	for range 10 * slots {
		calls.Go(func() {
			if _, err := broken.Extract(ctx, document()); err == nil {
				t.Error("it answered")
			}
		})
	}
	eventually(t, "all slots are taken", func() bool { return broken.Condition().UnderWay == slots })
	for range 20 {
		if _, err := healthy.Extract(t.Context(), document()); err != nil {
			t.Error(err)
		}
	}
	// A caller for each, and a few for each connection, on both of its sides.
	if now := runtime.NumGoroutine(); now > before+10*slots+8*slots {
		t.Errorf("%d goroutines, %d before", now, before)
	}
	cancel()
	calls.Wait()
	eventually(t, "the goroutines have ended", func() bool { return runtime.NumGoroutine() <= before+slots })
	if got := broken.Condition().UnderWay; got != 0 {
		t.Errorf("%d still under way", got)
	}
}

func TestHealth(t *testing.T) {
	var ready atomic.Bool
	var texts atomic.Int64
	s := serving(t, Config{Protocol: OpenInference, Model: "m", HealthEvery: 2 * time.Millisecond}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v2/health/ready" {
			texts.Add(1)
			fmt.Fprint(w, `{"outputs": [{"name": "descriptions", "shape": [1], "datatype": "BYTES", "data": ["{\"descriptions\": []}"]}]}`)
			return
		}
		if !ready.Load() {
			w.WriteHeader(503)
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { s.Watch(ctx); close(ended) }()
	eventually(t, "not ready", func() bool { return s.Condition().NotReady != "" })
	if _, err := s.Extract(t.Context(), document()); !errors.Is(err, ErrNotReady) || texts.Load() != 0 {
		t.Errorf("%v, %d texts sent", err, texts.Load())
	}
	ready.Store(true)
	eventually(t, "ready", func() bool { return s.Condition().NotReady == "" })
	if _, err := s.Extract(t.Context(), document()); err != nil {
		t.Error(err)
	}
	cancel()
	<-ended
	service(t, Config{}).Watch(t.Context()) // without an address it ends at once
}

func TestConcurrentCalls(t *testing.T) {
	s := serving(t, Config{Concurrency: 4}, func(w http.ResponseWriter, r *http.Request) {
		var in plainRequest
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		fmt.Fprintf(w, `{"descriptions": [{"type": "location", "start": 0, "end": %d, "text": %q}]}`, len(in.Text), in.Text)
	})
	var calls sync.WaitGroup
	for i := range 40 {
		calls.Go(func() {
			text := fmt.Sprintf("text%d", i)
			result, err := s.Extract(t.Context(), extract.Document{Text: text})
			if err != nil || result.Descriptions[0].Content != text {
				t.Errorf("%+v, %v", result, err)
			}
		})
	}
	calls.Wait()
}
