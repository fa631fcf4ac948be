package demo_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/nlpcanary/nlpcanary/internal/demo"
)

// The demo checks its own claims; this checks that it comes to its end.
func TestDemoOnce(t *testing.T) {
	var out bytes.Buffer
	err := demo.Run(t.Context(), demo.Config{Once: true, Users: 400, Version: "test", Stdout: &out, Logger: slog.New(slog.DiscardHandler)})
	t.Logf("\n%s", out.String())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"nlpcanary rollback 0", "held on 1 of 1 instances", "audit trail", "The rollback held."} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the demo did not say %q", want)
		}
	}
}
