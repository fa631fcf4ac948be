package extract

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSpeech(t *testing.T) {
	// In want, | stands between the spans of speech.
	tests := []struct{ name, text, want string }{
		{"narration", "Дом стоял на горе.", ""},
		{"a whole line of dialogue", "— Дом стоял на горе.", "— Дом стоял на горе."},
		{"the author's words", "— Иди, — сказал он, — домой.", "— Иди, |— домой."},
		{"speech ends a sentence", "— Иди! — сказал он. — Живо!", "— Иди! |— Живо!"},
		{"a dash between nouns", "— Мой дом — моя крепость, — сказал он.", "— Мой дом — моя крепость, "},
		{"hyphen as a dash", "- Иди, - сказал он.", "- Иди, "},
		{"straight quotes", `"Go home," he said. "Now!"`, `"Go home,"|"Now!"`},
		{"curly quotes", "“Go home,” he said.", "“Go home,”"},
		{"single quotes with an apostrophe", "‘I don’t know,’ he said.", "‘I don’t know,’"},
		{"angle quotes", "Он сказал: «Иди домой!» — и ушёл.", "«Иди домой!»"},
		{"a name in quotes", "Пароход «Слава» стоял у пристани.", ""},
		{"a long quotation", "Он думал: «как же это вышло тогда» — и молчал.", "«как же это вышло тогда»"},
		{"quotation goes on in the next paragraph", "He said: “It was long ago", "“It was long ago"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, s := range speech(test.text, span{0, len(test.text)}, nil) {
				got = append(got, test.text[s.start:s.end])
			}
			if diff := cmp.Diff(test.want, strings.Join(got, "|")); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}
