package pgtest

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	superuser = "postgres"

	// startLimit is generous: a cold initdb under the race detector, on a busy
	// machine with a slow disk, takes several seconds.
	startLimit = 2 * time.Minute
)

// errPortTaken means that somebody took the port between our finding it free
// and the server's binding it.
var errPortTaken = errors.New("the port was taken meanwhile")

// start makes a data directory, starts a server on it and waits until it
// answers.
func start(config Config) (*Cluster, error) {
	binaries, err := findBinaries(os.Getenv("PATH"), usualPlaces)
	if err != nil {
		return nil, err
	}
	account, err := serverAccount()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(tempRoot(account), "pgtest-")
	if err != nil {
		return nil, err
	}
	guard, err := startWatchdog(dir)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	c := &Cluster{config: config, binaries: binaries, dir: dir, password: rand.Text(), watchdog: guard}
	if err := c.initialise(account); err != nil {
		return nil, errors.Join(err, c.close())
	}
	for range 5 {
		c.port, err = freePort()
		if err == nil {
			err = c.launch()
		}
		if !errors.Is(err, errPortTaken) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// initialise runs initdb. A password is set because the server listens on the
// loopback address, where every user of the machine could otherwise become its
// superuser.
func (c *Cluster) initialise(account *account) error {
	passwordFile := filepath.Join(c.dir, "password")
	if err := os.WriteFile(passwordFile, []byte(c.password), 0o600); err != nil {
		return err
	}
	for _, path := range []string{c.dir, passwordFile} {
		if err := account.own(path); err != nil {
			return fmt.Errorf("giving %s to the server's user: %w", path, err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	cmd := account.command(ctx, filepath.Join(c.binaries, "initdb"),
		"--pgdata="+c.data(), "--username="+superuser, "--pwfile="+passwordFile,
		// Plain passwords on loopback: SCRAM's thousands of rounds on our side
		// would cost the race detector tens of milliseconds per connection.
		"--auth=password", "--encoding=UTF8", "--locale=C", "--no-sync")
	cmd.Dir = c.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

// launch starts the server on the existing data and waits until it answers.
// The caller holds c.mu or is the only one to know c.
func (c *Cluster) launch() error {
	account, err := serverAccount()
	if err != nil {
		return err
	}
	durable := onOff(c.config.Durable)
	logPath := filepath.Join(c.dir, "server.log")
	s, err := startServer(account, logPath, filepath.Join(c.binaries, "postgres"),
		"-D", c.data(),
		"-c", "listen_addresses=127.0.0.1",
		"-c", fmt.Sprintf("port=%d", c.port),
		"-c", "unix_socket_directories="+c.dir,
		"-c", "fsync="+durable,
		"-c", "full_page_writes="+durable,
		"-c", "synchronous_commit="+durable,
		"-c", "shared_buffers=32MB",
		// Tests that run side by side open many stores, each with its pools.
		"-c", "max_connections=400",
		"-c", "timezone=UTC",
		"-c", "logging_collector=off")
	if err != nil {
		return err
	}
	c.watchdog.guard(s.pid())
	if err := c.await(s); err != nil {
		killErr := s.kill()
		c.watchdog.guard(0)
		log := tail(logPath)
		if strings.Contains(log, "could not bind") || strings.Contains(log, "could not create any TCP/IP sockets") {
			err = errPortTaken
		}
		return errors.Join(fmt.Errorf("starting PostgreSQL: %w\n%s", err, log), killErr)
	}
	c.server = s
	return nil
}

// await returns when the server accepts a connection, or with an error when it
// has ended or startLimit is over.
func (c *Cluster) await(s *server) error {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	db, err := sql.Open("pgx", c.url("postgres"))
	if err != nil {
		return err
	}
	defer db.Close() //nolint:errcheck // the pool holds nothing but an idle connection
	retry := time.NewTicker(20 * time.Millisecond)
	defer retry.Stop()
	for {
		err := db.PingContext(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-s.ended:
			return errors.New("the server ended by itself")
		case <-ctx.Done():
			return fmt.Errorf("no answer within %v: %w", startLimit, err)
		case <-retry.C:
		}
	}
}

// close ends the server and removes its files.
func (c *Cluster) close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var err error
	if c.server != nil {
		err = c.server.kill() // nobody will read its data any more
		c.server = nil
		c.watchdog.guard(0)
	}
	return errors.Join(err, c.watchdog.release())
}

func (c *Cluster) data() string { return filepath.Join(c.dir, "data") }

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

// tail returns the last lines of a log for an error message.
func tail(path string) string {
	log, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(log)), "\n")
	return strings.Join(lines[max(0, len(lines)-20):], "\n")
}
