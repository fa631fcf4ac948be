package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/internal/server"
	"github.com/nlpcanary/nlpcanary/rollout"
)

const defaultDatabase = "sqlite:nlpcanary.db"

// inProcessBase is the base URL of the API in this process; nothing listens there.
const inProcessBase = "http://nlpcanary.in-process"

// place is where commands work: a server, or else a database.
type place struct {
	server, token string
	database      string
}

// place settles flags and environment. A flag wins over the environment, and a
// server over a database.
func (s *session) place() (place, error) {
	switch {
	case s.Server != "" && s.Database != "":
		return place{}, usage("--server and --database cannot be combined", "give one of them: --server for the API, --database to work straight on the database")
	case s.Server != "":
		return s.serverPlace(s.Server)
	case s.Database != "":
		return place{database: s.Database}, nil
	case s.env.get("NLPCANARY_SERVER") != "":
		return s.serverPlace(s.env.get("NLPCANARY_SERVER"))
	}
	return place{database: s.databaseURL()}, nil
}

// databaseURL is the database for commands that need one whatever the server.
func (s *session) databaseURL() string {
	for _, given := range []string{s.Database, s.env.get("NLPCANARY_DATABASE_URL")} {
		if given != "" {
			return given
		}
	}
	return defaultDatabase
}

func (s *session) serverPlace(raw string) (place, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return place{}, usage("the server is not an http or https URL", "for instance --server http://127.0.0.1:8080")
	}
	token := s.env.get("NLPCANARY_TOKEN")
	if token == "" {
		return place{}, usage("no token for "+raw, "put it in the environment variable NLPCANARY_TOKEN; 'nlpcanary serve' printed one at its first start")
	}
	return place{server: strings.TrimRight(raw, "/"), token: token}, nil
}

// connect opens the API for commands that look and change.
func (s *session) connect(ctx context.Context) (*client, error) { return s.open(ctx, false) }

// connectDataPlane opens the API for commands that decide and extract: on the
// database path the command becomes an instance for its short life.
func (s *session) connectDataPlane(ctx context.Context) (*client, error) { return s.open(ctx, true) }

func (s *session) open(ctx context.Context, dataPlane bool) (*client, error) {
	at, err := s.place()
	if err != nil {
		return nil, err
	}
	if at.server != "" {
		if s.Admin != "" {
			s.note("nlpcanary: --admin is not used with a server: the token's owner makes the change")
		}
		return &client{http: &http.Client{}, base: at.server, token: at.token, log: s.logger(), end: func() error { return nil }}, nil
	}
	direct, err := server.OpenDirect(ctx, server.DirectConfig{
		Database: at.database, Version: moduleVersion(), Logger: s.logger(), DataPlane: dataPlane,
	})
	if err != nil {
		return nil, err
	}
	transport := inProcess{
		handler:  direct.Handler(),
		identity: api.Identity{Name: s.actor(), Role: rollout.RoleAdmin, Source: rollout.SourceCLI},
	}
	return &client{http: &http.Client{Transport: transport}, base: inProcessBase, log: s.logger(), end: direct.Close}, nil
}

// inProcess answers requests with a handler of this process, as somebody who may
// do everything: whoever can write to the database can.
type inProcess struct {
	handler  http.Handler
	identity api.Identity
}

// RoundTrip runs the handler and collects what it writes.
func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	inner := r.Clone(api.WithIdentity(r.Context(), t.identity))
	inner.RequestURI = r.URL.RequestURI()
	inner.RemoteAddr = "127.0.0.1:0"
	if inner.Body == nil {
		inner.Body = http.NoBody
	}
	collected := &collector{header: http.Header{}}
	t.handler.ServeHTTP(collected, inner)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	collected.WriteHeader(http.StatusOK) // if the handler did not
	return &http.Response{
		Status: http.StatusText(collected.status), StatusCode: collected.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: collected.header, Body: io.NopCloser(&collected.body), ContentLength: int64(collected.body.Len()),
		Request: r,
	}, nil
}

// collector is a http.ResponseWriter in memory.
type collector struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (c *collector) Header() http.Header { return c.header }

func (c *collector) WriteHeader(status int) {
	if c.status == 0 && status >= http.StatusOK { // 1xx are not the answer yet
		c.status = status
	}
}

func (c *collector) Write(p []byte) (int, error) {
	c.WriteHeader(http.StatusOK)
	return c.body.Write(p)
}
