package extract

import (
	"slices"
	"unicode/utf8"
)

// RuneSpan is the place of a description in runes.
type RuneSpan struct {
	Start, End int // rune offsets; End is exclusive
}

// RuneSpans returns the places of descriptions in runes, in the order given. It
// passes over the text once, however many descriptions there are. An offset outside
// of the text counts as the nearest end of the text.
func RuneSpans(text string, descriptions []Description) []RuneSpan {
	offsets := make([]int, 0, 2*len(descriptions))
	for _, d := range descriptions {
		offsets = append(offsets, clamp(d.Start, len(text)), clamp(d.End, len(text)))
	}
	slices.Sort(offsets)
	offsets = slices.Compact(offsets)

	runes := make([]int, len(offsets))
	counted, from := 0, 0
	for i, offset := range offsets {
		counted += utf8.RuneCountInString(text[from:offset])
		runes[i], from = counted, offset
	}
	at := func(offset int) int {
		i, _ := slices.BinarySearch(offsets, clamp(offset, len(text)))
		return runes[i]
	}
	spans := make([]RuneSpan, len(descriptions))
	for i, d := range descriptions {
		spans[i] = RuneSpan{Start: at(d.Start), End: at(d.End)}
	}
	return spans
}

func clamp(offset, limit int) int {
	return max(0, min(offset, limit))
}
