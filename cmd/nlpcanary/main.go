// Command nlpcanary moves users from one text-processing architecture to another
// in stages, and takes them back.
//
// Every command is written once, against the HTTP API: through a server with
// --server, or else with the same API run in this process straight on the
// database, so that the emergency commands need no server.
package main

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the default behaviour comes back, so that a second
	// Ctrl-C ends a command whose clean end takes too long.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program but for signals and the end of the process. It returns
// the exit code.
func run(ctx context.Context, args []string, env environ, stdin io.Reader, stdout, stderr io.Writer) int {
	s := newSession(env, stdin, stdout, stderr)
	err := s.run(ctx, args)
	if err == nil {
		return exitOK
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return exitInterrupted
	}
	return s.report(err)
}

func (s *session) run(ctx context.Context, args []string) error {
	args, err := translateSpelling(args)
	if err != nil {
		s.JSON = hasFlag(args, "--json")
		return err
	}
	var root commands
	parser, err := newParser(&root, s)
	if err != nil {
		return err
	}
	if len(args) == 0 {
		return usage("no command given", "run 'nlpcanary --help' for the commands; 'nlpcanary status' shows where the rollout stands")
	}
	parsed, err := parser.Parse(args)
	if errors.Is(err, errHelpShown) {
		return nil
	}
	if err != nil {
		s.JSON = hasFlag(args, "--json")
		return parseFailure(err)
	}
	s.globalFlags = root.globalFlags
	s.parser = parser
	parsed.BindTo(ctx, (*context.Context)(nil))
	return parsed.Run(s)
}

// parseFailure turns kong's error into one with a hint at the right help page.
func parseFailure(err error) error {
	help := "nlpcanary --help"
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil {
		if node := parse.Context.Selected(); node != nil {
			help = node.FullPath() + " --help"
		}
	}
	return usage(err.Error(), "run '"+help+"' for what it takes")
}
