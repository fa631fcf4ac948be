package extract

import (
	"hash/fnv"
	"strings"
)

// What a description must have to be worth showing.
const (
	minRunes      = 50
	maxRunes      = 1000
	minWords      = 10
	minConfidence = 0.3
)

// filter drops what is too short, too long, too unsure or has been seen before in
// the document.
type filter struct {
	seen map[uint64]bool
}

// passes says whether a passage is to be kept, and remembers it if it is.
func (f *filter) passes(content string, runes, words int, confidence float64) bool {
	if runes < minRunes || runes > maxRunes || words < minWords || confidence+epsilon < minConfidence {
		return false
	}
	// Line breaks do not make a repeated passage a new one.
	h := fnv.New64a()
	for field := range strings.FieldsSeq(content) {
		_, _ = h.Write([]byte(field)) // a hash.Hash never fails
		_, _ = h.Write([]byte{' '})
	}
	key := h.Sum64()
	if f.seen[key] {
		return false
	}
	if f.seen == nil {
		f.seen = make(map[uint64]bool)
	}
	f.seen[key] = true
	return true
}
