package canarytest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/client"
	"github.com/nlpcanary/nlpcanary/internal/faultproxy"
	"github.com/nlpcanary/nlpcanary/internal/server"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// Config of a server; the zero Config is an ordinary one.
type Config struct {
	// Lease is how long clients go on when they are cut off; 3 s, as in use, if 0. With
	// less a test of that takes less time; below a second a busy machine may lose the
	// lease in between.
	Lease time.Duration
	// Logger gets the server's log; it is dropped if nil.
	Logger *slog.Logger
}

// Server is a running server. It begins at stage 4, 100 %, as every new installation.
// It is safe for concurrent use.
type Server struct {
	admin   admin
	token   string // with the role client
	proxy   *faultproxy.Proxy
	clients []*client.Client
	dir     string
	stop    context.CancelFunc
	ended   chan error
	fail    func(error)
}

// New starts a server that stops with the test, which fails if the server does.
func New(tb testing.TB, config Config) *Server {
	tb.Helper()
	s, err := Start(config)
	if err != nil {
		tb.Fatal(err)
	}
	s.fail = func(err error) {
		tb.Helper()
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// Start starts a server for programs that are no test, such as compiled examples. It
// must be closed. Where one of New's fails its test, this one panics.
func Start(config Config) (*Server, error) {
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	dir, err := os.MkdirTemp("", "canarytest-")
	if err != nil {
		return nil, fmt.Errorf("making a directory for the server: %w", err)
	}
	s := &Server{dir: dir, ended: make(chan error, 1), fail: func(err error) { panic(err) }}
	if err := s.start(config); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// startWithin bounds a start on a busy machine.
const startWithin = 30 * time.Second

func (s *Server) start(config Config) error {
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	type address struct{ url, token string }
	ready := make(chan address, 1)
	go func() {
		s.ended <- server.Run(ctx, server.Config{
			Database: "sqlite:" + filepath.Join(s.dir, "canary.db"), StateDir: s.dir, Addr: "127.0.0.1:0", Version: "canarytest",
			Lease: config.Lease, Interval: config.Lease / 6, Logger: config.Logger, Stdout: io.Discard,
			Ready: func(url, token string) { ready <- address{url, token} },
		})
	}()
	var at address
	select {
	case at = <-ready:
	case err := <-s.ended:
		s.ended <- nil
		return fmt.Errorf("starting the server: %w", err)
	case <-time.After(startWithin):
		return fmt.Errorf("the server did not start within %s", startWithin)
	}
	s.admin = newAdmin(at.url, at.token)
	parsed, err := url.Parse(at.url)
	if err != nil {
		return fmt.Errorf("the server's address: %w", err)
	}
	if s.proxy, err = faultproxy.Listen(ctx, net.JoinHostPort(parsed.Hostname(), parsed.Port())); err != nil {
		return err
	}
	var made struct{ Secret string }
	if err := s.admin.call("POST", "/api/v1/admin/tokens", map[string]any{"name": "canarytest", "role": "client"}, &made); err != nil {
		return err
	}
	s.token = made.Secret
	return nil
}

// Close stops the clients that [Server.Client] made and the server, and removes its
// database. A server made by New is closed by its test.
func (s *Server) Close() error {
	var errs []error
	if s.proxy != nil {
		s.proxy.Set(faultproxy.Fault{})
	}
	for _, c := range s.clients {
		errs = append(errs, c.Close())
	}
	if s.proxy != nil {
		errs = append(errs, s.proxy.Close())
	}
	if s.stop != nil {
		s.stop()
		errs = append(errs, <-s.ended)
	}
	s.admin.close()
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}

// URL is where clients reach the server.
func (s *Server) URL() string { return "http://" + s.proxy.Addr() }

// Token has the role client.
func (s *Server) Token() string { return s.token }

// Client starts a client of the server and waits for its lease. It is closed with the
// server.
func (s *Server) Client() *client.Client {
	c, err := client.Start(client.Config{Servers: []string{s.URL()}, Token: s.Token(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		s.fail(err)
		return nil
	}
	s.clients = append(s.clients, c)
	ctx, cancel := context.WithTimeout(context.Background(), startWithin)
	defer cancel()
	if err := c.WaitReady(ctx); err != nil {
		s.fail(err)
	}
	return c
}

// CutOff loses everything on the way between the clients and the server, in both
// directions, until [Server.Reconnect].
func (s *Server) CutOff() { s.proxy.Set(faultproxy.Fault{HoldUp: true, HoldDown: true}) }

// Reconnect ends [Server.CutOff].
func (s *Server) Reconnect() {
	s.proxy.Set(faultproxy.Fault{Reset: true})
	s.proxy.Set(faultproxy.Fault{})
}

// SetStage moves the rollout to a stage, up or down, stage by stage as in use.
func (s *Server) SetStage(stage rollout.Stage) {
	var status struct{ Stage rollout.Stage }
	err := s.admin.call("GET", canaryPath+"status", nil, &status)
	if err == nil && stage < status.Stage {
		err = s.admin.call("POST", canaryPath+"rollback", map[string]any{"stage": stage}, nil)
	}
	for at := status.Stage; err == nil && at < stage; at++ {
		err = s.admin.call("POST", canaryPath+"advance", nil, nil)
	}
	s.check(err)
}

// Rollback takes users back to a stage at or below the present one.
func (s *Server) Rollback(to rollout.Stage) {
	s.check(s.admin.call("POST", canaryPath+"rollback", map[string]any{"stage": to}, nil))
}

// Kill turns the kill switch off: everyone gets old, whatever the stage.
func (s *Server) Kill() { s.setKillSwitch(false) }

// Revive ends [Server.Kill].
func (s *Server) Revive() { s.setKillSwitch(true) }

func (s *Server) setKillSwitch(enabled bool) {
	s.check(s.admin.call("PUT", "/api/v1/admin/feature-flags/"+rollout.KillSwitch, map[string]any{"enabled": enabled}, nil))
}

// Override pins a user to an architecture.
func (s *Server) Override(user rollout.UserID, to rollout.Variant) {
	s.check(s.admin.call("POST", canaryPath+"overrides", map[string]any{"user_id": user, "architecture": to, "label": "canarytest"}, nil))
}

// Counted is how many outcomes the server has for a variant since the rollout began,
// without users who were pinned or sent to old for want of a lease. Flush the client
// first.
func (s *Server) Counted(v rollout.Variant) int64 {
	type measured struct {
		TotalProcessed int64 `json:"total_processed"`
	}
	var metrics struct {
		Old measured `json:"old_architecture"`
		New measured `json:"new_architecture"`
	}
	s.check(s.admin.call("GET", canaryPath+"metrics?window=rollout", nil, &metrics))
	if v == rollout.New {
		return metrics.New.TotalProcessed
	}
	return metrics.Old.TotalProcessed
}

func (s *Server) check(err error) {
	if err != nil {
		s.fail(err)
	}
}
