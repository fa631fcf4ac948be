package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// openTerminal opens a pseudo-terminal: what is written to tty can be read from
// control, as a person would see it.
func openTerminal(t *testing.T) (control, tty *os.File) {
	t.Helper()
	control, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = control.Close() })
	fd := int(control.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tty.Close() })
	return control, tty
}

// onTerminal runs a command with stdout and stderr on a terminal and returns what
// a person saw.
func onTerminal(t *testing.T, ctx context.Context, env environ, args ...string) (seen string, exit int) { //nolint:revive // the test comes first
	t.Helper()
	control, tty := openTerminal(t)
	output := make(chan string, 1)
	go func() {
		var all strings.Builder
		_, _ = io.Copy(&all, control) // ends with an error when the terminal closes
		output <- all.String()
	}()
	exit = run(ctx, args, env, strings.NewReader(""), tty, tty)
	_ = tty.Close()
	return <-output, exit
}

func scriptDatabase(t *testing.T) environ {
	t.Helper()
	env := environ{"NLPCANARY_DATABASE_URL=sqlite:" + t.TempDir() + "/nlpcanary.db", "TERM=xterm-256color"}
	var out strings.Builder
	if exit := run(context.Background(), []string{"migrate"}, env, strings.NewReader(""), &out, &out); exit != exitOK {
		t.Fatalf("migrate: exit %d: %s", exit, out.String())
	}
	return env
}

// Colour only on a terminal, and never under NO_COLOR.
func TestColour(t *testing.T) {
	env := scriptDatabase(t)
	for name, test := range map[string]struct {
		env      environ
		coloured bool
	}{
		"on a terminal":      {env, true},
		"under NO_COLOR":     {append(env, "NO_COLOR=1"), false},
		"on a dumb terminal": {append(env, "TERM=dumb"), false},
	} {
		seen, exit := onTerminal(t, context.Background(), test.env, "status")
		if exit != exitOK || strings.Contains(seen, "\x1b[") != test.coloured {
			t.Errorf("%s: exit %d, saw %q", name, exit, seen)
		}
	}
	var piped strings.Builder
	run(context.Background(), []string{"status"}, append(env, "CLICOLOR_FORCE=1"), strings.NewReader(""), &piped, &piped)
	if strings.Contains(piped.String(), "\x1b") {
		t.Errorf("piped: %q", piped.String())
	}
}

// --watch draws over what it drew, until it is interrupted.
func TestStatusWatch(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Second)
	defer cancel()
	seen, exit := onTerminal(t, ctx, scriptDatabase(t), "status", "--watch")
	if exit != exitInterrupted {
		t.Errorf("exit %d; want %d", exit, exitInterrupted)
	}
	// Every second, where the machine is not too busy.
	if looks := strings.Count(seen, "\x1b[H"); looks < 2 || strings.Count(seen, "FULL_ROLLOUT") != looks {
		t.Errorf("%d looks in 4 s; want more than one, each with the stage: %q", looks, seen)
	}
}
