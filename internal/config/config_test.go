package config

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	single, ensemble := &Architecture{Use: BuiltinSingle}, &Architecture{Use: BuiltinEnsemble}
	cases := []struct {
		name, text string
		want       Config
	}{
		{"empty", "", Config{}},
		{"a comment", "# nothing yet\n", Config{}},
		{"short form", "architectures:\n  old: builtin:single\n  new: builtin:ensemble\n", Config{Architectures: Architectures{Old: single, New: ensemble}}},
		{"long form", "architectures:\n  new:\n    use: builtin:single\n", Config{Architectures: Architectures{New: single}}},
		{"a service", "architectures:\n  new: http://127.0.0.1:9/x\n", Config{Architectures: Architectures{New: &Architecture{Use: "http://127.0.0.1:9/x"}}}},
		{"a service in full", "architectures:\n  new:\n    use: https://nlp.example/\n    name: mine\n    protocol: spacy\n    unit: rune\n    labels: {LOC: location}\n    timeout: 500ms\n    max_response: 1000\n    concurrency: 8\n    health: https://nlp.example/up\n    health_every: 1s\n",
			Config{Architectures: Architectures{New: &Architecture{
				Use: "https://nlp.example/", Name: "mine", Protocol: "spacy", Unit: "rune", Labels: map[string]string{"LOC": "location"},
				Timeout: "500ms", MaxResponse: 1000, Concurrency: 8, Health: "https://nlp.example/up", HealthEvery: "1s",
			}}}},
		{"gold", "gold:\n  files: [a.jsonl]\n  split: dev\n  every: 10m\n", Config{Gold: Gold{Files: []string{"a.jsonl"}, Split: "dev", Every: "10m"}}},
		{"no architecture", "architectures: {}\n", Config{}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := Parse("x.yaml", []byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	cases := []struct{ name, text, want string }{
		{"unknown section", "\narchitecture:\n  old: x\n", `x.yaml:2: unknown field "architecture"`},
		{"unknown key", "architectures:\n  old: builtin:single\n  newer: builtin:single\n", `x.yaml:3: unknown field "newer"`},
		{"unknown key in the long form", "architectures:\n  old:\n    use: builtin:single\n    colour: red\n", `x.yaml:4: unknown field "colour"`},
		{"repeated key", "architectures: {}\narchitectures: {}\n", `x.yaml:2: mapping key "architectures" already defined at [1:1]`},
		{"not an architecture", "architectures:\n  old: builtin:single\n  new: builtin:treble\n", `x.yaml:3: architectures.new: "builtin:treble" is not an architecture: use builtin:single, builtin:ensemble or an http or https URL`},
		{"none named", "architectures:\n  new: {}\n", `x.yaml:2: architectures.new: "" is not an architecture: use builtin:single, builtin:ensemble or an http or https URL`},
		{"a key that a built-in one does not take", "architectures:\n  new:\n    use: builtin:single\n    timeout: 1s\n", `x.yaml:3: architectures.new: builtin:single takes no other keys`},
		{"no URL", "architectures:\n  new: ftp://x\n", `x.yaml:2: architectures.new: "ftp://x" is not an architecture`},
		{"a URL without a host", "architectures:\n  new: http://\n", `x.yaml:2: architectures.new: "http://" is not an http or https URL`},
		{"a bad unit", "architectures:\n  new:\n    use: http://x\n    unit: word\n", `x.yaml:4: architectures.new.unit: "word" is not a unit`},
		{"a time without a unit", "architectures:\n  new:\n    use: http://x\n    timeout: 5\n", `x.yaml:4: architectures.new.timeout: "5" is not a time`},
		{"a bad protocol", "architectures:\n  new:\n    use: http://x\n    protocol: grpc\n", `x.yaml:3: architectures.new: "grpc" is not a protocol`},
		{"labels for another protocol", "architectures:\n  new:\n    use: http://x\n    labels: {A: location}\n", `x.yaml:4: architectures.new.labels: only the protocol spacy has labels`},
		{"labels for no type", "architectures:\n  new:\n    use: http://x\n    protocol: spacy\n    labels: {A: b}\n", `x.yaml:5: architectures.new.labels: "b" is not a type`},
		{"too many at once", "architectures:\n  new:\n    use: http://x\n    concurrency: 1000000\n", `x.yaml:4: architectures.new.concurrency: 1000000 is not from 1 to 10000`},
		{"gold too often", "gold:\n  every: 1ms\n", `x.yaml:2: gold.every: "1ms" is neither never nor a time`},
		{"an unknown split", "gold:\n  files: [a]\n  split: exam\n", `x.yaml:3: gold.split: "exam" is not a split`},
		{"a split of nothing", "gold:\n  split: dev\n", `x.yaml:2: gold: split and labels are for files`},
		{"a list", "architectures: [1]\n", `x.yaml:1: `},
		{"no YAML", "architectures: {\n", `x.yaml:1: `},
		{"two documents", "architectures: {}\n---\narchitectures: {}\n", `x.yaml: holds more than one document`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("x.yaml", []byte(c.text))
			var wrong *Error
			if !errors.As(err, &wrong) {
				t.Fatalf("%v is not an *Error", err)
			}
			if got := err.Error(); len(got) < len(c.want) || got[:len(c.want)] != c.want {
				t.Errorf("%s\nwant %s", got, c.want)
			}
		})
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string][]byte{
		"long.yaml": make([]byte, maxFile+1),
		"good.yaml": []byte("architectures:\n  new: builtin:single\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if c, err := Load(filepath.Join(dir, "good.yaml")); err != nil || c.Architectures.New == nil {
		t.Errorf("%+v, %v", c, err)
	}
	if _, err := Load(filepath.Join(dir, "none.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := Load(filepath.Join(dir, "long.yaml")); err == nil {
		t.Error("a file without end was taken")
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"", "architectures:\n  old: builtin:single\n", "a: &a [*a]\n", "architectures:\n  new:\n    use: [", "? {a: b}\n: c\n", "--- |\n x\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		_, err := Parse("x.yaml", raw)
		var wrong *Error
		if err != nil && !errors.As(err, &wrong) {
			t.Errorf("%T is not an *Error", err)
		}
	})
}
