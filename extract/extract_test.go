package extract

import (
	"context"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/nlpcanary/nlpcanary/internal/prose"
)

var architectures = []Extractor{NewSingle(), NewEnsemble()}

// seeds are texts for the fuzz targets: prose and what prose never is.
func seeds() []string {
	var texts []string
	for _, p := range prose.Passages() {
		texts = append(texts, p.Text)
	}
	for _, h := range hostileTexts {
		texts = append(texts, h.text(200))
	}
	return append(texts, "", "\ufeffДом.\r\nЛес.\r\n\r\n— Да.", "«", "…", "A.", "a\x00b", "1. 2. 3.")
}

// mixedText generates texts of words, marks and oddities that meet in bad places.
func mixedText() *rapid.Generator[string] {
	piece := rapid.SampledFrom([]string{
		"старый", "дом", "стоял", "у", "реки", "Её", "бледное", "лицо", "тёмные", "волосы", "Пахло", "сыростью",
		"the", "old", "house", "stood", "by", "river", "Her", "pale", "face", "It", "was", "dark", "fog",
		" ", " ", " ", " ", " ", ", ", ". ", "! ", "? ", "… ", "... ", ".", "\n", "\n\n", " — ", "— ", "«", "»", "“", "”", "\"", "’", "‘",
		"\u200b", "\u0301", "\u202e", "👩‍👧", "שלום", "家", "1", "г. ", "Mr. ", "\t", "\r\n", "\x00",
	})
	return rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(piece, 0, 400).Draw(t, "pieces"), "")
	})
}

func TestInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := Document{
			Language: rapid.SampledFrom([]Language{Russian, English}).Draw(t, "language"),
			Text:     rapid.OneOf(mixedText(), rapid.String()).Draw(t, "text"),
		}
		for _, extractor := range architectures {
			result, err := extractor.Extract(context.Background(), doc)
			if err != nil {
				t.Fatal(err)
			}
			checkInvariants(t, doc.Text, result)
			again, err := extractor.Extract(context.Background(), doc)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(result, again); diff != "" {
				t.Errorf("%s: the second result differs from the first (-first +second)\n%s", extractor.Name(), diff)
			}
		}
	})
}

// A paragraph is read by itself, so that what stands far away does not change what
// is found in it.
func TestParagraphsDoNotTouchEachOther(t *testing.T) {
	for _, extractor := range architectures {
		var alone, together []string
		var text strings.Builder
		for _, p := range prose.Passages() {
			if p.Language != "en" || strings.Contains(p.ID, "interior-03") { // hard-wrapped
				continue
			}
			result, err := extractor.Extract(t.Context(), Document{Language: English, Text: p.Text})
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range result.Descriptions {
				alone = append(alone, d.Content)
			}
			text.WriteString(p.Text + "\n\n")
		}
		result, err := extractor.Extract(t.Context(), Document{Language: English, Text: text.String()})
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range result.Descriptions {
			together = append(together, d.Content)
		}
		if diff := cmp.Diff(alone, together); diff != "" {
			t.Errorf("%s (-alone +together)\n%s", extractor.Name(), diff)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	passages := prose.Passages()
	for _, extractor := range architectures {
		want := make([]Result, len(passages))
		for i, p := range passages {
			want[i], _ = extractor.Extract(t.Context(), Document{Language: Language(p.Language), Text: p.Text})
		}
		var group sync.WaitGroup
		for worker := range 8 {
			group.Go(func() {
				for i := range passages {
					i = (i + worker*5) % len(passages)
					got, err := extractor.Extract(t.Context(), Document{Language: Language(passages[i].Language), Text: passages[i].Text})
					if err != nil {
						t.Error(err)
						return
					}
					if diff := cmp.Diff(want[i], got); diff != "" {
						t.Errorf("%s on %s (-alone +concurrent)\n%s", extractor.Name(), passages[i].ID, diff)
					}
				}
			})
		}
		group.Wait()
	}
}

func FuzzExtract(f *testing.F) {
	for _, text := range seeds() {
		f.Add(text, true)
		f.Add(text, false)
	}
	f.Fuzz(func(t *testing.T, text string, inRussian bool) {
		language := English
		if inRussian {
			language = Russian
		}
		for _, extractor := range architectures {
			result, err := extractor.Extract(t.Context(), Document{Language: language, Text: text})
			if valid := utf8.ValidString(text); valid != (err == nil) {
				t.Fatalf("%s: error %v on a text that is valid: %v", extractor.Name(), err, valid)
			}
			checkInvariants(t, text, result)
		}
	})
}
