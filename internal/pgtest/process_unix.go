//go:build unix

package pgtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
	"time"
)

// account is the user that the server runs as: nil credential means the one
// who runs the tests.
type account struct {
	credential *syscall.Credential
}

// serverAccount returns the user to run PostgreSQL as. It refuses to run as
// root; for root that is the user postgres, which its packages create, or
// nobody.
func serverAccount() (*account, error) {
	if os.Geteuid() != 0 {
		return &account{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err := strconv.ParseUint(u.Uid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("user %s: %w", name, err)
		}
		gid, err := strconv.ParseUint(u.Gid, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("user %s: %w", name, err)
		}
		return &account{credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
	}
	return nil, errors.New("PostgreSQL refuses to run as root and there is neither a user postgres nor nobody; run the tests as an ordinary user")
}

func (a *account) own(path string) error {
	if a.credential == nil {
		return nil
	}
	return os.Chown(path, int(a.credential.Uid), int(a.credential.Gid))
}

// command is exec.CommandContext as that user, in a session of its own so that
// Ctrl-C reaches only the test binary, and without the environment, whose
// PGDATA, PGPORT and the like must not matter.
func (a *account) command(ctx context.Context, path string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Credential: a.credential}
	return cmd
}

// tempRoot is where clusters live. The path of a Unix socket has room for
// about 100 bytes, and root's TMPDIR may be closed to the server's user.
func tempRoot(a *account) string {
	const room = 60
	if a.credential != nil || len(os.TempDir()) > room {
		return "/tmp"
	}
	return os.TempDir()
}

// server is a running postmaster, a child of this process.
type server struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when the process is gone
}

func startServer(account *account, logPath, path string, args ...string) (*server, error) {
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close() //nolint:errcheck // the server has its own copy
	cmd := account.command(context.Background(), path, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{cmd: cmd, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended stands in its log
		close(s.ended)
	}()
	return s, nil
}

func (s *server) pid() int { return s.cmd.Process.Pid }

// stop is PostgreSQL's fast shutdown.
func (s *server) stop() error { return s.end(syscall.SIGINT, time.Minute) }

// kill is PostgreSQL's immediate shutdown: the postmaster makes every process
// of the server quit on the spot and nothing is written, so what is on disk is
// what a crash leaves. SIGKILL would leave sessions running that can still
// commit.
func (s *server) kill() error { return s.end(syscall.SIGQUIT, 10*time.Second) }

func (s *server) end(sig syscall.Signal, patience time.Duration) error {
	if err := s.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-s.ended:
		return nil
	case <-time.After(patience):
	}
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-s.ended
	return fmt.Errorf("the server did not heed %v within %v and was killed", sig, patience)
}

// watchdog is a shell that ends the server and removes its files when this
// process no longer holds the other end of its standard input.
type watchdog struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
}

// Each line it reads is the process to end when there are no more lines, 0 for
// none. It ends that process only if the server's own pid file names it, so
// that a number used again by the system never hits a stranger. The pid file
// goes when the server has gone; a zombie would still answer to kill -0.
const watchdogScript = `
pid=0
while read -r line; do pid=$line; done
file="$1/data/postmaster.pid"
ours() { [ "$pid" != 0 ] && [ -e "$file" ] && [ "$(head -n 1 "$file")" = "$pid" ]; }
if ours; then kill -QUIT "$pid"; fi
tries=0
while ours && [ "$tries" -lt 100 ]; do sleep 0.1; tries=$((tries + 1)); done
if ours; then kill -KILL "$pid"; fi
rm -rf "$1"
`

func startWatchdog(dir string) (*watchdog, error) {
	cmd := exec.Command("/bin/sh", "-c", watchdogScript, "pgtest-watchdog", dir)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the watchdog: %w", err)
	}
	return &watchdog{cmd: cmd, stdin: stdin}, nil
}

// guard names the process to end, 0 for none.
func (w *watchdog) guard(pid int) {
	// A watchdog that has gone shows in release.
	_, _ = fmt.Fprintln(w.stdin, pid)
}

// release makes the watchdog do its work now and waits for it.
func (w *watchdog) release() error {
	if err := w.stdin.Close(); err != nil {
		return err
	}
	if err := w.cmd.Wait(); err != nil {
		return fmt.Errorf("the watchdog: %w", err)
	}
	return nil
}
