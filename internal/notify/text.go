package notify

import (
	"fmt"
	"strings"
	"time"
)

// headline is one line: "CRITICAL nlp: error_rate (new)".
func headline(a Alert) string {
	word := strings.ToUpper(string(a.Severity))
	if a.Resolved {
		word = "RESOLVED"
	}
	text := word + " " + a.Rollout + ": " + a.Rule
	if a.Subject != "" {
		text += " (" + a.Subject + ")"
	}
	return strings.Join(strings.Fields(text), " ") // one line, whatever the names hold
}

// details is the rest, for people.
func details(a Alert) string {
	lines := []string{a.Summary}
	if a.Stage != "" {
		lines = append(lines, "Stage: "+a.Stage)
	}
	if !a.Since.IsZero() {
		since := "Since: " + a.Since.UTC().Format(time.RFC3339)
		if a.Resolved {
			since += fmt.Sprintf(", for %s", a.At.Sub(a.Since).Round(time.Second))
		}
		lines = append(lines, since)
	}
	return strings.Join(lines, "\n")
}
