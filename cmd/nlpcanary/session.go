package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/user"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"golang.org/x/term"
)

// environ is the environment in the form of os.Environ.
type environ []string

// get is the value of a variable; empty if it is not set. The last one counts.
func (e environ) get(name string) string {
	for i := len(e) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(e[i], name+"="); ok {
			return value
		}
	}
	return ""
}

// session is one run of the program: where it reads and writes, and the flags that
// every command takes.
type session struct {
	globalFlags
	env      environ
	stdin    io.Reader
	stdout   io.Writer
	stderr   io.Writer
	style    style // of stdout
	errStyle style // of stderr
	parser   *kong.Kong
	now      func() time.Time
}

func newSession(env environ, stdin io.Reader, stdout, stderr io.Writer) *session {
	return &session{
		env: env, stdin: stdin, stdout: stdout, stderr: stderr,
		style: styleFor(stdout, env), errStyle: styleFor(stderr, env),
		now: time.Now,
	}
}

// logger tells about the inner workings only under --verbose: a command's own
// output says what a person needs.
func (s *session) logger() *slog.Logger {
	if !s.Verbose {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(s.stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// note tells on stderr what is not an answer.
func (s *session) note(format string, args ...any) {
	fmt.Fprintf(s.stderr, format+"\n", args...)
}

// actor is who makes changes on the database path: --admin, or else the person and
// the host as the operating system knows them.
func (s *session) actor() string {
	if s.Admin != "" {
		return s.Admin
	}
	name := s.env.get("USER")
	if name == "" {
		name = s.env.get("USERNAME")
	}
	if name == "" {
		if u, err := user.Current(); err == nil {
			name = u.Username
		}
	}
	if name == "" {
		name = "unknown"
	}
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "localhost"
	}
	return name + "@" + host
}

// answer prints the API's answer: as it came under --json, for people otherwise.
func (s *session) answer(raw reply, human func()) error {
	if !s.JSON {
		human()
		return nil
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, bytes.TrimSpace(raw), "", "  "); err != nil {
		return fmt.Errorf("the answer is not JSON: %w", err)
	}
	fmt.Fprintf(s.stdout, "%s\n", indented.Bytes())
	return nil
}

// confirm asks on a terminal. Where nobody can answer it goes ahead: scripts name
// the command on purpose.
func (s *session) confirm(ctx context.Context, question string) (bool, error) {
	if !isTerminal(s.stdin) {
		return true, nil
	}
	fmt.Fprintf(s.stderr, "%s [y/N] ", question)
	line, err := interruptibly(ctx, func() (string, error) {
		line, err := bufio.NewReader(s.stdin).ReadString('\n')
		if errors.Is(err, io.EOF) {
			err = nil // Ctrl-D is an answer: no
		}
		return line, err
	})
	if err != nil {
		return false, fmt.Errorf("reading the answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return true, nil
	}
	return false, nil
}

// readStdin reads all of stdin, up to a number of bytes.
func (s *session) readStdin(ctx context.Context, most int64) (string, error) {
	text, err := interruptibly(ctx, func() (string, error) {
		raw, err := io.ReadAll(io.LimitReader(s.stdin, most))
		return string(raw), err
	})
	if err != nil {
		return "", fmt.Errorf("reading stdin: %w", err)
	}
	return text, nil
}

// interruptibly lets Ctrl-C end a read from a person, which nothing else can: the
// read itself is left behind, and the process is about to end.
func interruptibly(ctx context.Context, read func() (string, error)) (string, error) {
	type result struct {
		text string
		err  error
	}
	done := make(chan result, 1)
	go func() {
		text, err := read()
		done <- result{text, err}
	}()
	select {
	case r := <-done:
		return r.text, r.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// argument reads "-" from stdin, so that a user id need not stand in the process
// list.
func (s *session) argument(ctx context.Context, value string) (string, error) {
	if value != "-" {
		return value, nil
	}
	text, err := s.readStdin(ctx, 1<<16)
	return strings.TrimRight(text, "\r\n"), err
}
