package extract

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/nlpcanary/nlpcanary/internal/prose"
)

// chapter returns prose of a language, about runes characters long.
func chapter(language Language, runes int) string {
	var text strings.Builder
	for n := 0; n < runes; {
		for _, p := range prose.Passages() {
			if Language(p.Language) != language || n >= runes {
				continue
			}
			text.WriteString(p.Text)
			text.WriteString("\n\n")
			n += utf8.RuneCountInString(p.Text) + 2
		}
	}
	return text.String()
}

func BenchmarkExtract(b *testing.B) {
	for _, extractor := range []Extractor{NewSingle(), NewEnsemble()} {
		for _, language := range []Language{Russian, English} {
			b.Run(extractor.Name()+"/"+string(language), func(b *testing.B) {
				benchmark(b, extractor, Document{Language: language, Text: chapter(language, 10_000)})
			})
		}
	}
}

// BenchmarkLength doubles the length: characters per second must stay the same.
func BenchmarkLength(b *testing.B) {
	for _, runes := range []int{50_000, 100_000, 200_000, 400_000} {
		b.Run(fmt.Sprint(runes), func(b *testing.B) {
			benchmark(b, NewEnsemble(), Document{Language: Russian, Text: chapter(Russian, runes)})
		})
	}
}

// BenchmarkHostile doubles the length of texts that no author has written.
func BenchmarkHostile(b *testing.B) {
	for _, hostile := range hostileTexts {
		for _, size := range []int{1 << 19, 1 << 20} {
			b.Run(fmt.Sprintf("%s/%d", hostile.name, size), func(b *testing.B) {
				benchmark(b, NewEnsemble(), Document{Language: English, Text: hostile.text(size)})
			})
		}
	}
}

func benchmark(b *testing.B, extractor Extractor, doc Document) {
	runes := utf8.RuneCountInString(doc.Text)
	b.SetBytes(int64(len(doc.Text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := extractor.Extract(context.Background(), doc); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(runes)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mchar/s")
}
