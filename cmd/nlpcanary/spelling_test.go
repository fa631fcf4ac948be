package main

import (
	"strings"
	"testing"
)

func TestTranslateSpelling(t *testing.T) {
	for _, test := range []struct{ args, want string }{
		{"--status", "status"},
		{"--status --watch", "status --watch"},
		{"--advance --admin ann@example.org", "advance --admin ann@example.org"},
		{"--admin ann@example.org --advance", "advance --admin ann@example.org"},
		{"--admin=ann@example.org --advance --verbose", "advance --admin=ann@example.org --verbose"},
		{"--stage 2", "rollback -- 2"},
		{"--stage=2 --admin a@b", "rollback --admin a@b -- 2"},
		{"--stage -1", "rollback -- -1"},
		{"--rollback", "rollback"},
		{"--rollback --stage 1 --json", "rollback --json -- 1"},
		{"--history", "history"},
		{"--history --history-limit 3", "history --limit=3"},
		{"--history-limit=3 --history", "history --limit=3"},
		{"--clear-cache --note why", "clear-cache --note why"},
		{"--version", "version"},
		// A command line that names a command is left alone.
		{"status --json", "status --json"},
		{"--json status", "--json status"},
		{"--database sqlite:x.db rollback 0", "--database sqlite:x.db rollback 0"},
		{"override add --status old", "override add --status old"},
		{"", ""},
		{"--help", "--help"},
		{"--admin", "--admin"},
	} {
		got, err := translateSpelling(strings.Fields(test.args))
		if err != nil || strings.Join(got, " ") != test.want {
			t.Errorf("translateSpelling(%q) = %q, %v; want %q", test.args, strings.Join(got, " "), err, test.want)
		}
	}
}

func TestTranslateSpellingRefusesMixtures(t *testing.T) {
	for _, test := range []struct{ args, says string }{
		{"--status --advance", "cannot be combined"},
		{"--advance --stage 3", "takes no --stage"},
		{"--status --stage 3", "cannot be combined"},
		{"--stage", "expected a value after --stage"},
		{"--history-limit 3", "needs --history"},
	} {
		_, err := translateSpelling(strings.Fields(test.args))
		if err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("translateSpelling(%q): error %v; want one that says %q", test.args, err, test.says)
		} else if got := explain(err).exit; got != exitUsage {
			t.Errorf("translateSpelling(%q): exit %d; want %d", test.args, got, exitUsage)
		}
	}
}
