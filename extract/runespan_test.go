package extract

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func TestRuneSpans(t *testing.T) {
	const text = "Ёлка 👩‍👧 tree"
	tree := len(text) - len("tree")
	tests := []struct {
		name  string
		given []Description
		want  []RuneSpan
	}{
		{"none", nil, []RuneSpan{}},
		{"all", []Description{{Start: 0, End: len(text)}}, []RuneSpan{{0, 13}}},
		{"two letters of two bytes", []Description{{Start: 0, End: 4}}, []RuneSpan{{0, 2}}},
		{"not in order", []Description{{Start: tree, End: len(text)}, {Start: 0, End: 8}}, []RuneSpan{{9, 13}, {0, 4}}},
		{"nested", []Description{{Start: 0, End: len(text)}, {Start: 2, End: 8}}, []RuneSpan{{0, 13}, {1, 4}}},
		{"outside of the text", []Description{{Start: -1, End: 999}}, []RuneSpan{{0, 13}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, RuneSpans(text, test.given)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestRuneSpansCountRunes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		runes := rapid.SliceOf(rapid.Rune()).Draw(t, "text")
		var given []Description
		var want []RuneSpan
		for range rapid.IntRange(0, 8).Draw(t, "descriptions") {
			start := rapid.IntRange(0, len(runes)).Draw(t, "start")
			end := rapid.IntRange(start, len(runes)).Draw(t, "end")
			want = append(want, RuneSpan{start, end})
			given = append(given, Description{Start: len(string(runes[:start])), End: len(string(runes[:end]))})
		}
		if diff := cmp.Diff(want, RuneSpans(string(runes), given), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("(-want +got)\n%s", diff)
		}
	})
}
