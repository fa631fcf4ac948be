package api

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/nlpcanary/nlpcanary/rollout"
)

func TestCheckJSON(t *testing.T) {
	t.Parallel()
	for text, says := range map[string]string{
		`{}`: "", ` [1, -0.5e+7, "a", true, false, null, {"a": {"b": []}}] `: "", `"\ud83d\ude00 é \u00e9 \" \/ \n"`: "", `0`: "",
		``: "too early", ` `: "too early", `{`: "too early", `{"a"`: "too early", `{"a":`: "a: the JSON ends too early", `"\u12`: "too early", `"\`: "too early", `[1`: "too early",
		`{"a":1,}`: "field name", `{a:1}`: "field name", `[1,]`: "expected a JSON value", `01`: "more after", `+1`: "expected a JSON value", `1.`: "too early", `1.x`: "digit", `-`: "too early", `1e`: "too early",
		`{"a":1,"a":2}`: "a: the field is given twice", `{"a":{"b":1,"\u0062":2}}`: "a.b: the field is given twice",
		`{"1":1,"2":1,"3":1,"4":1,"5":1,"6":1,"7":1,"8":1,"9":1,"10":1,"3":1}`:  "3: the field is given twice",
		`{"1":1,"2":1,"3":1,"4":1,"5":1,"6":1,"7":1,"8":1,"9":1,"10":1,"10":1}`: "10: the field is given twice",
		`"\ud800"`: "surrogate", `"\ude00\ud83d"`: "surrogate", `"\ud83dx"`: "surrogate", "\"\xff\"": "UTF-8", "\"\xc3\"": "UTF-8", "\"a\nb\"": "control", "\"\\n\x00\"": "control",
		`"\x"`: "escape", `"\u12g4"`: "hexadecimal", `nul`: "JSON value", `NaN`: "JSON value", `{} {}`: "more after", "\xef\xbb\xbf{}": "JSON value",
		strings.Repeat("[", 33) + strings.Repeat("]", 33): "deep",
	} {
		err := checkJSON([]byte(text))
		switch {
		case says == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case says != "" && (err == nil || !strings.Contains(err.Error(), says)):
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
}

// FuzzCheckJSON: what is let through is JSON, and means the same to a reader that
// takes the first of two members as to one that takes the last.
func FuzzCheckJSON(f *testing.F) {
	for _, seed := range []string{`{"stage": 0, "note": "a\u0000\ud83d\ude00"}`, `{"a":1,"a":2}`, `[1,-0.5e7,null]`, `"\ud800"`, "{\"\xff\":1}", `{"a":{"b":[{}]}}`, `1e400`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if checkJSON(data) != nil {
			return
		}
		if !json.Valid(data) {
			t.Fatalf("let through what is not JSON: %q", data)
		}
		var value, again any
		if err := json.Unmarshal(data, &value); err != nil {
			return // a number beyond float64
		}
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		if err := checkJSON(text); err != nil {
			t.Fatalf("refuses what encoding/json wrote: %v: %s", err, text)
		}
		if err := json.Unmarshal(text, &again); err != nil || !reflect.DeepEqual(value, again) {
			t.Fatalf("%v: %q became %s", err, data, text)
		}
	})
}

// FuzzParseTarget: what is let through reads the same with encoding/json.
func FuzzParseTarget(f *testing.F) {
	for _, seed := range []string{`{"context":{"targetingKey":"u","plan":{"a":[1]}}}`, `{"context":{}}`, `{}`, `{"context":{"targetingKey":7}}`, `{"context":{"TargetingKey":"x"}}`, `{"context":{"targetingKey":"\u0000"}}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		key, given, err := parseTarget(body)
		if err != nil {
			var (
				p      *Problem
				syntax *syntaxError
			)
			if !errors.As(err, &p) && !errors.As(err, &syntax) {
				t.Fatalf("an error that has no answer: %v", err)
			}
			return
		}
		var request struct {
			Context map[string]json.RawMessage `json:"context"`
		}
		if err := json.Unmarshal(body, &request); err != nil {
			t.Fatalf("let through %q: %v", body, err)
		}
		var want string
		if raw, found := request.Context["targetingKey"]; found {
			if err := json.Unmarshal(raw, &want); err != nil {
				t.Fatal(err)
			}
		}
		if key != want || given != (want != "") {
			t.Fatalf("%q: read %q (%v), want %q", body, key, given, want)
		}
	})
}

// FuzzRequestID: whatever comes back can stand in a header and a log line as it is.
func FuzzRequestID(f *testing.F) {
	f.Add("a.b-c_1")
	f.Add("a\r\nSet-Cookie: x")
	f.Add("")
	f.Fuzz(func(t *testing.T, given string) {
		id := chooseRequestID([]string{given})
		if !validRequestID(id) || strings.ContainsAny(id, "\r\n\" ") {
			t.Fatalf("%q became %q", given, id)
		}
	})
}

// FuzzFlagName: a flag typed into the database may have any name, and its evaluation is
// JSON all the same.
func FuzzFlagName(f *testing.F) {
	f.Add("A", true)
	f.Add("a\"b\\\x00\xff", false)
	f.Fuzz(func(t *testing.T, name string, enabled bool) {
		text := appendFlag(nil, rollout.Flag{Name: name, Enabled: enabled}, rollout.ReasonStatic, 7)
		var got map[string]any
		if err := json.Unmarshal(text, &got); err != nil || got["value"] != enabled {
			t.Fatalf("%v: %s", err, text)
		}
		if utf8.ValidString(name) && got["key"] != name {
			t.Fatalf("the name %q became %q", name, got["key"])
		}
	})
}
