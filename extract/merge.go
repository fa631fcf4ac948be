package extract

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// merge joins neighbours of one type within a block, in place. Between neighbours
// there is only white space. A passage does not grow beyond the longest description
// allowed: the filter would throw the whole of it away.
func merge(text string, passages []elected) []elected {
	merged := passages[:0]
	runes := 0 // of the last passage in merged
	for _, p := range passages {
		length := utf8.RuneCountInString(text[p.start:p.end])
		if last := len(merged) - 1; last >= 0 && merged[last].kind == p.kind {
			m := &merged[last]
			gap := text[m.end:p.start]
			joined := runes + utf8.RuneCountInString(gap) + length
			if joined <= maxRunes && strings.TrimFunc(gap, unicode.IsSpace) == "" {
				m.absorb(p, runes, length)
				runes = joined
				continue
			}
		}
		merged = append(merged, p)
		runes = length
	}
	return merged
}

// absorb extends a passage over the one that follows; what was measured of the two
// is averaged by length in runes.
func (e *elected) absorb(next elected, length, nextLength int) {
	a, b := float64(length), float64(nextLength)
	e.end = next.end
	e.confidence = (a*e.confidence + b*next.confidence) / (a + b)
	e.consensus = (a*e.consensus + b*next.consensus) / (a + b)
	e.sources |= next.sources
}
