package extract

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestAnalyse(t *testing.T) {
	const text = "— Пора, — сказал Иван.\nВ углу стояла старая печь."
	a, err := Analyse(t.Context(), Document{Text: text})
	if err != nil {
		t.Fatal(err)
	}
	cut := func(spans []Span) []string {
		var pieces []string
		for _, s := range spans {
			pieces = append(pieces, text[s.Start:s.End])
		}
		return pieces
	}
	if diff := cmp.Diff([]string{"— Пора, — сказал Иван.", "В углу стояла старая печь."}, cut(a.Paragraphs)); diff != "" {
		t.Errorf("paragraphs (-want +got)\n%s", diff)
	}
	if diff := cmp.Diff([]string{"— Пора, "}, cut(a.Speech)); diff != "" {
		t.Errorf("speech (-want +got)\n%s", diff)
	}
	if len(a.Sentences) != 2 || a.Language != Russian {
		t.Fatalf("%d sentences in %q, want 2 in ru", len(a.Sentences), a.Language)
	}
	if share := a.Sentences[0].SpeechShare; share < 0.3 || share > 0.4 {
		t.Errorf("a word of three is spoken, not %.2f", share)
	}
	last := a.Sentences[1]
	words := a.Tokens[last.First:last.Last]
	if len(words) != 5 || text[words[4].Start:words[4].End] != "печь" || words[3].Stem != "стар" || words[3].Speech {
		t.Errorf("words of the last sentence: %+v", words)
	}
	for i, tag := range map[int]string{1: "furnish", 2: "position", 3: "adjective"} {
		if !slices.Contains(words[i].Tags, tag) {
			t.Errorf("%q has the tags %v, want %s", text[words[i].Start:words[i].End], words[i].Tags, tag)
		}
	}
}

// TestExtractAnalysed shows that an analysis can be shared: the same is found.
func TestExtractAnalysed(t *testing.T) {
	type analysed interface {
		Extractor
		ExtractAnalysed(context.Context, *Analysis) (Result, error)
	}
	for _, language := range []Language{Russian, English} {
		doc := Document{Language: language, Text: chapter(language, 20_000)}
		a, err := Analyse(t.Context(), doc)
		if err != nil {
			t.Fatal(err)
		}
		for _, extractor := range []analysed{NewSingle(), NewEnsemble()} {
			want, err := extractor.Extract(t.Context(), doc)
			if err != nil {
				t.Fatal(err)
			}
			got, err := extractor.ExtractAnalysed(t.Context(), a)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s %s (-want +got)\n%s", extractor.Name(), language, diff)
			}
		}
	}
}

func TestAnalyseRefuses(t *testing.T) {
	if _, err := Analyse(t.Context(), Document{Text: "\xff"}); !errors.Is(err, ErrInvalidText) {
		t.Errorf("error %v, want ErrInvalidText", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Analyse(ctx, Document{Text: "Стоял дом."}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}
