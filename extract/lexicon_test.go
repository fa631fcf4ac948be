package extract

import (
	"testing"

	snowball "github.com/blevesearch/snowballstem"
)

func TestLookUp(t *testing.T) {
	tests := []struct {
		language Language
		word     string
		has, not classes
	}{
		{Russian, "дом", place, adjective},
		{Russian, "доме", place, adjective},
		{Russian, "темнела", atmoverb, adjective},
		{Russian, "окон", furnish, adjective},
		{Russian, "высокого", look | perceptual | adjective, action},
		{Russian, "деревянная", perceptual | adjective, 0},
		{Russian, "сломанные", adjective, 0},
		{Russian, "здание", 0, adjective},
		{Russian, "молчание", atmo, adjective},
		{Russian, "рукой", body, adjective},
		{Russian, "который", function, adjective},
		{Russian, "висели", position, adjective},
		{Russian, "одета", wear, adjective},
		{Russian, "пахло", smell, 0},
		{English, "houses", place, adjective},
		{English, "stood", position, 0},
		{English, "gaunt", look | adjective, 0},
		{English, "wooden", perceptual | adjective, 0},
		{English, "beautiful", adjective, 0},
		{English, "children", person, adjective},
		{English, "whispered", speechverb, adjective},
		{English, "the", function, adjective | place},
		{English, "don't", negation, 0},
	}
	for _, test := range tests {
		t.Run(test.word, func(t *testing.T) {
			got, _ := lexiconOf(test.language).lookUp(snowball.NewEnv(""), test.word)
			if got&test.has != test.has {
				t.Errorf("classes %b lack %b", got, test.has&^got)
			}
			if got&test.not != 0 {
				t.Errorf("classes %b should not have %b", got, got&test.not)
			}
		})
	}
}

func TestLexiconsAreOfADecentSize(t *testing.T) {
	for _, language := range []Language{Russian, English} {
		l := lexiconOf(language)
		sizes := map[classes]int{}
		for _, c := range l.stems {
			for rest := c; rest != 0; rest &= rest - 1 {
				sizes[rest&-rest]++
			}
		}
		groups := map[string]classes{
			"location": place | furnish | nature, "character": body | clothing | look | person,
			"atmosphere": atmo | atmoverb | mood, "senses": perceptual,
		}
		for name, group := range groups {
			n := 0
			for rest := group; rest != 0; rest &= rest - 1 {
				n += sizes[rest&-rest]
			}
			if n < 150 {
				t.Errorf("%s knows %d stems for %s, want at least 150", language, n, name)
			}
		}
	}
}

func TestFold(t *testing.T) {
	for given, want := range map[string]string{
		"дом": "дом", "Дом": "дом", "Ёлка": "елка", "тёмный": "темный", "DON’T": "don't", "don’t": "don't",
		"ÉTÉ": "été", "ќ": "ќ", "": "",
	} {
		if got := fold(given); got != want {
			t.Errorf("fold(%q) = %q, want %q", given, got, want)
		}
	}
}
