package extract

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Rate gives a description from elsewhere the priority and the quality that it would
// have here, by its type, confidence and content.
func Rate(d *Description) {
	words := strings.FieldsFunc(strings.ToLower(d.Content), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	runes, all := utf8.RuneCountInString(d.Content), len(words)
	slices.Sort(words)
	d.Priority = priority(d.Type, d.Confidence, runes, all)
	d.Quality = quality(d.Confidence, runes, all, len(slices.Compact(words)))
}
