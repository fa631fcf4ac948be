package extract

import (
	"context"
	"strings"
	"testing"
	"time"
)

// hostile is a text made of one unit over and over.
type hostile struct {
	name string
	unit string
}

// hostileTexts would expose a search that starts over again and again.
var hostileTexts = []hostile{
	{"commas", ","},
	{"no spaces", "a"},
	{"full stops", "."},
	{"spaced full stops", ". "},
	{"blank lines", "\n"},
	{"one word lines", "дом\n"},
	{"open quotes", "«"},
	{"open single quotes", " ‘a"},
	{"closing quotes", ".\"'”’»)]"},
	{"dashes", "— "},
	{"voices", "— а, "},
	{"zero width", "a\u200b\u200d\u00ad"},
	{"combining", "а\u0301\u0301\u0301"},
	{"right to left", "a \u202eשלום \u202c"},
	{"mixed scripts", "дoм хouse 家 "},
	{"one sentence", "старый дом, "},
	{"one paragraph", "Старый белый дом стоял у тихой реки под тёмной горой. "},
	{"initials", "А. "},
	{"abbreviations", "г. Mr. т.е. "},
	{"capitals", "Aa Ab Ac Ad "},
	{"emoji", "👩‍👩‍👧‍👦🇷🇺"},
	{"wrapped dashes", "long enough a line to be taken for a wrapped one\n— "},
}

func (h hostile) text(size int) string {
	return strings.Repeat(h.unit, size/len(h.unit)+1)
}

func TestHostileTextTakesLinearTime(t *testing.T) {
	for _, h := range hostileTexts {
		t.Run(h.name, func(t *testing.T) {
			for _, extractor := range []Extractor{NewSingle(), NewEnsemble()} {
				for _, language := range []Language{Russian, English} {
					doc := Document{Language: language, Text: h.text(1 << 20)}
					begun := time.Now()
					result, err := extractor.Extract(context.Background(), doc)
					if err != nil {
						t.Fatal(err)
					}
					// A quadratic search over 1 MiB takes minutes; linear work is
					// done in a fraction of a second, even under the race detector.
					if took := time.Since(begun); took > 20*time.Second {
						t.Errorf("%s read 1 MiB in %v", extractor.Name(), took)
					}
					checkInvariants(t, doc.Text, result)
				}
			}
		})
	}
}
