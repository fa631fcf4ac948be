package gold

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/nlpcanary/nlpcanary/extract"
	"github.com/nlpcanary/nlpcanary/outcome"
)

// Three sentences of 20 characters each, a space between them.
const ruText = "Дом стоял на холме.. Сад был полон тени.. Он молча вышел вон.."

// span finds a piece of ruText.
func span(t *testing.T, piece string, kind extract.Type, partial bool) Span {
	t.Helper()
	at := strings.Index(ruText, piece)
	if at < 0 {
		t.Fatalf("%q is not in the text", piece)
	}
	return Span{Start: at, End: at + len(piece), Type: kind, Partial: partial}
}

func TestCompare(t *testing.T) {
	const place, person = extract.TypeLocation, extract.TypeCharacter
	house, garden := "Дом стоял на холме..", "Сад был полон тени.."
	whole := func(piece string) Span { return span(t, piece, place, false) }
	partial := func(piece string) Span { return span(t, piece, place, true) }
	typed := func(piece string, kind extract.Type) Span { return span(t, piece, kind, false) }
	cases := []struct {
		name        string
		gold, found []Span
		want        Counts
	}{
		{"the same", []Span{whole(house)}, []Span{whole(house)},
			Counts{Spans: outcome.Labels{Correct: 1}, Strict: outcome.Labels{Correct: 1}, Partial: outcome.Labels{Correct: 2}, Characters: outcome.Labels{Correct: 20}, Sentences: outcome.Labels{Correct: 1}}},
		{"white space at the ends does not count", []Span{whole(house)}, []Span{whole(house + " ")},
			Counts{Spans: outcome.Labels{Correct: 1}, Strict: outcome.Labels{Correct: 1}, Partial: outcome.Labels{Correct: 2}, Characters: outcome.Labels{Correct: 20}, Sentences: outcome.Labels{Correct: 1}}},
		{"missed", []Span{whole(house)}, nil,
			Counts{Spans: outcome.Labels{Missed: 1}, Strict: outcome.Labels{Missed: 1}, Partial: outcome.Labels{Missed: 2}, Characters: outcome.Labels{Missed: 20}, Sentences: outcome.Labels{Missed: 1}}},
		{"wrong", nil, []Span{whole(house)},
			Counts{Spans: outcome.Labels{Wrong: 1}, Strict: outcome.Labels{Wrong: 1}, Partial: outcome.Labels{Wrong: 2}, Characters: outcome.Labels{Wrong: 20}, Sentences: outcome.Labels{Wrong: 1}}},
		{"another type", []Span{whole(house)}, []Span{typed(house, person)},
			Counts{Spans: outcome.Labels{Wrong: 1, Missed: 1}, Strict: outcome.Labels{Wrong: 1, Missed: 1}, Partial: outcome.Labels{Wrong: 2, Missed: 2}, Characters: outcome.Labels{Wrong: 20, Missed: 20}, Sentences: outcome.Labels{Wrong: 1, Missed: 1}}},
		// 20 of 41 characters are not half of what both cover.
		{"two sentences for one", []Span{whole(house)}, []Span{whole(house + " " + garden)},
			Counts{Spans: outcome.Labels{Wrong: 1, Missed: 1}, Strict: outcome.Labels{Wrong: 1, Missed: 1}, Partial: outcome.Labels{Correct: 1, Wrong: 1, Missed: 1}, Characters: outcome.Labels{Correct: 20, Wrong: 21}, Sentences: outcome.Labels{Correct: 1, Wrong: 1}}},
		{"half of a sentence", []Span{whole(house)}, []Span{whole("Дом стоял на")},
			Counts{Spans: outcome.Labels{Correct: 1}, Strict: outcome.Labels{Wrong: 1, Missed: 1}, Partial: outcome.Labels{Correct: 1, Wrong: 1, Missed: 1}, Characters: outcome.Labels{Correct: 12, Missed: 8}, Sentences: outcome.Labels{Correct: 1}}},
		{"the same found twice", []Span{whole(house)}, []Span{whole(house), whole(house)},
			Counts{Spans: outcome.Labels{Correct: 1, Wrong: 1}, Strict: outcome.Labels{Correct: 1, Wrong: 1}, Partial: outcome.Labels{Correct: 2, Wrong: 2}, Characters: outcome.Labels{Correct: 20}, Sentences: outcome.Labels{Correct: 1}}},
		{"partial and found", []Span{partial(house)}, []Span{whole(house)}, Counts{}},
		{"partial and not found", []Span{partial(house)}, nil, Counts{}},
		{"partial excuses one only", []Span{partial(house)}, []Span{whole(house), whole(house)},
			Counts{Spans: outcome.Labels{Wrong: 1}, Strict: outcome.Labels{Wrong: 1}, Partial: outcome.Labels{Wrong: 2}}},
		{"partial does not excuse another type", []Span{partial(house)}, []Span{typed(house, person)},
			Counts{Spans: outcome.Labels{Wrong: 1}, Strict: outcome.Labels{Wrong: 1}, Partial: outcome.Labels{Wrong: 2}, Characters: outcome.Labels{Wrong: 20}, Sentences: outcome.Labels{Wrong: 1}}},
		{"a whole span comes before a partial one", []Span{partial(house), whole("Дом стоял на холме")}, []Span{whole(house)},
			Counts{Spans: outcome.Labels{Correct: 1}, Strict: outcome.Labels{Missed: 1}, Partial: outcome.Labels{Correct: 1, Wrong: 1, Missed: 1}, Characters: outcome.Labels{Correct: 18}, Sentences: outcome.Labels{Correct: 1}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := Compare(Document{ID: "x", Text: ruText, Spans: c.gold}, described(c.found))
			got.ByType = nil
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func described(spans []Span) []extract.Description {
	var found []extract.Description
	for _, s := range spans {
		found = append(found, extract.Description{Type: s.Type, Start: s.Start, End: s.End})
	}
	return found
}

func drawnSpans(t *rapid.T, name string) []Span {
	one := rapid.Custom(func(t *rapid.T) Span {
		boundaries := []int{0}
		for i := range ruText {
			boundaries = append(boundaries, i)
		}
		from := rapid.IntRange(0, len(boundaries)-2).Draw(t, "from")
		to := rapid.IntRange(from+1, len(boundaries)-1).Draw(t, "to")
		return Span{
			Start: boundaries[from], End: boundaries[to], Partial: rapid.Bool().Draw(t, "partial"),
			Type: rapid.SampledFrom(types[:3]).Draw(t, "type"),
		}
	})
	return rapid.SliceOfN(one, 0, 6).Draw(t, name)
}

// Whatever is found: the counts are not negative, by type they add up to all, and in
// every measure nothing is counted that is not there.
func TestCompareAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := Document{ID: "x", Text: ruText, Spans: drawnSpans(t, "gold")}
		found := described(drawnSpans(t, "found"))
		c := Compare(d, found)
		var sum outcome.Labels
		for _, l := range c.ByType {
			sum.Add(l)
		}
		if sum != c.Spans {
			t.Fatalf("by type %+v, all %+v", sum, c.Spans)
		}
		whole := int64(0)
		for _, s := range d.Spans {
			if !s.Partial {
				whole++
			}
		}
		for name, l := range map[string]outcome.Labels{"spans": c.Spans, "strict": c.Strict, "partial": c.Partial, "characters": c.Characters, "sentences": c.Sentences} {
			if l.Correct < 0 || l.Wrong < 0 || l.Missed < 0 {
				t.Fatalf("%s: %+v", name, l)
			}
		}
		for name, l := range map[string]outcome.Labels{"spans": c.Spans, "strict": c.Strict} {
			if l.Correct+l.Missed != whole || l.Correct+l.Wrong > int64(len(found)) {
				t.Fatalf("%s: %+v of %d whole spans and %d found", name, l, whole, len(found))
			}
		}
		if c.Strict.Correct > c.Spans.Correct {
			t.Fatalf("strict finds more: %+v, %+v", c.Strict, c.Spans)
		}
	})
}
