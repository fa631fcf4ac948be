package client

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/nlpcanary/nlpcanary/attempt"
	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// DefaultInterval is the mean time between renewals of the lease. Changes come by
// events, so that renewals need only keep the lease alive, and there may be many clients.
const DefaultInterval = time.Second

// DefaultShipEvery is the mean time between shipments of outcomes.
const DefaultShipEvery = 10 * time.Second

// Config says whom to ask and how.
type Config struct {
	// Servers are the base URLs of the servers of one installation, such as
	// "http://127.0.0.1:8080". One of them is asked at a time.
	Servers []string
	// Token has the role client. It is worth the installation's user key: see
	// docs/sdk.md.
	Token string
	// Region is where this process runs, for outcomes; empty if it does not matter.
	Region rollout.Region
	// Budget is the time that one Run may take, fallback included;
	// attempt.DefaultBudget if 0.
	Budget time.Duration
	// NewSlots bounds how many calls of Run are in the new architecture at once;
	// attempt.DefaultNewSlots if 0.
	NewSlots int
	// Lease is the longest time for which an answer is trusted, whatever the server says;
	// follow.DefaultLease if 0.
	Lease time.Duration
	// Interval is the mean time between renewals; DefaultInterval if 0.
	Interval time.Duration
	// ShipEvery is the mean time between shipments of outcomes; DefaultShipEvery if 0.
	ShipEvery time.Duration
	// CacheSlots bounds the cohort cache, of 8 bytes each; rollout.DefaultCacheSlots if 0,
	// no cache if negative.
	CacheSlots int
	// Transport makes the requests, for TLS and proxies of your own; one that is like
	// http.DefaultTransport if nil.
	Transport http.RoundTripper
	Logger    *slog.Logger // slog.Default if nil
}

// Client is safe for concurrent use. Make one for each process, with [Start].
type Client struct {
	source   *source
	follower *follow.Follower
	runner   *attempt.Runner
	outcomes *outcome.Set
	shipper  *shipper
}

// Start begins to lease from the servers and returns at once; see [Client.WaitReady]. It
// fails only if the configuration cannot be right. The client runs until Close.
func Start(config Config) (*Client, error) {
	if config.Lease == 0 {
		config.Lease = follow.DefaultLease
	}
	if config.Interval == 0 {
		config.Interval = DefaultInterval
	}
	if config.ShipEvery == 0 {
		config.ShipEvery = DefaultShipEvery
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	servers, err := parseServers(config.Servers)
	if err != nil {
		return nil, err
	}
	if config.Token == "" {
		return nil, errors.New("the client has no token: make one with 'nlpcanary token create --role client'")
	}
	if _, err := rollout.ParseRegion(string(config.Region)); err != nil {
		return nil, fmt.Errorf("the client's region: %w", err)
	}
	if config.Transport == nil {
		config.Transport = newTransport()
	}
	instance := newInstanceID()
	c := &Client{source: newSource(config, servers), outcomes: outcome.NewSet()}
	c.follower = follow.Start(follow.Config{
		Source: c.source, Instance: instance, Region: config.Region,
		Lease: config.Lease, Interval: config.Interval, CacheSlots: config.CacheSlots, Logger: config.Logger,
	})
	c.runner = attempt.NewRunner(attempt.Config{
		Decide: c.follower.Decide, Key: c.source.userKey, Seal: c.source.seal, Recorder: c.outcomes,
		Budget: config.Budget, NewSlots: config.NewSlots, Logger: config.Logger,
	})
	c.shipper = startShipper(c.source, c.outcomes, instance, config)
	return c, nil
}

// parseServers checks the base URLs.
func parseServers(given []string) ([]string, error) {
	if len(given) == 0 {
		return nil, errors.New("the client has no servers: name at least one, such as http://127.0.0.1:8080")
	}
	servers := make([]string, 0, len(given))
	for _, text := range given {
		at, err := url.Parse(text)
		if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" || at.RawQuery != "" || at.User != nil {
			// The URL may hold a password and is not repeated.
			return nil, fmt.Errorf("server %d is not a URL such as http://127.0.0.1:8080", len(servers)+1)
		}
		servers = append(servers, strings.TrimRight(at.String(), "/"))
	}
	return servers, nil
}

// newTransport is like http.DefaultTransport, with connections of its own.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		ForceAttemptHTTP2:     true,
		MaxIdleConnsPerHost:   4,
		IdleConnTimeout:       90 * time.Second,
		TLSHandshakeTimeout:   5 * time.Second,
		ExpectContinueTimeout: time.Second,
	}
}

// newInstanceID names one run of a client.
func newInstanceID() string {
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand documents it)
	return "sdk-" + hex.EncodeToString(random[:])
}

// WaitReady waits for the first lease. It returns the context's error, with the reason
// of the last failure. It need not be called: until then, everyone gets old.
func (c *Client) WaitReady(ctx context.Context) error {
	if err := c.follower.WaitValid(ctx); err != nil {
		return fmt.Errorf("waiting for a lease: %w", err)
	}
	return nil
}

// Decide chooses the user's architecture, in process: it never blocks, never fails and
// takes no lock. Without a lease the decision is old, reason STALE. Whoever acts on it
// later asks again then, or leaves both to [Run].
func (c *Client) Decide(user rollout.UserID) rollout.Decision { return c.follower.Decide(user) }

// Status is what a client knows about itself.
type Status struct {
	// Ready says that there is a valid lease; without one, everyone gets old.
	Ready bool
	// Remaining is what is left of the lease, at least 0.
	Remaining time.Duration
	// Notified says that changes are announced, so that they arrive at once.
	Notified bool
	// Server is the one that is asked at present.
	Server string
	// Rollout, Stage, Percentage and Revision are of the state that the client holds,
	// with a lease or without; zero before the first answer.
	Rollout    string
	Stage      rollout.Stage
	Percentage rollout.Percent
	Revision   int64
	// LastError is why the last renewal failed; nil if it did not.
	LastError error
	// Lost counts outcomes that found no room or were refused by a server.
	Lost int64
}

// Status looks at the lease now.
func (c *Client) Status() Status {
	f := c.follower.Status()
	s := Status{
		Ready: f.Valid, Remaining: f.Remaining, Notified: f.Notified, LastError: f.LastError,
		Server: c.source.server(), Lost: c.outcomes.Refused() + c.shipper.refused.Load(),
	}
	if f.State != nil {
		r := f.State.Rollout
		s.Rollout, s.Stage, s.Percentage, s.Revision = r.Name, r.Stage, r.Percentage, f.State.Revision
	}
	return s
}

// Changed is closed with the next news: another state, or the lease lapsed or came back.
// Ask for it first and look at the status then, so that no news is missed.
func (c *Client) Changed() <-chan struct{} { return c.follower.Changed() }

// Flush ships the outcomes that were counted so far, rather than at the next interval.
func (c *Client) Flush(ctx context.Context) error { return c.shipper.ship(ctx) }

// Close ships what was counted, for at most five seconds, and stops everything that the
// client has started. Calls of Run under way finish; decisions go on until the lease ends.
func (c *Client) Close() error {
	defer c.source.close()
	return errors.Join(c.shipper.close(), c.follower.Close())
}
