// Package pgtest gives tests a real, throwaway PostgreSQL.
//
// Start hands out one cluster per test binary, started by the first test that
// asks; NewDatabase makes a fresh database in it, so tests may run in parallel
// and need not clean up. StartOwn starts a cluster for one test alone, which
// may stop it, kill it and start it again.
//
// Nothing outlives the test binary, however it ends: a watchdog process holds
// one end of a pipe whose other end only the test binary has. When that end
// closes (the tests returned, panicked, ran into their timeout, were
// interrupted or killed) the watchdog ends the server and removes its files.
//
// When the server's programs are missing a test fails and says what to
// install. It never skips: a green run has tested PostgreSQL.
//
// Only _test files may import this package.
package pgtest

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"sync"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver "pgx"
)

// Config says how a cluster of one's own differs from the shared one. Its zero
// value is the shared cluster's configuration.
type Config struct {
	// Durable makes the server flush every commit to disk (fsync,
	// full_page_writes and synchronous_commit on), as in production. Tests
	// that kill the server and look for what it promised need it; all others
	// are several times faster without.
	Durable bool
}

// Cluster is one running PostgreSQL server with its own data directory. Its
// methods may be called from several goroutines.
type Cluster struct {
	config   Config
	shared   bool
	binaries string // the directory of postgres and initdb
	dir      string // everything of this cluster; the watchdog removes it
	port     int
	password string
	watchdog *watchdog

	mu        sync.Mutex
	server    *server // nil while the server is down
	databases int     // how many NewDatabase has made
	backups   int     // how many Backup has made
}

// shared is the cluster that Start hands out.
var shared struct {
	once    sync.Once
	cluster *Cluster
	err     error
}

// Start returns the cluster that all tests of this binary share, and starts it
// first if need be. It goes down with the test binary.
func Start(tb testing.TB) *Cluster {
	tb.Helper()
	shared.once.Do(func() {
		shared.cluster, shared.err = start(Config{})
		if shared.err == nil {
			shared.cluster.shared = true
		}
	})
	if shared.err != nil {
		tb.Fatalf("pgtest: %v", shared.err)
	}
	return shared.cluster
}

// StartOwn starts a cluster for this test alone. It goes down, and its files
// go away, when the test ends.
func StartOwn(tb testing.TB, config Config) *Cluster {
	tb.Helper()
	c, err := start(config)
	if err != nil {
		tb.Fatalf("pgtest: %v", err)
	}
	tb.Cleanup(func() {
		if err := c.close(); err != nil {
			tb.Errorf("pgtest: %v", err)
		}
	})
	return c
}

// NewDatabase makes an empty database and returns its URL, good for
// sql.Open("pgx", url) and for nlpcanary's --database. The database is dropped
// when the test ends, whoever is still connected to it.
func (c *Cluster) NewDatabase(tb testing.TB) string {
	tb.Helper()
	c.mu.Lock()
	c.databases++
	name := fmt.Sprintf("test_%d", c.databases)
	c.mu.Unlock()

	// template0 accepts no connections, so nobody can hold up the copy.
	if err := c.exec("CREATE DATABASE " + name + " TEMPLATE template0"); err != nil {
		tb.Fatalf("pgtest: making database %s: %v", name, err)
	}
	tb.Cleanup(func() {
		if !c.running() {
			return // the whole cluster is about to go
		}
		if err := c.exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			tb.Errorf("pgtest: dropping database %s: %v", name, err)
		}
	})
	return c.url(name)
}

// Stop shuts the server down in order: sessions are ended, everything is
// written. Restart brings it back with its data.
func (c *Cluster) Stop(tb testing.TB) {
	tb.Helper()
	c.end(tb, "Stop", (*server).stop)
}

// Kill ends the server at once, as a crash would: nothing is flushed, sessions
// break in the middle of their statements, and the next start recovers from
// the write-ahead log. Restart brings it back.
func (c *Cluster) Kill(tb testing.TB) {
	tb.Helper()
	c.end(tb, "Kill", (*server).kill)
}

// Restart starts the server again on the same port and data, after stopping it
// if it runs. URLs handed out before stay good.
func (c *Cluster) Restart(tb testing.TB) {
	tb.Helper()
	if c.running() {
		c.Stop(tb)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.launch(); err != nil {
		tb.Fatalf("pgtest: restarting: %v", err)
	}
}

func (c *Cluster) end(tb testing.TB, method string, how func(*server) error) {
	tb.Helper()
	if c.shared {
		tb.Fatalf("pgtest: %s on the shared cluster would break other tests; use StartOwn", method)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.server == nil {
		return
	}
	err := how(c.server)
	c.server = nil
	c.watchdog.guard(0)
	if err != nil {
		tb.Fatalf("pgtest: %s: %v", method, err)
	}
}

func (c *Cluster) running() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.server != nil
}

func (c *Cluster) url(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, c.password),
		Host:     fmt.Sprintf("127.0.0.1:%d", c.port),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

func (c *Cluster) exec(statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	db, err := sql.Open("pgx", c.url("postgres"))
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, statement)
	if closeErr := db.Close(); err == nil {
		err = closeErr
	}
	return err
}
