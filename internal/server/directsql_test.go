package server_test

import (
	"database/sql"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver "pgx"
	_ "modernc.org/sqlite"             // the driver "sqlite"

	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/internal/pgtest"
	"github.com/nlpcanary/nlpcanary/internal/server"
	"github.com/nlpcanary/nlpcanary/internal/store"
)

// The emergency statement, typed into the database's own shell while an instance
// serves, takes everyone back and is in the audit trail.
func TestEmergencySQL(t *testing.T) {
	path := filepath.Join(t.TempDir(), "test.db")
	for _, c := range []struct{ name, url, driver, dsn string }{
		{"sqlite", "sqlite:" + path, "sqlite", "file:" + url.PathEscape(path) + "?_pragma=busy_timeout(5000)"},
		{"postgres", "", "pgx", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.driver == "pgx" {
				c.url = pgtest.Start(t).NewDatabase(t)
				c.dsn = c.url
			}
			t.Chdir(t.TempDir())
			s := run(t, c.url, func(c *server.Config) { c.AdminToken = "sixteen characters" })
			architecture := func() api.Decision {
				var d api.Decision
				s.call(t, "GET", "/api/v1/decision?user_id=u", nil, 200, &d)
				return d
			}
			waitFor(t, "everyone is on new", func() bool { return architecture().Architecture == "new" })
			shell, err := sql.Open(c.driver, c.dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer shell.Close()
			if _, err := shell.ExecContext(t.Context(), "UPDATE feature_flags SET enabled = false WHERE name = 'USE_NEW_NLP_ARCHITECTURE'"); err != nil {
				t.Fatal(err)
			}
			waitFor(t, "everyone is on old", func() bool { d := architecture(); return d.Architecture == "old" && d.Reason == "DISABLED" })
			waitFor(t, "the audit trail tells of it", func() bool {
				var audit struct{ Entries []store.AuditEntry }
				s.call(t, "GET", "/api/v1/admin/audit?action=flag.direct", nil, 200, &audit)
				return len(audit.Entries) == 1 && audit.Entries[0].Source == "database" && strings.Contains(audit.Entries[0].Subject, "USE_NEW")
			})
			var report store.AuditReport
			s.call(t, "GET", "/api/v1/admin/audit/verify", nil, 200, &report)
			if !report.OK {
				t.Errorf("the audit trail does not verify: %+v", report)
			}
		})
	}
}
