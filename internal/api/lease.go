package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// A client decides in its own process from what it leases here. The lease carries the
// installation's user key (docs/decisions), so it needs the permission to report and
// not only the one to read: whoever merely looks at overrides must not find out whose
// they are.

func (a *API) leaseRoutes() {
	a.direct(huma.Operation{
		OperationID: "lease", Method: "GET", Path: "/api/v1/lease", Summary: "What a client needs to decide by itself",
		Description: "The header " + follow.LeaseHeader + " says for how many milliseconds the answer, a 304 too, may be trusted, counted from when the client sent the request. Without a valid lease of the server's own the answer is 503.",
		Parameters:  []*huma.Param{{Name: "If-None-Match", In: "header", Schema: &huma.Schema{Type: "string"}}},
		Metadata:    map[string]any{needs: rollout.Report},
	}, &follow.Lease{}, a.lease)
	a.direct(huma.Operation{
		OperationID: "lease-changes", Method: "GET", Path: "/api/v1/lease/changes", Summary: "When to ask for the lease anew (server-sent events)",
		Description: "An event, whose id is the entity tag of the lease, whenever the lease's content has changed, and one at the beginning. It only makes things faster: a client that hears nothing renews its lease in time.",
		Metadata:    map[string]any{needs: rollout.Report},
		Responses:   map[string]*huma.Response{"200": {Description: "A stream", Content: map[string]*huma.MediaType{"text/event-stream": {}}}},
	}, nil, a.leaseChanges)
}

// givenLease is a lease ready to be sent. It is immutable.
type givenLease struct {
	version    follow.Version
	breakGlass bool
	text       []byte
	tag        string
}

// currentLease encodes the lease once for each content.
func (a *API) currentLease(s follow.Status) (*givenLease, error) {
	if given := a.given.Load(); given != nil && given.version == s.Version && given.breakGlass == s.BreakGlass {
		return given, nil
	}
	l := follow.LeaseOf(s.State, s.Version, s.BreakGlass)
	l.UserKey = base64.StdEncoding.EncodeToString(a.config.Store.Secrets().UserKey)
	l.OutcomeKey = base64.StdEncoding.EncodeToString(a.config.Sealer.ClientKey())
	text, err := json.Marshal(l)
	if err != nil {
		return nil, fmt.Errorf("encoding a lease: %w", err)
	}
	sum := sha256.Sum256(text)
	given := &givenLease{s.Version, s.BreakGlass, append(text, '\n'), `"` + hex.EncodeToString(sum[:12]) + `"`}
	a.given.Store(given)
	return given, nil
}

// leaseNow is the lease and what is left of it: what is left of the instance's own.
func (a *API) leaseNow() (*givenLease, time.Duration, error) {
	if a.config.Follower == nil {
		return nil, 0, newProblem(http.StatusServiceUnavailable, codeOverloaded, "nothing is followed here", "ask a server")
	}
	s := a.config.Follower.Status()
	// A state that is served for ever is given for ever: its content says so.
	if s.State == nil || !s.Valid && !s.State.HoldsWhenStale() {
		p := newProblem(http.StatusServiceUnavailable, codeNotReady, "this instance has no valid lease of its own", "ask another server, or try again after the time in Retry-After")
		p.retryAfter = 1
		return nil, 0, p
	}
	given, err := a.currentLease(s)
	return given, s.Remaining, err
}

func (a *API) lease(w http.ResponseWriter, r *http.Request) {
	given, remaining, err := a.leaseNow()
	if err == nil && r.URL.RawQuery != "" {
		err = badField("", "there are no query parameters here", "leave them out")
	}
	if err != nil {
		a.writeProblem(w, r, err)
		return
	}
	h := w.Header()
	h.Set("ETag", given.tag)
	h.Set(follow.LeaseHeader, strconv.FormatInt(remaining.Milliseconds(), 10))
	if tags := r.Header["If-None-Match"]; len(tags) == 1 && matches(tags[0], given.tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h["Content-Type"] = isJSON
	_, _ = w.Write(given.text) // the reader may have gone
}

// leaseChanges tells a client when to renew. Nothing is polled for it: thousands of
// clients may wait.
func (a *API) leaseChanges(w http.ResponseWriter, r *http.Request) {
	_, _, err := a.leaseNow()
	if err == nil && r.URL.RawQuery != "" {
		err = badField("", "there are no query parameters here", "leave them out")
	}
	if err != nil {
		a.writeProblem(w, r, err)
		return
	}
	leave, err := a.clients.enter(r.Context())
	if err != nil {
		a.writeProblem(w, r, err)
		return
	}
	defer leave()
	s := &stream{w: w, control: http.NewResponseController(w)}
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no")
	if r.Method == http.MethodHead {
		return
	}
	// A deadline of the server's for reading requests would end the stream.
	_ = s.control.SetReadDeadline(time.Time{})
	heartbeat := time.NewTicker(a.config.Heartbeat)
	defer heartbeat.Stop()
	told := ""
	for {
		news := a.config.Follower.Changed()
		given, _, err := a.leaseNow()
		if err == nil && given.tag != told {
			if _, err = a.admit(r, rollout.Report); err == nil {
				told = given.tag
				err = s.send(fmt.Sprintf("event: lease\nid: %s\ndata:\n\n", given.tag))
			}
			if err != nil {
				return
			}
		}
		select {
		case <-r.Context().Done():
			return
		case <-a.config.Stopping:
			return
		case <-heartbeat.C:
			if err := s.send(": still here\n\n"); err != nil {
				return
			}
			if _, err := a.admit(r, rollout.Report); err != nil {
				return // the token was revoked, or has expired
			}
		case <-news:
		}
	}
}
