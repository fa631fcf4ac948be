package bound_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/bound"
	"github.com/nlpcanary/nlpcanary/internal/pgtest"
)

// A short proof: the command makes a longer one. The lease is shorter than in use, so
// that more rollbacks fit; the bound is the lease, whatever it is.
func TestVerify(t *testing.T) {
	for name, database := range map[string]func(*testing.T) string{
		"sqlite":   func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "test.db") },
		"postgres": func(t *testing.T) string { return pgtest.Start(t).NewDatabase(t) },
	} {
		t.Run(name, func(t *testing.T) {
			report, err := bound.Verify(t.Context(), bound.Config{Database: database(t), Instances: 7, Rollbacks: 6, Lease: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range report.Rows {
				t.Logf("%-18s %3d rollbacks, last for new after p50 %7.1f, p99 %7.1f, max %7.1f ms, %d broken", r.Fault, r.Rollbacks, r.P50MS, r.P99MS, r.MaxMS, r.Broken)
			}
			if !report.Held || report.Decisions < 10_000 {
				t.Errorf("held %v in %d decisions", report.Held, report.Decisions)
			}
		})
	}
}
