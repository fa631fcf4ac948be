package remote

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nlpcanary/nlpcanary/extract"
)

// Its UTF-8, UTF-16 and runes all differ in length.
const text = "Сад 🌿 цвёл бурно. Анна ушла домой."

func document() extract.Document {
	return extract.Document{ID: "d1", Language: extract.Russian, Text: text}
}

func service(t testing.TB, config Config) *Service {
	t.Helper()
	if config.URL == "" {
		config.URL = "http://127.0.0.1:1/x"
	}
	s, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// brief is what the tests compare of a description.
type brief struct {
	Type       extract.Type
	Content    string
	Confidence float64
}

func briefs(r extract.Result) []brief {
	var all []brief
	for _, d := range r.Descriptions {
		all = append(all, brief{d.Type, d.Content, d.Confidence})
	}
	return all
}

func TestAnswers(t *testing.T) {
	garden, anna := "Сад 🌿 цвёл бурно.", "Анна ушла домой."
	both := []brief{{extract.TypeLocation, garden, 0.7}, {extract.TypeCharacter, anna, 1}}
	escape := func(s string) string {
		raw, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	runes := `{"descriptions": [{"type": "character", "start": 18, "end": 34, "text": "Анна ушла домой."}, {"type": "location", "start": 0, "end": 17, "text": "Сад 🌿 цвёл бурно.", "confidence": 0.7}]}`
	cases := []struct {
		name   string
		config Config
		answer string
		want   []brief
	}{
		{"runes unless something else is said", Config{}, runes, both},
		{"what the service knows besides is passed over", Config{}, strings.Replace(runes, "{", `{"model": "x", `, 1), both},
		{"none", Config{}, `{"descriptions": []}`, nil},
		{"UTF-16 as the answer says", Config{Unit: extract.UnitByte}, `{"unit": "utf16", "descriptions": [{"type": "location", "start": 0, "end": 18, "text": "Сад 🌿 цвёл бурно.", "confidence": 0.7}]}`, both[:1]},
		{"bytes as the configuration says", Config{Unit: extract.UnitByte}, `{"descriptions": [{"type": "location", "start": 0, "end": 32, "text": "Сад 🌿 цвёл бурно.", "confidence": 0.7}]}`, both[:1]},
		{"v2 in one tensor", Config{Protocol: OpenInference, Model: "m"}, `{"model_name": "m", "outputs": [{"name": "descriptions", "shape": [1], "datatype": "BYTES", "data": [` + escape(runes) + `]}]}`, both},
		{"v2 side by side", Config{Protocol: OpenInference, Model: "m"}, `{"outputs": [
			{"name": "type", "shape": [2], "datatype": "BYTES", "data": ["location", "character"]},
			{"name": "start", "shape": [2], "datatype": "INT64", "data": [0, 18]},
			{"name": "end", "shape": [2, 1], "datatype": "INT32", "data": [17, 34]},
			{"name": "text", "shape": [2], "datatype": "BYTES", "data": ["Сад 🌿 цвёл бурно.", "Анна ушла домой."]},
			{"name": "confidence", "shape": [1, 2], "datatype": "FP32", "data": [0.7, 1]},
			{"name": "logits", "shape": [1], "datatype": "FP32", "data": [3]}]}`, both},
		{"v2 without any", Config{Protocol: OpenInference, Model: "m"}, `{"outputs": [{"name": "type", "shape": [0], "datatype": "BYTES", "data": []}, {"name": "start", "shape": [0], "datatype": "INT64", "data": []}, {"name": "end", "shape": [0], "datatype": "INT64", "data": []}]}`, nil},
		{"spaCy, with its sentences", Config{Protocol: SpaCy}, `{"text": ` + escape(text) + `, "ents": [{"start": 18, "end": 22, "label": "PER"}, {"start": 0, "end": 3, "label": "LOC"}, {"start": 4, "end": 5, "label": "EMOJI"}], "sents": [{"start": 0, "end": 17}, {"start": 18, "end": 34}]}`,
			[]brief{{extract.TypeLocation, garden, 1}, {extract.TypeCharacter, anna, 1}}},
		{"spaCy, with our sentences", Config{Protocol: SpaCy, Labels: map[string]extract.Type{"X": extract.TypeObject}}, `{"text": ` + escape(text) + `, "ents": [{"start": 18, "end": 22, "label": "X"}, {"start": 0, "end": 3, "label": "LOC"}]}`,
			[]brief{{extract.TypeObject, anna, 1}}},
		{"spaCy, two in one sentence", Config{Protocol: SpaCy}, `{"text": ` + escape(text) + `, "ents": [{"start": 4, "end": 10, "label": "LOC"}, {"start": 0, "end": 3, "label": "LOC"}]}`,
			[]brief{{extract.TypeLocation, garden, 1}}},
		{"spaCy, over two sentences", Config{Protocol: SpaCy}, `{"text": ` + escape(text) + `, "ents": [{"start": 11, "end": 22, "label": "LOC"}]}`,
			[]brief{{extract.TypeLocation, text, 1}}},
		{"spaCy, none", Config{Protocol: SpaCy}, `{"text": ` + escape(text) + `, "ents": [], "tokens": []}`, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := service(t, c.config)
			result, err := s.speaker.answer(document(), []byte(c.answer))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, briefs(result)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			sound(t, document(), result)
		})
	}
}

// sound checks what the interface promises of a result.
func sound(t *testing.T, doc extract.Document, result extract.Result) {
	t.Helper()
	last := 0
	for _, d := range result.Descriptions {
		if d.Start < last || d.End <= d.Start || d.End > len(doc.Text) || doc.Text[d.Start:d.End] != d.Content {
			t.Fatalf("%+v", d)
		}
		if d.Confidence < 0 || d.Confidence > 1 || d.Consensus < 0 || d.Consensus > 1 || d.Quality < 1 || d.Quality > 10 || len(d.Sources) == 0 {
			t.Fatalf("%+v", d)
		}
		last = d.Start
	}
}

func TestAnswerInFull(t *testing.T) {
	s := service(t, Config{Name: "mine"})
	result, err := s.speaker.answer(document(), []byte(`{"language": "ru", "degraded": ["gazetteer"], "descriptions": [
		{"type": "location", "start": 0, "end": 3, "text": "Сад", "confidence": 0.5, "priority": 99, "quality": 7, "consensus": 0.75, "sources": ["b", "a"], "entities": ["Сад"]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := extract.Result{
		Language: extract.Russian, Processors: []string{"mine"},
		Degraded: []extract.Failure{{Processor: "gazetteer", Reason: "reported by the service"}},
		Descriptions: []extract.Description{{
			Type: extract.TypeLocation, Start: 0, End: 6, Content: "Сад", Confidence: 0.5, Priority: 99, Quality: 7, Consensus: 0.75,
			Sources: []string{"a", "b"}, Entities: []string{"Сад"},
		}},
	}
	if diff := cmp.Diff(want, result, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestWrongAnswers(t *testing.T) {
	one := func(description string) string { return `{"descriptions": [` + description + `]}` }
	v2, tensor := Config{Protocol: OpenInference, Model: "m"}, func(name, kind, shape, data string) string {
		return `{"name": "` + name + `", "shape": [` + shape + `], "datatype": "` + kind + `", "data": [` + data + `]}`
	}
	outputs := func(tensors ...string) string { return `{"outputs": [` + strings.Join(tensors, ",") + `]}` }
	types, starts := tensor("type", "BYTES", "1", `"location"`), tensor("start", "INT64", "1", "0")
	cases := []struct {
		name   string
		config Config
		answer string
		want   string // in the error
	}{
		{"nothing", Config{}, "", "not JSON"},
		{"no JSON", Config{}, "<html>oh no</html>", "it is not JSON, from byte 1 on"},
		{"another shape", Config{}, "[]", "the whole is of the wrong JSON type"},
		{"a number that is a text", Config{}, one(`{"start": "zero"}`), "start is of the wrong JSON type"},
		{"no descriptions", Config{}, `{"error": "no model"}`, "it has no descriptions"},
		{"no text", Config{}, one(`{"type": "location", "start": 0, "end": 3}`), "description 1 has no text"},
		{"no end", Config{}, one(`{"type": "location", "start": 0, "text": "Сад"}`), "description 1: start and end are both needed"},
		{"an unknown type", Config{}, one(`{"type": "LOC", "start": 0, "end": 3, "text": "Сад"}`), "description 1: type is none of"},
		{"an unknown unit", Config{}, `{"unit": "words", "descriptions": []}`, "unit is none of"},
		{"off by one", Config{}, one(`{"type": "location", "start": 1, "end": 4, "text": "Сад"}`), "description 1: the text from 1 to 4 is not what the service quotes"},
		{"bytes for runes", Config{}, one(`{"type": "location", "start": 0, "end": 6, "text": "Сад"}`), "it would be if the offsets counted bytes: say so with unit"},
		{"UTF-16 for runes", Config{}, one(`{"type": "location", "start": 6, "end": 11, "text": " цвёл"}`), "it would be if the offsets counted utf16s"},
		{"outside", Config{}, one(`{"type": "location", "start": 0, "end": 999, "text": "Сад"}`), "the span 0 to 999 is outside of the text, which is 34 runes long"},
		{"turned round", Config{}, one(`{"type": "location", "start": 3, "end": 0, "text": "Сад"}`), "the span 3 to 0 is empty"},
		{"inside of a character", Config{Unit: extract.UnitByte}, one(`{"type": "location", "start": 1, "end": 6, "text": "Сад"}`), "begins or ends inside of a character"},
		{"too confident", Config{}, one(`{"type": "location", "start": 0, "end": 3, "text": "Сад", "confidence": 87}`), "confidence is not from 0 to 1"},
		{"too good", Config{}, one(`{"type": "location", "start": 0, "end": 3, "text": "Сад", "quality": 0}`), "quality is not from 1 to 10"},
		{"v2 without outputs", v2, `{"error": "x"}`, "neither an output descriptions nor one type"},
		{"v2 with two texts", v2, outputs(tensor("descriptions", "BYTES", "2", `"{}", "{}"`)), "has 2 elements and not 1"},
		{"v2 with garbage inside", v2, outputs(tensor("descriptions", "BYTES", "1", `"<"`)), "it is not JSON"},
		{"v2 of uneven length", v2, outputs(types, tensor("start", "INT64", "2", "0, 1"), tensor("end", "INT64", "1", "3")), "the output start has 2 elements, and type has 1"},
		{"v2 of another type", v2, outputs(types, tensor("start", "FP32", "1", "0.5")), "the output start is not of a INT type"},
		{"v2 of another shape", v2, outputs(tensor("type", "BYTES", "7", `"location"`)), "its shape says otherwise"},
		{"v2 of a huge shape", v2, outputs(tensor("type", "BYTES", "4294967296, 4294967296", `"location"`)), "its shape says otherwise"},
		{"v2 of fractions", v2, outputs(types, tensor("start", "INT64", "1", "0.5")), "the data of the output start cannot be read"},
		{"v2 without ends", v2, outputs(types, starts), "neither an output descriptions nor one end"},
		{"v2 outside", v2, outputs(types, starts, tensor("end", "INT64", "1", "99")), "description 1: the span 0 to 99 is outside"},
		{"spaCy of another text", Config{Protocol: SpaCy}, `{"text": "x", "ents": []}`, "its text is not the one that was sent"},
		{"spaCy without ents", Config{Protocol: SpaCy}, `{"text": "x"}`, "text and ents are needed"},
		{"spaCy outside", Config{Protocol: SpaCy}, `{"text": "` + text + `", "ents": [{"start": 0, "end": 99, "label": "LOC"}]}`, "entity 1: the span 0 to 99 is outside"},
		{"spaCy without a start", Config{Protocol: SpaCy}, `{"text": "` + text + `", "ents": [{"end": 9, "label": "LOC"}]}`, "entity 1 has no start or no end"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := service(t, c.config).speaker.answer(document(), []byte(c.answer))
			var wrong *AnswerError
			if !errors.As(err, &wrong) {
				t.Fatalf("%v is not an *AnswerError", err)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s\nwant %s", err, c.want)
			}
			if strings.Contains(err.Error(), "Сад") || strings.Contains(err.Error(), "oh no") {
				t.Errorf("the error quotes: %s", err)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	for want, c := range map[string]Config{
		`"" is not an http or https URL`:            {},
		`"ftp://x/" is not an http or https URL`:    {URL: "ftp://x/"},
		"the protocol v2 needs the name of a model": {URL: "http://x/", Protocol: OpenInference},
		`"grpc" is not a protocol`:                  {URL: "http://x/", Protocol: "grpc"},
		`health: "/ready" is not an http or https`:  {URL: "http://x/", Health: "/ready"},
	} {
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func fuzzAnswers(f *testing.F, config Config, seeds ...string) {
	for _, seed := range seeds {
		f.Add(text, []byte(seed))
	}
	f.Fuzz(func(t *testing.T, text string, raw []byte) {
		doc := extract.Document{ID: "x", Text: strings.ToValidUTF8(text, "")}
		result, err := service(t, config).speaker.answer(doc, raw)
		var wrong *AnswerError
		switch {
		case err == nil:
			sound(t, doc, result)
		case !errors.As(err, &wrong):
			t.Fatalf("%v is not an *AnswerError", err)
		}
	})
}

func FuzzPlainJSON(f *testing.F) {
	fuzzAnswers(f, Config{}, `{"descriptions": []}`,
		`{"unit": "utf16", "descriptions": [{"type": "location", "start": 0, "end": 3, "text": "Сад", "confidence": 0.7, "priority": 3, "quality": 2, "sources": ["a"]}]}`)
}

func FuzzOpenInference(f *testing.F) {
	fuzzAnswers(f, Config{Protocol: OpenInference, Model: "m"},
		`{"outputs": [{"name": "descriptions", "shape": [1], "datatype": "BYTES", "data": ["{\"descriptions\": []}"]}]}`,
		`{"outputs": [{"name": "type", "shape": [1], "datatype": "BYTES", "data": ["location"]}, {"name": "start", "shape": [1], "datatype": "INT64", "data": [0]}, {"name": "end", "shape": [1,1], "datatype": "INT8", "data": [3]}, {"name": "confidence", "shape": [1], "datatype": "FP16", "data": [1]}]}`)
}

func FuzzSpaCy(f *testing.F) {
	fuzzAnswers(f, Config{Protocol: SpaCy},
		`{"text": "`+text+`", "ents": [{"start": 18, "end": 22, "label": "PER"}, {"start": 0, "end": 3, "label": "LOC"}], "sents": [{"start": 0, "end": 17}, {"start": 18, "end": 34}]}`,
		`{"text": "`+text+`", "ents": [{"start": 1, "end": 22, "label": "GPE"}]}`)
}
