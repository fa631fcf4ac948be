//go:build !unix

package pgtest

import (
	"context"
	"errors"
	"os"
	"os/exec"
)

// errUnsupported is what every start answers here: ending a PostgreSQL for
// certain needs Unix's signals.
var errUnsupported = errors.New("throwaway PostgreSQL clusters need Unix; run these tests on Linux or macOS, or in WSL")

type account struct{}

func serverAccount() (*account, error) { return nil, errUnsupported }

func (*account) own(string) error { return errUnsupported }

func (*account) command(ctx context.Context, path string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, path, args...)
}

func tempRoot(*account) string { return os.TempDir() }

type server struct{ ended chan struct{} }

func startServer(*account, string, string, ...string) (*server, error) { return nil, errUnsupported }

func (*server) pid() int    { return 0 }
func (*server) stop() error { return errUnsupported }
func (*server) kill() error { return errUnsupported }

type watchdog struct{}

func startWatchdog(string) (*watchdog, error) { return nil, errUnsupported }

func (*watchdog) guard(int)      {}
func (*watchdog) release() error { return errUnsupported }
