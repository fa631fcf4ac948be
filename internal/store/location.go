package store

import (
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// The dialects, as [Store.Dialect] names them.
const (
	SQLite   = "sqlite"
	Postgres = "postgres"
)

// location is where a database is.
type location struct {
	dialect string
	path    string          // of an SQLite database
	config  *pgx.ConnConfig // of a PostgreSQL database
}

const locationRule = "the database is sqlite:PATH, such as sqlite:nlpcanary.db, or postgres://USER:PASSWORD@HOST:PORT/DATABASE"

// parseLocation reads a database URL. Its errors never repeat what was given,
// because a password may be in it.
func parseLocation(text string) (location, error) {
	scheme, rest, found := strings.Cut(text, ":")
	switch {
	case !found:
		return location{}, badLocation("the database is not a URL")
	case scheme == SQLite:
		return parseSQLite(rest)
	case scheme == Postgres || scheme == "postgresql":
		config, err := pgx.ParseConfig(text)
		if err != nil {
			// pgx's message blanks out the password only where it can parse the URL.
			return location{}, badLocation("the PostgreSQL URL cannot be read")
		}
		return location{dialect: Postgres, config: config}, nil
	case strings.Trim(scheme, "abcdefghijklmnopqrstuvwxyz") == "":
		return location{}, badLocation(fmt.Sprintf("%.20q is not a database that nlpcanary knows", scheme))
	}
	return location{}, badLocation("the database is not a URL")
}

func parseSQLite(path string) (location, error) {
	switch {
	case path == "" || path == "//":
		return location{}, badLocation("the SQLite database has no path")
	case strings.HasPrefix(path, ":memory:"):
		return location{}, badLocation("an SQLite database in memory is not kept")
	case strings.HasPrefix(path, "//") && !strings.HasPrefix(path, "///"):
		return location{}, badLocation("sqlite:// is followed by a host, which SQLite does not have")
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return location{}, fmt.Errorf("finding the working directory: %w", err)
	}
	// Through links, so that every process finds the same -wal file beside it.
	if real, err := filepath.EvalSymlinks(absolute); err == nil {
		absolute = real
	}
	if info, err := os.Stat(absolute); err == nil && info.IsDir() {
		return location{}, badLocation("the SQLite database's path is a directory")
	}
	return location{dialect: SQLite, path: absolute}, nil
}

func badLocation(message string) error {
	return &rollout.Refusal{Code: rollout.CodeInvalid, Field: "database", Message: message, Hint: locationRule}
}

// String names the database without its password.
func (l location) String() string {
	if l.dialect == SQLite {
		return "sqlite:" + l.path
	}
	u := url.URL{
		Scheme: Postgres,
		User:   url.User(l.config.User),
		Host:   net.JoinHostPort(l.config.Host, fmt.Sprint(l.config.Port)),
		Path:   "/" + l.config.Database,
	}
	if strings.HasPrefix(l.config.Host, "/") { // a Unix socket's directory
		u.Host, u.RawQuery = "", url.Values{"host": {l.config.Host}}.Encode()
	}
	return u.String()
}
