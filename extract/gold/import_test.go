package gold

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/nlpcanary/nlpcanary/extract"
)

func TestReadBrat(t *testing.T) {
	const text = "Сад 🌿 цвёл\nбурно. Он ушёл."
	standoff := "T1\tLocation 0 16\tСад 🌿 цвёл бурно\n" +
		"A1\tPartial T2\n" +
		"T2\tPER 18 20\tОн\n" +
		"R1\tnear Arg1:T1 Arg2:T2\r\n" +
		"#1\tAnnotatorNotes T1\twhat a garden\n\n"
	got, err := ReadBrat("x.ann", "x", text, []byte(standoff), Labels{"PER": extract.TypeCharacter})
	if err != nil {
		t.Fatal(err)
	}
	garden := strings.Index(text, ".")
	want := Document{ID: "x", Text: text, Spans: []Span{
		{Start: 0, End: garden, Type: extract.TypeLocation},
		{Start: garden + 2, End: garden + 2 + len("Он"), Type: extract.TypeCharacter, Partial: true},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestReadBratRefuses(t *testing.T) {
	cases := []struct{ name, standoff, want string }{
		{"off by one", "T1\tLocation 1 4\tСад\n", `x.ann:1: T1: the span 1 to 4 is "ад " in the text, and not "Сад" as the file quotes it`},
		{"bytes for runes", "\nT1\tLocation 0 6\tСад\n", `x.ann:2: T1: the span 0 to 6 is "Сад цв" in the text`},
		{"in pieces", "T1\tLocation 0 3;4 8\tСад цвёл\n", "x.ann:1: T1 is in several pieces"},
		{"no passage", "T1\tLocation 0 3\n", "x.ann:1: T1 is not of the form"},
		{"no numbers", "T1\tLocation a b\tСад\n", `x.ann:1: T1 is from "a" to "b", which are not numbers`},
		{"twice", "T1\tLocation 0 3\tСад\nT1\tLocation 4 8\tцвёл\n", "x.ann:2: T1 stands in the file twice"},
		{"an unknown type", "T1\tORG 0 3\tСад\n", `x.ann:1: "ORG" is not a type of description`},
		{"an attribute of nothing", "A1\tPartial T7\n", "x.ann:1: the attribute is of T7, which the file does not have"},
		{"no name", "\tLocation 0 3\tСад\n", `x.ann:1: "\tLocation 0 3\tСад" is no annotation`},
		{"something else", "hello\n", `x.ann:1: "hello" is no annotation that brat writes`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadBrat("x.ann", "x", "Сад цвёл", []byte(c.standoff), nil)
			refusedWith(t, err, c.want)
		})
	}
}

func TestReadCoNLL(t *testing.T) {
	const raw = `-DOCSTART- -X- O O

Тёмный A B-location
сад N I-location
. P O

# newdoc id = second
# lang = ru
# style = portrait
# split = dev
# newpar
# text = Глаза,  карие и злые.
Глаза B-character
, I-character
карие I-character
и I-character
злые E-character
. O

# newpar
# text = Он ушёл.
Он S-PER-partial
ушёл O
. O

# O
`
	got, err := ReadCoNLL("x.conll", "x", []byte(raw), Labels{"PER": extract.TypeCharacter})
	if err != nil {
		t.Fatal(err)
	}
	second := "Глаза,  карие и злые.\nОн ушёл. #" // the last line is a token, no comment
	want := []Document{
		{ID: "x-1", Text: "Тёмный сад .", Spans: []Span{{Start: 0, End: len("Тёмный сад"), Type: extract.TypeLocation}}},
		{ID: "second", Language: extract.Russian, Style: "portrait", Split: Dev, Text: second, Spans: []Span{
			{Start: 0, End: len("Глаза,  карие и злые"), Type: extract.TypeCharacter},
			{Start: strings.Index(second, "Он"), End: strings.Index(second, " ушёл"), Type: extract.TypeCharacter, Partial: true},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestReadCoNLLTags(t *testing.T) {
	const place, person = extract.TypeLocation, extract.TypeCharacter
	cases := []struct {
		name, tags string
		want       []Span // in runes: the tokens are one letter each
	}{
		{"IOB: I begins", "I-location I-location O", []Span{{0, 3, place, false}}},
		{"IOB2: B begins anew", "B-location B-location I-location", []Span{{0, 1, place, false}, {2, 5, place, false}}},
		{"another type begins anew", "B-location I-character", []Span{{0, 1, place, false}, {2, 3, person, false}}},
		{"BIOES", "B-location E-location S-location I-location", []Span{{0, 3, place, false}, {4, 5, place, false}, {6, 7, place, false}}},
		{"BILOU", "B-location L-location U-location", []Span{{0, 3, place, false}, {4, 5, place, false}}},
		{"over the end of a sentence", "B-location / I-location", []Span{{0, 3, place, false}}},
		{"a new one after the end of a sentence", "B-location / B-location", []Span{{0, 1, place, false}, {2, 3, place, false}}},
		{"partial apart from whole", "B-location I-location-partial", []Span{{0, 1, place, false}, {2, 3, place, true}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var raw strings.Builder
			for _, tag := range strings.Fields(c.tags) {
				if tag == "/" {
					raw.WriteString("\n")
					continue
				}
				raw.WriteString("x " + tag + "\n")
			}
			got, err := ReadCoNLL("x.conll", "x", []byte(raw.String()), nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got[0].Spans); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestReadCoNLLRefuses(t *testing.T) {
	cases := []struct{ name, text, want string }{
		{"nothing", "\n-DOCSTART-\n\n", "x.conll: holds no document"},
		{"no tag", "a O\nb\n", `x.conll:2: "b" is a token without a tag`},
		{"a bad tag", "a O\nb X-location\n", `x.conll:2: "X-location" is not a tag of IOB or BIOES`},
		{"an unknown type", "a B-ORG\n", `x.conll:1: "ORG" is not a type of description`},
		{"a token that is not in the text", "# text = a b\na O\nc O\n", `x.conll:3: the token "c" does not come next in the sentence's text: " b"`},
		{"a text that goes on", "# text = a b\na O\n", `x.conll:2: the sentence's text goes on after its tokens: "b"`},
		{"the same document twice", "# newdoc id = d\na O\n\n# newdoc id = d\na O\n", `x.conll:4: the id "d" was given on line 1 already`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadCoNLL("x.conll", "x", []byte(c.text), nil)
			refusedWith(t, err, c.want)
		})
	}
}

const studioExport = `[
  {"id": 7, "data": {"text": "Сад 🌿 цвёл.\nОн ушёл.", "lang": "ru", "style": "landscape", "split": "test"},
   "annotations": [
     {"was_cancelled": true, "result": []},
     {"result": [
       {"id": "r1", "type": "labels", "value": {"start": 0, "end": 11, "text": "Сад 🌿 цвёл", "labels": ["Location"]}},
       {"id": "r2", "type": "choices", "value": {"choices": ["good"]}},
       {"id": "r3", "type": "labels", "value": {"start": 10, "end": 14, "text": "л.\\nО", "labels": ["Character", "partial"]}}
     ]}
   ]},
  {"id": 8, "text": "Сад 🌿 цвёл.", "label": [{"start": 6, "end": 10, "text": "цвёл", "labels": ["ATM"]}]}
]`

func TestReadLabelStudio(t *testing.T) {
	got, err := ReadLabelStudio("x.json", []byte(studioExport), Labels{"ATM": extract.TypeAtmosphere})
	if err != nil {
		t.Fatal(err)
	}
	text := "Сад 🌿 цвёл.\nОн ушёл."
	want := []Document{
		{ID: "7", Language: extract.Russian, Style: "landscape", Split: Test, Text: text, Spans: []Span{
			{Start: 0, End: len("Сад 🌿 цвёл"), Type: extract.TypeLocation},
			{Start: len("Сад 🌿 цвё"), End: len("Сад 🌿 цвёл.\nО"), Type: extract.TypeCharacter, Partial: true},
		}},
		// Its offsets are by runes, as its quotation proves.
		{ID: "8", Text: "Сад 🌿 цвёл.", Spans: []Span{{Start: len("Сад 🌿 "), End: len("Сад 🌿 цвёл"), Type: extract.TypeAtmosphere}}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestReadLabelStudioRefuses(t *testing.T) {
	task := func(region string) string {
		return "[\n{\"id\": 1, \"data\": {\"text\": \"Сад 🌿 цвёл.\"}, \"annotations\": [{\"result\": [\n" + region + "\n]}]}]"
	}
	cases := []struct{ name, text, want string }{
		{"no JSON", "[\n{]", "x.json:2: is not JSON"},
		{"no list", "{}", "x.json:1: is not an export of Label Studio"},
		{"an empty list", "[]", "x.json: holds no document"},
		{"a number for a task", "[\n\n1]", "x.json:3: a task is a JSON object"},
		{"no text", `[{"id": 1, "data": {"image": "x.png"}}]`, "x.json:1: the task has no data.text"},
		{"off by one", task(`{"id": "r", "value": {"start": 1, "end": 4, "text": "Сад", "labels": ["Location"]}}`), `x.json:3: the span 1 to 4 is "ад " in the text, and not "Сад" as the file quotes it`},
		{"half of a surrogate pair", task(`{"id": "r", "value": {"start": 4, "end": 5, "labels": ["Location"]}}`), `x.json:3: the span 4 to 5 (in utf16s) begins or ends inside of a character`},
		{"two types", task(`{"id": "r", "value": {"start": 0, "end": 3, "labels": ["Location", "Character"]}}`), `x.json:3: the region r has the labels`},
		{"only partial", task(`{"id": "r", "value": {"start": 0, "end": 3, "labels": ["partial"]}}`), `x.json:3: the region r has the labels`},
		{"an unknown type", task(`{"id": "r", "value": {"start": 0, "end": 3, "labels": ["ORG"]}}`), `x.json:3: "ORG" is not a type`},
		{"no place", task(`{"id": "r", "value": {"labels": ["Location"]}}`), `x.json:3: the region r is from "" to ""`},
		{"two annotations", `[{"id": 1, "data": {"text": "x"}, "annotations": [{"result": []}, {"result": []}]}]`, `x.json:1: the task has 2 annotations`},
		{"the same task twice", "[{\"id\": 1, \"data\": {\"text\": \"x\"}},\n{\"id\": 1, \"data\": {\"text\": \"x\"}}]", `x.json:2: the id "1" was given on line 1 already`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadLabelStudio("x.json", []byte(c.text), nil)
			refusedWith(t, err, c.want)
		})
	}
}

// What offsets of one unit find, those of all units find.
func TestUnitsAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.SampledFrom([]rune("aя🌿e\u0301")), 1, 12, -1).Draw(t, "text")
		runes := []rune(text)
		from := rapid.IntRange(0, len(runes)-1).Draw(t, "from")
		to := rapid.IntRange(from+1, len(runes)).Draw(t, "to")
		start, end := len(string(runes[:from])), len(string(runes[:to]))
		units := func(n int) int {
			sum := 0
			for _, r := range runes[:n] {
				if sum++; r > 0xffff {
					sum++
				}
			}
			return sum
		}
		for unit, span := range map[extract.Unit][2]int{extract.UnitByte: {start, end}, extract.UnitRune: {from, to}, extract.UnitUTF16: {units(from), units(to)}} {
			gotStart, gotEnd, err := quoted(extract.NewOffsets(text, unit), span[0], span[1], text[start:end])
			if err != nil || gotStart != start || gotEnd != end {
				t.Fatalf("%s %v: %d to %d, %v; want %d to %d", unit, span, gotStart, gotEnd, err, start, end)
			}
		}
	})
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	write("all/a.jsonl", `{"id": "a1", "text": "Сад.", "unit": "rune"}`)
	brat := write("all/b.ann", "T1\tlocation 0 3\tСад\n")
	write("all/b.txt", "Сад.")
	write("all/deep/c.iob", "Сад B-location\n")
	write("all/d.json", `[{"id": "d1", "data": {"text": "Сад."}}]`)
	write("all/README.md", "no gold")
	again := write("again.ndjson", `{"id": "b", "text": "Сад.", "unit": "rune"}`)
	lonely := write("lonely.ann", "")
	write("none/README.md", "no gold")

	documents, err := Read([]string{filepath.Join(dir, "all")}, nil)
	var ids []string
	for _, d := range documents {
		ids = append(ids, d.ID)
	}
	if diff := cmp.Diff([]string{"a1", "b", "d1", "c"}, ids); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	for _, c := range []struct {
		paths []string
		want  string
	}{
		{[]string{brat, again}, again + `: the document "b" is in ` + brat + ` already`},
		{[]string{lonely}, filepath.Join(dir, "lonely.txt") + ": no such file"},
		{[]string{filepath.Join(dir, "none")}, filepath.Join(dir, "none") + ": holds no gold file"},
		{[]string{filepath.Join(dir, "none/README.md")}, filepath.Join(dir, "none/README.md") + ": is no gold file by its name"},
		{[]string{filepath.Join(dir, "missing.jsonl")}, filepath.Join(dir, "missing.jsonl") + ": no such file"},
	} {
		_, err := Read(c.paths, nil)
		refusedWith(t, err, c.want)
	}
	if _, err := Read([]string{filepath.Join(dir, "missing.jsonl")}, nil); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v does not say that the file is not there", err)
	}
}

func FuzzReadBrat(f *testing.F) {
	f.Add("Сад 🌿 цвёл", []byte("T1\tLocation 0 3\tСад\nA1\tPartial T1\nR1\tx\n"))
	f.Add("a\nb", []byte("T1\tlocation 0 3\ta b\n#1\t\n"))
	f.Fuzz(func(t *testing.T, text string, standoff []byte) {
		d, err := ReadBrat("x", "x", text, standoff, nil)
		soundOrRefused(t, []Document{d}, err)
	})
}

func FuzzReadCoNLL(f *testing.F) {
	f.Add([]byte("-DOCSTART- O\n\nТёмный B-location\nсад I-location\n\n# newdoc\n# text = a  b\na S-character-partial\nb O\n"))
	f.Add([]byte("# newpar\n# lang = ru\n# O\nx U-LOC\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		documents, err := ReadCoNLL("x", "x", raw, Labels{"LOC": extract.TypeLocation})
		soundOrRefused(t, documents, err)
	})
}

func FuzzReadLabelStudio(f *testing.F) {
	f.Add([]byte(studioExport))
	f.Add([]byte(`[{"id": 1, "data": {"text": "x"}, "annotations": null}]`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		documents, err := ReadLabelStudio("x", raw, nil)
		soundOrRefused(t, documents, err)
	})
}
