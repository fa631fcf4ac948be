package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/config"
	"github.com/nlpcanary/nlpcanary/internal/notify"
	"github.com/nlpcanary/nlpcanary/internal/server"
	"github.com/nlpcanary/nlpcanary/rollout"
)

type serveCmd struct {
	Addr     string        `placeholder:"HOST:PORT" help:"Where to listen; port 0 chooses a free one (default 127.0.0.1:8080; NLPCANARY_ADDR)."`
	Region   string        `placeholder:"NAME" help:"The region in which this instance runs."`
	Config   string        `placeholder:"FILE" help:"Read architectures and more from this YAML file."`
	KillFile string        `placeholder:"PATH" help:"While this file exists, this instance sends everyone to old, also without the database."`
	StateDir string        `placeholder:"DIR" help:"Where this instance keeps which state it has seen last, so that after a restart it does not believe an older one (default beside an SQLite database, else the working directory; NLPCANARY_STATE_DIR)."`
	Lease    time.Duration `default:"3s" placeholder:"TIME" help:"How long a state is trusted without hearing from the database: the bound on rollbacks."`
	Budget   time.Duration `default:"2s" placeholder:"TIME" help:"The time that one text may take, the fallback to old included."`
}

// Help is shown by --help.
func (serveCmd) Help() string {
	return `Creates or migrates the database. A PostgreSQL server that does not answer is waited for: until it comes the instance is live, not ready, and everyone gets old. The first start makes an admin token, prints it once and keeps it in a file beside the database that only its owner can read; NLPCANARY_ADMIN_TOKEN gives one instead.

Breaking glass on this instance, also without the database: create the kill file, or send SIGUSR1 (and SIGUSR2 to end it).`
}

const (
	defaultAddr = "127.0.0.1:8080"
	minLease    = 200 * time.Millisecond
	maxLease    = time.Minute
)

// Run serves until it is interrupted, which is its normal end.
func (cmd serveCmd) Run(ctx context.Context, s *session) error {
	return cmd.run(ctx, s, func(*config.Config) error { return nil })
}

// run serves with a configuration that override may change.
func (cmd serveCmd) run(ctx context.Context, s *session, override func(*config.Config) error) error {
	if s.Server != "" {
		return usage("serve works on a database, not through a server", "leave --server out and name the database with --database")
	}
	region, err := rollout.ParseRegion(cmd.Region)
	if err != nil {
		return err
	}
	if cmd.Lease < minLease || cmd.Lease > maxLease {
		return usage("--lease "+cmd.Lease.String()+" is out of range", "give a time from "+minLease.String()+" to "+maxLease.String())
	}
	if cmd.Budget <= 0 {
		return usage("--budget "+cmd.Budget.String()+" is out of range", "give a time above 0")
	}
	addr := cmd.Addr
	if addr == "" {
		addr = s.env.get("NLPCANARY_ADDR")
	}
	if addr == "" {
		addr = defaultAddr
	}
	file, err := configuration(cmd.Config)
	if err != nil {
		return err
	}
	if err := override(&file); err != nil {
		return err
	}
	front, err := gatewayOf(file)
	if err != nil {
		return err
	}
	old, canary, err := server.Architectures(file.Architectures)
	if err != nil {
		return err
	}
	notifiers, err := notify.New(file.Notifiers)
	if err != nil {
		return fmt.Errorf("making the notifiers: %w", err)
	}
	scored, err := goldOf(file.Gold)
	if err != nil {
		return err
	}
	orders, stop := breakGlassOrders()
	defer stop()
	return server.Run(ctx, server.Config{
		Database: s.databaseURL(), Addr: addr, Region: region, Version: moduleVersion(),
		Lease: cmd.Lease, Interval: cmd.Lease / 6, Budget: cmd.Budget, KillFile: cmd.KillFile, Old: old, New: canary, Gold: scored, Gateway: front, Shadow: file.Shadow.Settings(), Notifiers: notifiers,
		StateDir:   cmp.Or(cmd.StateDir, s.env.get("NLPCANARY_STATE_DIR")),
		AdminToken: s.env.get("NLPCANARY_ADMIN_TOKEN"), Logger: s.serverLogger(), Stdout: s.stdout, BreakGlass: orders,
	})
}

// goldOf reads the gold set; nil if it is never to be run.
func goldOf(c config.Gold) (*server.Gold, error) {
	every, err := c.Interval()
	if err != nil || every == 0 {
		return nil, err
	}
	documents, name, err := c.Documents()
	if err != nil {
		return nil, usage(err.Error(), "docs/gold.md describes the formats")
	}
	return &server.Gold{Documents: documents, Name: name, Every: every}, nil
}

// configuration reads the file of --config; without one, everything is as built in.
func configuration(path string) (config.Config, error) {
	if path == "" {
		return config.Config{}, nil
	}
	file, err := config.Load(path)
	if err != nil {
		return config.Config{}, &failure{exit: exitUsage, code: "invalid_arguments", message: err.Error(), hint: "docs/architectures.md and docs/alerts.md show what the file holds", err: err}
	}
	return file, nil
}

// serverLogger tells what a server does; debugging only under --verbose.
func (s *session) serverLogger() *slog.Logger {
	level := slog.LevelInfo
	if s.Verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(s.stderr, &slog.HandlerOptions{Level: level}))
}
