package bound

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// ground is where a proof is made: on the same database, beside what is in use.
type ground struct {
	url     string // of the proof's own state
	network bool   // a proxy can stand in between
	host    string // host:port of the database
	remove  func() error
}

func prepare(ctx context.Context, database string) (*ground, error) {
	if path, isFile := strings.CutPrefix(database, "sqlite:"); isFile {
		return besideFile(path)
	}
	return besideSchema(ctx, database)
}

// besideFile is a directory of its own where the database file is, on the same disk.
func besideFile(path string) (*ground, error) {
	dir, err := os.MkdirTemp(filepath.Dir(path), "nlpcanary-bound-")
	if err != nil {
		return nil, fmt.Errorf("making a directory beside the database: %w", err)
	}
	return &ground{
		url:    "sqlite:" + filepath.Join(dir, "bound.db"),
		remove: func() error { return os.RemoveAll(dir) },
	}, nil
}

// besideSchema is a schema of its own in the database.
func besideSchema(ctx context.Context, database string) (*ground, error) {
	at, err := url.Parse(database)
	if err != nil || at.Hostname() == "" {
		// The URL may hold a password and is not repeated.
		return nil, &rollout.Refusal{
			Code: rollout.CodeInvalid, Field: "database", Message: "the proof needs a database URL with a host",
			Hint: "give sqlite:PATH, or postgres://USER:PASSWORD@HOST:PORT/DATABASE",
		}
	}
	port := at.Port()
	if port == "" {
		port = "5432"
	}
	var random [6]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand documents it)
	schema := "nlpcanary_bound_" + hex.EncodeToString(random[:])
	run := func(ctx context.Context, statement string) error {
		conn, err := pgx.Connect(ctx, database)
		if err != nil {
			return err
		}
		_, err = conn.Exec(ctx, statement)
		return errors.Join(err, conn.Close(ctx))
	}
	if err := run(ctx, "CREATE SCHEMA "+schema); err != nil {
		return nil, fmt.Errorf("making a schema for the proof: %w", err)
	}
	query := at.Query()
	query.Set("search_path", schema)
	at.RawQuery = query.Encode()
	return &ground{
		url: at.String(), network: true, host: net.JoinHostPort(at.Hostname(), port),
		remove: func() error {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			if err := run(ctx, "DROP SCHEMA "+schema+" CASCADE"); err != nil {
				return fmt.Errorf("removing the schema %s of the proof: %w", schema, err)
			}
			return nil
		},
	}, nil
}

// through is the URL by way of a proxy.
func (g *ground) through(addr string) (string, error) {
	at, err := url.Parse(g.url)
	if err != nil {
		return "", errors.New("the database URL cannot be read") // it may hold a password
	}
	at.Host = addr
	return at.String(), nil
}
