package pgtest

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
)

// Backup copies all of the server's data, as it is now, and returns what puts the copy
// back in its place, as often as it is called. Both stop the server and start it again.
func (c *Cluster) Backup(tb testing.TB) (restore func()) {
	tb.Helper()
	c.mu.Lock()
	c.backups++
	kept := filepath.Join(c.dir, fmt.Sprintf("backup-%d", c.backups))
	c.mu.Unlock()
	c.Stop(tb)
	c.copyTree(tb, c.data(), kept)
	c.Restart(tb)
	return func() {
		tb.Helper()
		c.Stop(tb)
		c.run(tb, "rm", "-rf", c.data())
		c.copyTree(tb, kept, c.data())
		c.Restart(tb)
	}
}

func (c *Cluster) copyTree(tb testing.TB, from, to string) {
	tb.Helper()
	c.run(tb, "cp", "-Rp", from, to)
}

// run runs a program as the server's user, who owns the data.
func (c *Cluster) run(tb testing.TB, program string, args ...string) {
	tb.Helper()
	account, err := serverAccount()
	if err != nil {
		tb.Fatalf("pgtest: %v", err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	cmd := account.command(ctx, program, args...)
	cmd.Dir = c.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("pgtest: %s %v: %v\n%s", program, args, err, out)
	}
}
