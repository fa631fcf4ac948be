// Package prose holds prose written for this project, Russian and English: scenes as
// in the chapters of a novel, with landscapes, interiors, portraits, dialogue, action,
// reflection and atmosphere. The demo sends it as traffic and tests read it.
//
// A file holds the passages of a language, each under a line "=== id". The text of a
// passage is what stands between two such lines, byte for byte, without the last line
// break.
package prose

import (
	"embed"
	"strings"
)

//go:embed ru.txt en.txt
var files embed.FS

// Passage is one scene.
type Passage struct {
	// ID is the language, the kind of scene and a number: "ru-portrait-02".
	ID string
	// Language is "ru" or "en".
	Language string
	// Text of about 80 to 250 words; paragraphs are separated by blank lines.
	Text string
}

// Passages returns all passages, the Russian ones first, each language in the order
// of its file. The caller may change the slice.
func Passages() []Passage {
	var passages []Passage
	for _, language := range []string{"ru", "en"} {
		data, err := files.ReadFile(language + ".txt")
		if err != nil {
			panic(err) // the file is embedded
		}
		for chunk := range strings.SplitSeq("\n"+string(data), "\n=== ") {
			id, text, found := strings.Cut(chunk, "\n")
			if !found || id == "" {
				continue // what stands before the first heading
			}
			passages = append(passages, Passage{ID: id, Language: language, Text: strings.TrimSuffix(text, "\n")})
		}
	}
	return passages
}
