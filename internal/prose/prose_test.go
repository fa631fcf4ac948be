package prose_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/nlpcanary/nlpcanary/internal/prose"
)

func TestPassages(t *testing.T) {
	ids := map[string]bool{}
	words := map[string]int{}
	for _, p := range prose.Passages() {
		if ids[p.ID] {
			t.Errorf("%s occurs twice", p.ID)
		}
		ids[p.ID] = true
		if !strings.HasPrefix(p.ID, p.Language+"-") {
			t.Errorf("%s is filed under %q", p.ID, p.Language)
		}
		n := len(strings.Fields(p.Text))
		if n < 75 || n > 260 {
			t.Errorf("%s has %d words, want 80 to 250 or so", p.ID, n)
		}
		if !utf8.ValidString(p.Text) || strings.TrimSpace(p.Text) != p.Text || strings.Contains(p.Text, "===") {
			t.Errorf("%s is not a clean text", p.ID)
		}
		words[p.Language] += n
	}
	for _, language := range []string{"ru", "en"} {
		if words[language] < 2400 {
			t.Errorf("%s: %d words in all, want at least 2400", language, words[language])
		}
	}
	t.Logf("%d passages, words: %v", len(ids), words)
}
