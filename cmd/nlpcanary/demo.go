package main

import (
	"context"
	"log/slog"

	"github.com/nlpcanary/nlpcanary/internal/demo"
)

type demoCmd struct {
	Once  bool   `help:"End after the story, instead of serving on for trying the commands."`
	Users int    `default:"2000" placeholder:"N" help:"How many users read (default 2000)."`
	Addr  string `placeholder:"HOST:PORT" help:"Where the demo's server listens (default: a free port of 127.0.0.1)."`
}

// Help is shown by --help.
func (demoCmd) Help() string {
	return `Starts a server on an embedded database of its own, sends Russian and English prose through it as many users, advances through the stages, lets the new architecture fail, rolls back, and checks that it held. Exit code 0 means that everything it claims was seen to be so.`
}

// Run tells the story.
func (cmd demoCmd) Run(ctx context.Context, s *session) error {
	if cmd.Users < 200 || cmd.Users > 100_000 {
		return usage("--users is out of range", "give a number from 200 to 100000: with fewer, the cohorts' shares say nothing")
	}
	// The new architecture is broken on purpose and would fill the screen.
	log := slog.New(slog.DiscardHandler)
	if s.Verbose {
		log = s.serverLogger()
	}
	return demo.Run(ctx, demo.Config{
		Once: cmd.Once, Users: cmd.Users, Addr: cmd.Addr, Version: moduleVersion(),
		Stdout: s.stdout, Live: isTerminal(s.stdout), Colour: s.style.on, Logger: log,
	})
}
