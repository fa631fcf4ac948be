package client

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// The timing of requests for the lease.
const (
	// backoffFrom and backoffTo bound the pauses after failures: full jitter below a bound
	// that doubles each time all servers have failed.
	backoffFrom = 100 * time.Millisecond
	backoffTo   = 2 * time.Second
	// maxLease bounds an answer: the most overrides that there may be, twice.
	maxLease = 4 << 20
)

// source leases the state from one server after another. It is a follow.Source.
type source struct {
	calls
	tryWithin time.Duration // for each server
	keys      atomic.Pointer[keys]

	// For the goroutine that renews:
	tag      string         // of the lease that was taken last
	version  follow.Version // of it
	failures int            // in a row

	mu      sync.Mutex
	servers []string
	current int
	moved   chan struct{} // closed when another server is asked
}

// keys came with a lease.
type keys struct {
	users  rollout.Keyer
	sealer *outcome.Sealer
}

func newSource(config Config, servers []string) *source {
	return &source{
		calls:     calls{http: &http.Client{Transport: config.Transport}, token: config.Token},
		tryWithin: config.Lease / 3, // so that there is time for another within a lease
		servers:   servers,
		current:   rand.IntN(len(servers)), // clients spread over the servers
		moved:     make(chan struct{}),
	}
}

func (s *source) server() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.servers[s.current]
}

// next moves on from a server that failed.
func (s *source) next() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.servers) == 1 {
		return
	}
	s.current = (s.current + 1) % len(s.servers)
	close(s.moved)
	s.moved = make(chan struct{})
}

// userKey is the user's keyed hash, as servers make it; zero before the first lease.
func (s *source) userKey(id rollout.UserID) rollout.UserKey {
	if k := s.keys.Load(); k != nil {
		return k.users.Key(id)
	}
	return rollout.UserKey{}
}

// seal makes an outcome's id; empty before the first lease.
func (s *source) seal(t outcome.Ticket) string {
	if k := s.keys.Load(); k != nil {
		return k.sealer.Seal(t)
	}
	return ""
}

// Renew asks one server after another until one gives a lease or the context ends.
func (s *source) Renew(ctx context.Context, h follow.Heartbeat) (follow.Renewal, error) {
	for {
		renewal, err := s.ask(ctx, s.server(), h)
		if err == nil {
			s.failures = 0
			return renewal, nil
		}
		bound := min(backoffFrom<<min(s.failures/len(s.servers), 10), backoffTo)
		s.failures++
		s.next()
		if !pause(ctx, rand.N(bound)) {
			return follow.Renewal{}, err
		}
	}
}

// errBehind: the server holds an older state than this client has seen from another. It
// will have caught up soon; until then it must not take the client back.
var errBehind = errors.New("the server is behind what another one has said")

// ask is one request for the lease.
func (s *source) ask(ctx context.Context, server string, h follow.Heartbeat) (follow.Renewal, error) {
	ctx, cancel := context.WithTimeout(ctx, s.tryWithin)
	defer cancel()
	request, err := s.request(ctx, http.MethodGet, server, "/api/v1/lease", nil)
	if err != nil {
		return follow.Renewal{}, err
	}
	if s.tag != "" && h.Known == s.version {
		request.Header.Set("If-None-Match", s.tag)
	}
	sent := time.Now()
	response, err := s.do(request)
	if err != nil {
		return follow.Renewal{}, err
	}
	defer response.Body.Close()
	lasts, err := leaseOf(response)
	if err != nil {
		return follow.Renewal{}, err
	}
	if response.StatusCode == http.StatusNotModified {
		return follow.Renewal{Version: s.version, Lease: lasts, Sent: sent}, nil
	}
	var lease follow.Lease
	if err := json.NewDecoder(io.LimitReader(response.Body, maxLease)).Decode(&lease); err != nil {
		return follow.Renewal{}, fmt.Errorf("reading the lease: %w", err)
	}
	if lease.Version.OlderThan(h.Seen.Version) {
		return follow.Renewal{}, errBehind
	}
	renewal, err := lease.Renewal(sent, lasts)
	if err != nil {
		return follow.Renewal{}, err
	}
	outcomeKey, err := base64.StdEncoding.DecodeString(lease.OutcomeKey)
	if err != nil || len(outcomeKey) == 0 {
		return follow.Renewal{}, errors.New("the lease's outcome key cannot be read")
	}
	s.keys.Store(&keys{users: *renewal.Keyer, sealer: outcome.NewClientSealer(outcomeKey)})
	s.tag, s.version = response.Header.Get("ETag"), lease.Version
	return renewal, nil
}

// leaseOf is for how long an answer may be trusted.
func leaseOf(response *http.Response) (time.Duration, error) {
	ms, err := strconv.ParseInt(response.Header.Get(follow.LeaseHeader), 10, 32)
	if err != nil || ms < 0 {
		return 0, errors.New("the answer has no lease: is this an nlpcanary server of this version?")
	}
	// With nothing left, the state is one to hold on to without a lease, or of no use.
	return max(time.Duration(ms)*time.Millisecond, time.Nanosecond), nil
}

// Leave has nothing to do: servers keep no list of clients.
func (s *source) Leave(context.Context, string) error { return nil }

func (s *source) close() { s.http.CloseIdleConnections() }

// pause waits; false if the context ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
