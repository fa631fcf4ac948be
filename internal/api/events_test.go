package api_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// listener reads one event stream.
type listener struct {
	lines  chan string
	cancel context.CancelFunc
}

func (in *instance) listen(tb testing.TB, path string, header ...string) *listener {
	tb.Helper()
	ctx, cancel := context.WithCancel(tb.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, in.server.URL+path, http.NoBody)
	if err != nil {
		tb.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+in.tokens[viewer])
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	response, err := in.server.Client().Do(r) //nolint:bodyclose // the goroutine that reads closes it
	if err != nil {
		tb.Fatal(err)
	}
	if kind := response.Header.Get("Content-Type"); response.StatusCode != http.StatusOK || kind != "text/event-stream" {
		tb.Fatalf("status %d, content type %q", response.StatusCode, kind)
	}
	l := &listener{make(chan string, 10000), cancel}
	tb.Cleanup(cancel)
	go func() {
		defer response.Body.Close()
		defer close(l.lines)
		scanner := bufio.NewScanner(response.Body)
		scanner.Buffer(nil, 1<<20)
		for scanner.Scan() {
			l.lines <- scanner.Text()
		}
	}()
	return l
}

func (l *listener) line(tb testing.TB) (string, bool) {
	tb.Helper()
	select {
	case line, open := <-l.lines:
		return line, open
	case <-time.After(10 * time.Second):
		tb.Fatal("nothing comes")
		return "", false
	}
}

// next is the next event.
func (l *listener) next(tb testing.TB) store.AuditEntry {
	tb.Helper()
	id := ""
	for {
		line, open := l.line(tb)
		if !open {
			tb.Fatal("the stream ended")
		}
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "id":
			id = value
		case "event":
			if value != "change" {
				tb.Fatalf("an event %q", value)
			}
		case "data":
			var e store.AuditEntry
			if err := json.Unmarshal([]byte(value), &e); err != nil || id != strconv.FormatInt(e.Revision, 10) {
				tb.Fatalf("id %s, %v: %s", id, err, value)
			}
			return e
		}
	}
}

const eventsPath = "/api/v1/events"

func TestEventsTellEveryChange(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{})
	before := in.revision(t)
	l := in.listen(t, eventsPath)
	for range 2 { // the comment, and the id from which one who comes back goes on
		if line, _ := l.line(t); line != ": nlpcanary" && line != fmt.Sprintf("id: %d", before) {
			t.Errorf("the stream begins with %q", line)
		}
	}
	in.do(t, call{method: "POST", path: canary + "rollback", as: operator, body: `{"stage": 0, "note": "why"}`}).ok(t, nil)
	in.do(t, call{method: "PUT", path: kill, as: operator, body: `{"enabled": false}`}).ok(t, nil)
	first, second := l.next(t), l.next(t)
	if first.Revision != before+1 || first.Action != rollout.ActionRollback || first.Actor != "operator" || first.Note != "why" || first.Source != rollout.SourceAPI {
		t.Errorf("first %+v", first)
	}
	if second.Revision != before+2 || second.Action != rollout.ActionFlagSet || second.Subject != "flag/"+rollout.KillSwitch {
		t.Errorf("second %+v", second)
	}
}

// A reader that comes back misses nothing and gets nothing twice, however many changes
// there were and however it names the last one it saw.
func TestEventsGoOnWhereAReaderStopped(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{})
	for i := range 120 { // more than are read at once
		in.apply(t, rollout.SetFlag{Name: rollout.KillSwitch, Enabled: i%2 == 1})
	}
	last := in.revision(t)
	for _, l := range []*listener{
		in.listen(t, eventsPath+"?last_event_id=0"),
		in.listen(t, eventsPath, "Last-Event-ID", "0"),
	} {
		for want := int64(1); want <= last; want++ {
			if e := l.next(t); e.Revision != want {
				t.Fatalf("revision %d after %d", e.Revision, want-1)
			}
		}
	}
	resumed := in.listen(t, eventsPath, "Last-Event-ID", strconv.FormatInt(last-3, 10))
	for want := last - 2; want <= last; want++ {
		if e := resumed.next(t); e.Revision != want {
			t.Fatalf("revision %d, want %d", e.Revision, want)
		}
	}
	in.apply(t, rollout.ClearCache{})
	if e := resumed.next(t); e.Revision != last+1 {
		t.Errorf("then revision %d, want %d", e.Revision, last+1)
	}
}

func TestAQuietStreamShowsThatItLives(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{config: func(c *api.Config) { c.Heartbeat = 20 * time.Millisecond }})
	l := in.listen(t, eventsPath)
	for {
		if line, _ := l.line(t); line == ": still here" {
			return
		}
	}
}

func TestStreamsEndWhenTheTokenDoes(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{config: func(c *api.Config) { c.Heartbeat = 20 * time.Millisecond }})
	l := in.listen(t, eventsPath)
	state, err := in.store.State(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	token, _ := state.TokenBySecret(in.tokens[viewer])
	in.apply(t, rollout.RevokeToken{ID: token.ID})
	for {
		line, open := l.line(t)
		if !open {
			return
		}
		if strings.HasPrefix(line, "data:") {
			t.Fatalf("a revoked token got %s", line)
		}
	}
}

func TestStreamsAreBounded(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{config: func(c *api.Config) { c.MaxStreams = 2 }})
	first := in.listen(t, eventsPath)
	in.listen(t, eventsPath)
	got := in.do(t, call{method: "GET", path: eventsPath, as: viewer})
	got.problem(t, 503, "overloaded")
	if got.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	first.cancel()
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodHead, in.server.URL+eventsPath, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+in.tokens[viewer])
		response, err := in.server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the place of one who left is not given to another")
		}
	}
}

// A server bounds how long it reads a request. That must not end a stream.
func TestStreamsOutliveTheServersReadDeadline(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{readTimeout: 100 * time.Millisecond})
	l := in.listen(t, eventsPath)
	time.Sleep(300 * time.Millisecond)
	in.apply(t, rollout.ClearCache{})
	if e := l.next(t); e.Action != rollout.ActionClearCache {
		t.Errorf("%+v", e)
	}
}
