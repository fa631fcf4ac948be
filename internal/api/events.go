package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// The timing of event streams.
const (
	// lookEvery is how often a stream looks whether the instance's state has moved:
	// one comparison of two numbers. The database is asked only when it has.
	lookEvery = 50 * time.Millisecond
	// retryEvery is how often a database that failed is asked again.
	retryEvery = time.Second
	// sendWithin cuts off a reader that does not take what is sent.
	sendWithin = 5 * time.Second
	// eventBatch bounds what is read from the audit trail at once.
	eventBatch = 100
)

func (a *API) eventRoute() {
	a.direct(huma.Operation{
		OperationID: "events", Method: "GET", Path: "/api/v1/events", Summary: "Every change as it happens (server-sent events)",
		Description: "Each event's id is its revision, its data the entry of the audit trail. With Last-Event-ID the stream goes on after that revision, without gaps; without, it begins with the next change.",
		Parameters: []*huma.Param{
			{Name: "Last-Event-ID", In: "header", Schema: &huma.Schema{Type: "integer"}},
			{Name: "last_event_id", In: "query", Schema: &huma.Schema{Type: "integer"}},
		},
		Metadata:  map[string]any{needs: rollout.View},
		Responses: map[string]*huma.Response{"200": {Description: "A stream", Content: map[string]*huma.MediaType{"text/event-stream": {}}}},
	}, nil, a.events)
}

func (a *API) events(w http.ResponseWriter, r *http.Request) {
	if a.config.Follower == nil {
		a.writeProblem(w, r, newProblem(http.StatusServiceUnavailable, codeOverloaded, "nothing is followed here", "ask a server"))
		return
	}
	last, err := a.lastEvent(r)
	if err != nil {
		a.writeProblem(w, r, err)
		return
	}
	leave, err := a.streams.enter(r.Context())
	if err != nil {
		a.writeProblem(w, r, err)
		return
	}
	defer leave()
	s := &stream{w: w, control: http.NewResponseController(w), last: last}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	if r.Method == http.MethodHead {
		return
	}
	// A deadline of the server's for reading requests would end the stream.
	_ = s.control.SetReadDeadline(time.Time{})
	// An id without data is no event, but a reader remembers it: one who comes back
	// before the first event has missed nothing either.
	if err := s.send(fmt.Sprintf(": nlpcanary\nid: %d\n\n", last)); err != nil {
		return
	}
	a.follow(r, s)
}

// lastEvent is the revision after which the stream begins.
func (a *API) lastEvent(r *http.Request) (int64, error) {
	text := r.Header.Get("Last-Event-Id")
	if text == "" {
		text = r.URL.Query().Get("last_event_id")
	}
	if text == "" {
		state, err := a.knownState(r.Context())
		if err != nil {
			return 0, err
		}
		return state.Revision, nil
	}
	last, err := strconv.ParseInt(text, 10, 64)
	if err != nil || last < 0 {
		return 0, badField("Last-Event-ID", "the last event id is not a revision", "send the id of the last event that you saw")
	}
	return last, nil
}

// follow sends changes until the reader goes, does not take them, or may no longer
// have them.
func (a *API) follow(r *http.Request, s *stream) {
	look := time.NewTicker(lookEvery)
	defer look.Stop()
	heartbeat := time.NewTicker(a.config.Heartbeat)
	defer heartbeat.Stop()
	for {
		var err error
		select {
		case <-r.Context().Done():
			return
		case <-a.config.Stopping:
			return
		case <-heartbeat.C:
			if err = s.send(": still here\n\n"); err == nil {
				_, err = a.admit(r, rollout.View) // the token may have been revoked, or expired
			}
		case <-look.C:
			err = a.sendNews(r, s)
		}
		if err != nil {
			return
		}
	}
}

// sendNews sends what has changed since the last look, if anything has.
func (a *API) sendNews(r *http.Request, s *stream) error {
	state := a.config.Follower.State()
	if state == nil || state.Revision <= s.last || time.Now().Before(s.retry) {
		return nil
	}
	if _, err := a.admit(r, rollout.View); err != nil {
		return err
	}
	for {
		entries, err := a.config.Store.Audit(r.Context(), store.AuditQuery{After: s.last, Limit: eventBatch, Oldest: true})
		if err != nil {
			s.retry = time.Now().Add(retryEvery)
			return nil //nolint:nilerr // the database is away: a later look tries again
		}
		for _, e := range entries {
			if err := s.change(e); err != nil {
				return err
			}
		}
		if len(entries) < eventBatch {
			return nil
		}
	}
}

// stream is one reader of events.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	last    int64     // the last revision that was sent
	retry   time.Time // not before then is the database asked again
}

func (s *stream) change(e store.AuditEntry) error {
	data, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encoding an event: %w", err)
	}
	if err := s.send(fmt.Sprintf("id: %d\nevent: change\ndata: %s\n\n", e.Revision, data)); err != nil {
		return err
	}
	s.last = e.Revision
	return nil
}

func (s *stream) send(text string) error {
	// Not every writer has deadlines (a recorder in a test has none).
	_ = s.control.SetWriteDeadline(time.Now().Add(sendWithin))
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.control.Flush()
}
