package extract_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/nlpcanary/nlpcanary/extract"
)

func extractors() []extract.Extractor {
	return []extract.Extractor{extract.NewSingle(), extract.NewEnsemble()}
}

func TestBadDocuments(t *testing.T) {
	tests := []struct {
		name string
		doc  extract.Document
		want error
	}{
		{"invalid UTF-8", extract.Document{Language: "en", Text: "a\xff"}, extract.ErrInvalidText},
		{"lone surrogate", extract.Document{Language: "en", Text: "a\xed\xa0\x80"}, extract.ErrInvalidText},
		{"unknown language", extract.Document{Language: "fr", Text: "Il neige."}, extract.ErrUnsupportedLanguage},
		{"language in upper case", extract.Document{Language: "RU", Text: "Снег."}, extract.ErrUnsupportedLanguage},
		{"unknown script", extract.Document{Text: "雪が降っていた。"}, extract.ErrUnsupportedLanguage},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, e := range extractors() {
				if _, err := e.Extract(t.Context(), test.doc); !errors.Is(err, test.want) {
					t.Errorf("%s: error %v, want %v", e.Name(), err, test.want)
				}
			}
		})
	}
}

func TestTooLong(t *testing.T) {
	for _, e := range extractors() {
		doc := extract.Document{Language: extract.English, Text: strings.Repeat(" ", extract.MaxBytes)}
		if _, err := e.Extract(t.Context(), doc); err != nil {
			t.Errorf("%s refuses the longest text allowed: %v", e.Name(), err)
		}
		doc.Text += " "
		_, err := e.Extract(t.Context(), doc)
		var tooLong *extract.TooLongError
		if !errors.As(err, &tooLong) || tooLong.Bytes != extract.MaxBytes+1 || tooLong.Limit != extract.MaxBytes {
			t.Errorf("%s: error %v, want a TooLongError with the length and the limit", e.Name(), err)
		}
	}
}

func TestLanguage(t *testing.T) {
	tests := []struct {
		name, text string
		want       extract.Language
	}{
		{"Russian", "Шёл снег.", extract.Russian},
		{"English", "It was snowing.", extract.English},
		{"Russian with some French", "— Eh bien, mon prince, — сказала Анна Павловна, фрейлина.", extract.Russian},
		{"accented Latin", "Café Müller", extract.English},
		{"no letters", " 1812, 1914... ", ""},
		{"empty", "", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, e := range extractors() {
				result, err := e.Extract(t.Context(), extract.Document{Text: test.text})
				if err != nil {
					t.Fatal(err)
				}
				if result.Language != test.want {
					t.Errorf("%s detects %q, want %q", e.Name(), result.Language, test.want)
				}
			}
		})
	}
}

func TestCancelledContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, e := range extractors() {
		for _, text := range []string{"", "Шёл снег."} {
			if _, err := e.Extract(ctx, extract.Document{Language: extract.Russian, Text: text}); !errors.Is(err, context.Canceled) {
				t.Errorf("%s on %q: error %v, want context.Canceled", e.Name(), text, err)
			}
		}
	}
}
