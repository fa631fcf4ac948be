package bound_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/bound"
	"github.com/nlpcanary/nlpcanary/internal/pgtest"
)

var (
	rollbacks = flag.Int("bound.rollbacks", 3, "how many rollbacks TestVerify makes on each database")

	kills = flag.Int("bound.kills", 2, "how often TestVerifyWhileTheServerIsKilled kills PostgreSQL")
	lease = flag.Duration("bound.lease", time.Second, "the lease; shorter than in use, so that more rollbacks fit: the bound is the lease, whatever it is")
)

// asInstance tells this test binary to be an instance that is a process of its own.
const asInstance = "NLPCANARY_TEST_BOUND_INSTANCE"

func TestMain(m *testing.M) {
	if os.Getenv(asInstance) != "" {
		if err := bound.RunInstance(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func thisBinary() *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asInstance+"=1")
	cmd.Stderr = os.Stderr
	return cmd
}

func wantHeld(t *testing.T, report bound.Report, rows int) {
	t.Helper()
	for _, r := range report.Rows {
		t.Logf("%-22s %3d rollbacks, last for new after p50 %7.1f, p99 %7.1f, max %7.1f, surely %7.1f ms, %d broken", r.Fault, r.Rollbacks, r.P50MS, r.P99MS, r.MaxMS, r.SureMS, r.Broken)
	}
	if !report.Held || report.Lost > 0 || report.Decisions < 5_000 || len(report.Rows) < rows {
		t.Errorf("held %v, %d lost, in %d decisions under %d faults", report.Held, report.Lost, report.Decisions, len(report.Rows))
	}
}

// A short proof: the command makes a longer one.
func TestVerify(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		database func(*testing.T) string
		rows     int
	}{
		"sqlite":   {func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "test.db") }, 1},
		"postgres": {func(t *testing.T) string { return pgtest.StartOwn(t, pgtest.Config{Durable: true}).NewDatabase(t) }, 4},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report, err := bound.Verify(t.Context(), bound.Config{Database: c.database(t), Instances: 8, Rollbacks: *rollbacks, Lease: *lease, Process: thisBinary})
			if err != nil {
				t.Fatal(err)
			}
			wantHeld(t, report, c.rows)
		})
	}
}

// PostgreSQL dies at once, as in a crash, around the moment of each rollback, and comes
// back after a while. What was confirmed is still there then.
func TestVerifyWhileTheServerIsKilled(t *testing.T) {
	t.Parallel()
	server := pgtest.StartOwn(t, pgtest.Config{Durable: true})
	report, err := bound.Verify(t.Context(), bound.Config{
		Database: server.NewDatabase(t), Instances: 8, Rollbacks: *kills, Lease: *lease,
		Outage: func(context.Context) error {
			server.Kill(t)
			time.Sleep(rand.N(*lease))
			server.Restart(t)
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	wantHeld(t, report, 1)
}
