package gold_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nlpcanary/nlpcanary/extract/gold"
)

// TestBuiltinJSONL holds the built-in gold to what was asked of it.
func TestBuiltinJSONL(t *testing.T) {
	passages, spans := map[string]int{}, 0
	for line := range bytes.Lines(gold.BuiltinJSONL()) {
		var p struct {
			ID, Lang, Style, Split, Text string
			Spans                        []struct {
				Start, End int
				Partial    bool
			}
		}
		if err := json.Unmarshal(line, &p); err != nil {
			t.Fatal(err)
		}
		passages[p.Lang]++
		passages[p.Lang+" "+p.Style]++
		passages[p.Lang+" "+p.Split]++
		runes := []rune(p.Text)
		end := 0
		for _, s := range p.Spans {
			if s.Start < end || s.End <= s.Start || s.End > len(runes) {
				t.Fatalf("%s: span %d-%d is empty, overlaps the one before or leaves the text", p.ID, s.Start, s.End)
			}
			end = s.End
			if content := string(runes[s.Start:s.End]); strings.TrimSpace(content) != content {
				t.Errorf("%s: white space at the ends of %q", p.ID, content)
			}
			if !s.Partial {
				spans++
			}
		}
	}
	for what, least := range map[string]int{
		"ru": 60, "en": 40, "ru train": 15, "ru dev": 8, "ru test": 25, "en train": 15, "en dev": 8, "en test": 15,
		"ru landscape": 6, "ru interior": 6, "ru portrait": 6, "ru dialogue": 6, "ru action": 6, "ru reflection": 6,
		"en landscape": 6, "en interior": 6, "en portrait": 6, "en dialogue": 6, "en action": 6, "en reflection": 6,
	} {
		if passages[what] < least {
			t.Errorf("%d passages of %s, want at least %d", passages[what], what, least)
		}
	}
	if spans < 400 {
		t.Errorf("%d positive spans, want at least 400", spans)
	}
}

// TestBuiltinIsGenerated finds marked texts that were changed without go generate.
func TestBuiltinIsGenerated(t *testing.T) {
	dir := t.TempDir()
	texts, err := filepath.Glob("builtin/*.txt")
	if err != nil || len(texts) == 0 {
		t.Fatalf("no marked texts: %v", err)
	}
	for _, text := range texts {
		content, err := os.ReadFile(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(text)), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if output, err := exec.CommandContext(t.Context(), "go", "run", "./builtin/mark", "-dir", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	made, err := os.ReadFile(filepath.Join(dir, "gold.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(made, gold.BuiltinJSONL()) {
		t.Error("gold.jsonl is not what the marked texts give: go generate ./extract/gold")
	}
}
