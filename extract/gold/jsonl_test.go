package gold

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/nlpcanary/nlpcanary/extract"
)

func TestReadJSONL(t *testing.T) {
	const text = `{"id": "a", "lang": "ru", "text": "Тёмный сад.", "unit": "rune", "style": "landscape", "split": "dev", "spans": [{"start": 7, "end": 11, "type": "Location", "text": "сад."}, {"start": 0, "end": 6, "type": "atmosphere", "partial": true}]}

{"id": "b", "text": "Тёмный сад.", "unit": "byte", "spans": [{"start": 13, "end": 20, "type": "LOC"}]}
`
	got, err := ReadJSONL("x.jsonl", []byte("\ufeff"+text), Labels{"LOC": extract.TypeLocation})
	if err != nil {
		t.Fatal(err)
	}
	want := []Document{
		{ID: "a", Language: extract.Russian, Text: "Тёмный сад.", Style: "landscape", Split: Dev, Spans: []Span{
			{Start: 0, End: 12, Type: extract.TypeAtmosphere, Partial: true}, {Start: 13, End: 20, Type: extract.TypeLocation},
		}},
		{ID: "b", Text: "Тёмный сад.", Spans: []Span{{Start: 13, End: 20, Type: extract.TypeLocation}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if part := InSplit(got, Dev); len(part) != 1 || part[0].ID != "a" {
		t.Errorf("the dev part is %+v", part)
	}
}

func TestReadJSONLRefuses(t *testing.T) {
	one := func(spans string) string {
		return `{"id": "a", "text": "Тёмный сад.", "unit": "rune", "spans": [` + spans + `]}`
	}
	good := one("")
	cases := []struct{ name, text, want string }{
		{"empty", "\n\n", "x.jsonl: holds no document"},
		{"no JSON", good + "\n\nnonsense\n", "x.jsonl:3: is not a document in JSON"},
		{"cut off", good[:40], "x.jsonl:1: is not a document in JSON: unexpected EOF"},
		{"two on a line", good + good, "x.jsonl:1: holds more than one JSON object"},
		{"an unknown key", `{"id": "a", "colour": 1}`, `x.jsonl:1: is not a document in JSON: json: unknown field "colour"`},
		{"no UTF-8", `{"id": "` + "\xff" + `"}`, "x.jsonl:1: is not UTF-8"},
		{"no unit", `{"id": "a", "text": "x"}`, `x.jsonl:1: document "a" says that its offsets are in "": unit is rune or byte`},
		{"no id", `{"text": "x", "unit": "rune"}`, `x.jsonl:1: the document has no id`},
		{"no text", `{"id": "a", "unit": "rune"}`, `x.jsonl:1: document "a" has no text`},
		{"the same id again", good + "\n" + good, `x.jsonl:2: the id "a" was given on line 1 already`},
		{"an unknown language", `{"id": "a", "lang": "de", "text": "x", "unit": "rune"}`, `x.jsonl:1: document "a" is in "de": the languages are "ru" and "en"`},
		{"an unknown split", `{"id": "a", "split": "exam", "text": "x", "unit": "rune"}`, `x.jsonl:1: document "a" is in the split "exam"`},
		{"an unknown type", one(`{"start": 0, "end": 6, "type": "LOC"}`), `x.jsonl:1: document "a", span 1: "LOC" is not a type of description`},
		{"no end", one(`{"start": 0, "type": "location"}`), `x.jsonl:1: document "a", span 1: start and end are both needed`},
		{"outside", one(`{"start": 7, "end": 12, "type": "location"}`), `x.jsonl:1: document "a", span 1: the span 7 to 12 is outside of the text, which is 11 runes long`},
		{"negative", one(`{"start": -1, "end": 2, "type": "location"}`), `x.jsonl:1: document "a", span 1: the span -1 to 2 is outside`},
		{"turned round", one(`{"start": 6, "end": 2, "type": "location"}`), `x.jsonl:1: document "a", span 1: the span 6 to 2 is empty`},
		{"white space", one(`{"start": 6, "end": 7, "type": "location"}`), `x.jsonl:1: document "a", span 1: the span 6 to 7 holds only white space`},
		{"inside of a character", strings.Replace(one(`{"start": 1, "end": 4, "type": "location"}`), "rune", "byte", 1), `x.jsonl:1: document "a", span 1: the span 1 to 4 (in bytes) begins or ends inside of a character`},
		{"off by one", one(`{"start": 6, "end": 10, "type": "location", "text": "сад."}`), `x.jsonl:1: document "a", span 1: the span 6 to 10 is " сад" in the text, and not "сад." as the file quotes it`},
		{"the same span twice", one(`{"start": 0, "end": 6, "type": "location"}, {"start": 0, "end": 6, "type": "location"}`), `x.jsonl:1: document "a" marks 0 to 12 as location twice`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadJSONL("x.jsonl", []byte(c.text), nil)
			refusedWith(t, err, c.want)
		})
	}
}

// refusedWith checks that an error is a *FormatError that begins as wanted.
func refusedWith(t *testing.T, err error, want string) {
	t.Helper()
	var wrong *FormatError
	if !errors.As(err, &wrong) {
		t.Fatalf("%v is not a *FormatError", err)
	}
	if !strings.HasPrefix(err.Error(), want) {
		t.Errorf("%s\nwant %s", err, want)
	}
}

// soundOrRefused is what every reader promises of whatever it is given.
func soundOrRefused(t *testing.T, documents []Document, err error) {
	t.Helper()
	if err != nil {
		var wrong *FormatError
		if !errors.As(err, &wrong) || wrong.File == "" {
			t.Fatalf("%#v is not a *FormatError", err)
		}
		return
	}
	seen := map[string]bool{}
	for _, d := range documents {
		if d.ID == "" || seen[d.ID] || !utf8.ValidString(d.Text) {
			t.Fatalf("document %q", d.ID)
		}
		seen[d.ID] = true
		for _, s := range d.Spans {
			if s.Start < 0 || s.Start >= s.End || s.End > len(d.Text) || !utf8.ValidString(d.Text[s.Start:s.End]) {
				t.Fatalf("span %+v of %q", s, d.Text)
			}
		}
		Compare(d, described(d.Spans))
	}
}

func FuzzReadJSONL(f *testing.F) {
	f.Add([]byte(`{"id": "a", "lang": "ru", "text": "Тёмный сад.", "unit": "rune", "spans": [{"start": 7, "end": 11, "type": "Location", "text": "сад."}]}`))
	f.Add([]byte(`{"id": "b", "text": "Тёмный сад.", "unit": "byte", "split": "test", "spans": [{"start": 13, "end": 20, "type": "LOC", "partial": true}]}` + "\n\n{}"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		documents, err := ReadJSONL("x", raw, Labels{"LOC": extract.TypeLocation})
		soundOrRefused(t, documents, err)
	})
}
