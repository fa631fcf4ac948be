package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Columns are as wide as what a terminal shows, whatever the bytes.
func TestTableAlignsWhatIsSeen(t *testing.T) {
	coloured := style{on: true}
	table := table{header: []string{"NAME", "N"}, right: map[int]bool{1: true}}
	table.add("漢字", "7")
	table.add("Жанна", "1,000")
	var plain strings.Builder
	table.write(&plain, style{}, "")
	if diff := cmp.Diff("NAME       N\n漢字       7\nЖанна  1,000\n", plain.String()); diff != "" {
		t.Error(diff)
	}
	if got := coloured.render(lookStrong, ""); got != "" {
		t.Errorf("nothing is coloured to %q", got)
	}
}

func TestClipAndPrintable(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{"short", "short"},
		{"two\nlines  here", "two lines…"},
		{"漢字漢字漢字", "漢字漢字…"},
	} {
		if got := clip(test.text, 10); got != test.want {
			t.Errorf("clip(%q) = %q; want %q", test.text, got, test.want)
		}
	}
	if got := printable("a\x1b[31mb\u009bc\x7f"); got != "a [31mb c " {
		t.Errorf("printable lets through %q", got)
	}
}

func TestSentence(t *testing.T) {
	for text, want := range map[string]string{
		"the user is pinned to old":   "The user is pinned to old.",
		"Nothing to change.":          "Nothing to change.",
		"when_stale is hold":          "when_stale is hold.",
		"every cache will be cleared": "Every cache will be cleared.",
		"":                            ".",
	} {
		if got := sentence(text); got != want {
			t.Errorf("sentence(%q) = %q; want %q", text, got, want)
		}
	}
}
