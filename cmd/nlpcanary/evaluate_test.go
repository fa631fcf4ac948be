package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A service is scored like a built-in architecture.
func TestEvaluateAService(t *testing.T) {
	const text = "The old house stood on the hill."
	file := filepath.Join(t.TempDir(), "one.jsonl")
	gold := fmt.Sprintf(`{"id": "a", "lang": "en", "text": %q, "unit": "rune", "spans": [{"start": 0, "end": %d, "type": "location"}]}`, text, len(text))
	if err := os.WriteFile(file, []byte(gold), 0o600); err != nil {
		t.Fatal(err)
	}
	answer := fmt.Sprintf(`{"descriptions": [{"type": "location", "start": 0, "end": %d, "text": %q}]}`, len(text), text)
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) }))
	t.Cleanup(service.Close)
	evaluate := func() (exit int, stdout, stderr string) {
		var out, err bytes.Buffer
		exit = run(t.Context(), []string{"evaluate", file, "--json", "--architecture", service.URL + ",old"}, nil, strings.NewReader(""), &out, &err)
		return exit, out.String(), err.String()
	}
	exit, stdout, stderr := evaluate()
	var report evaluation
	if err := json.Unmarshal([]byte(stdout), &report); exit != exitOK || err != nil {
		t.Fatalf("exit %d, %v, %s", exit, err, stderr)
	}
	first := report.Architectures[0]
	if f1 := first.Scores["spans"].F1.Value; f1 == nil || *f1 != 1 || first.Architecture != strings.TrimPrefix(service.URL, "http://") {
		t.Errorf("%+v", first)
	}
	answer = "oh no"
	if exit, _, stderr = evaluate(); exit != exitError || !strings.Contains(stderr, "failed on 1 of 1 document") || !strings.Contains(stderr, "it is not JSON") {
		t.Errorf("exit %d: %s", exit, stderr)
	}
}
