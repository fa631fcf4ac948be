package extract

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// sentences splits one paragraph into sentences. It knows the punctuation of both
// languages, so that an English quotation in a Russian book splits as well.
//
// Every rune is looked at a bounded number of times, so the time is linear.
type sentences struct {
	text string
	pos  int
	end  int // of the paragraph
}

// next returns the byte span of the next sentence without the white space around
// it, and false at the end of the paragraph.
func (s *sentences) next() (span, bool) {
	start := skipSpace(s.text, s.pos, s.end)
	if start >= s.end {
		return span{}, false
	}
	for i := start; i < s.end; {
		width := terminatorWidth(s.text[i:s.end])
		if width == 0 {
			i++
			continue
		}
		first := i
		for width > 0 {
			i += width
			width = terminatorWidth(s.text[i:s.end])
		}
		after := skipClosers(s.text, i, s.end)
		if s.endsAt(start, first, i, after) {
			s.pos = after
			return span{start, after}, true
		}
		i = after
	}
	s.pos = s.end
	return span{start, trimSpace(s.text, start, s.end)}, true
}

// endsAt says whether the sentence begun at start ends after the terminators
// [first:last] and the closing quotes up to after.
func (s *sentences) endsAt(start, first, last, after int) bool {
	if after == s.end {
		return true
	}
	fullStop := s.text[first:last] == "."
	next := skipSpace(s.text, after, s.end)
	if next == s.end {
		return true
	}
	if next == after && dashWidth(s.text[after:s.end]) == 0 {
		return fullStop && gluedSentence(s.text[start:first], s.text[after:s.end])
	}
	if fullStop && enumerates(s.text[start:first]) {
		return false
	}
	letter := firstLetter(s.text[next:s.end])
	switch {
	case unicode.IsDigit(letter):
		return !fullStop || !precedesNumber(lastWord(s.text[start:first]))
	case unicode.IsLower(letter):
		return false
	case !fullStop:
		return true
	}
	return !abbreviated(s.text[start:first])
}

// terminatorWidth is the width of the sentence-ending mark that s begins with, or 0.
func terminatorWidth(s string) int {
	switch {
	case s == "":
		return 0
	case s[0] == '.' || s[0] == '!' || s[0] == '?':
		return 1
	case strings.HasPrefix(s, "…"):
		return len("…")
	}
	return 0
}

func isCloser(r rune) bool {
	switch r {
	case '"', '\'', '”', '’', '»', '“', ')', ']':
		return true
	}
	return false
}

// skipClosers passes over the quotes and brackets that close after a terminator. A
// quote right before a letter opens instead.
func skipClosers(text string, i, end int) int {
	for i < end {
		r, size := utf8.DecodeRuneInString(text[i:end])
		if !isCloser(r) {
			return i
		}
		if r == '"' || r == '\'' || r == '“' {
			following, _ := utf8.DecodeRuneInString(text[i+size : end])
			if unicode.IsLetter(following) {
				return i
			}
		}
		i += size
	}
	return i
}

// dashWidth is the width of the dialogue dash that s begins with, or 0. A hyphen
// counts only when a space follows.
func dashWidth(s string) int {
	for _, dash := range [...]string{"—", "–", "―"} {
		if strings.HasPrefix(s, dash) {
			return len(dash)
		}
	}
	if strings.HasPrefix(s, "- ") || strings.HasPrefix(s, "-\u00a0") {
		return 1
	}
	return 0
}

// firstLetter returns the first letter or digit of s behind the dashes, quotes and
// spaces that may open a sentence, or whatever else stands there.
func firstLetter(s string) rune {
	const window = 24 // bytes; an opening is a few runes long
	var r rune
	for _, r = range s[:min(len(s), window)] {
		switch {
		case unicode.IsSpace(r), isCloser(r):
		case r == '—' || r == '–' || r == '―' || r == '-':
		case r == '«' || r == '„' || r == '‘' || r == '(' || r == '[':
		default:
			return r
		}
	}
	return r
}

// gluedSentence recognises a full stop without the space after it: "дом.Потом".
func gluedSentence(before, after string) bool {
	r, size := utf8.DecodeRuneInString(after)
	following, _ := utf8.DecodeRuneInString(after[size:])
	word := lastWord(before)
	return unicode.IsUpper(r) && unicode.IsLower(following) &&
		utf8.RuneCountInString(word) >= 3 && strings.IndexFunc(word, unicode.IsUpper) <= 0 &&
		strings.IndexFunc(word, unicode.IsLetter) == 0
}

// enumerates says whether the sentence so far is only the number of a list item.
func enumerates(s string) bool {
	return len(s) <= 4 && strings.TrimFunc(s, unicode.IsDigit) == ""
}

// lastWord returns the letters and digits that s ends with, or "" when they are more
// than a word's worth: only short words matter to the callers.
func lastWord(s string) string {
	const window = 48
	from := max(0, len(s)-window)
	for from < len(s) && !utf8.RuneStart(s[from]) {
		from++
	}
	tail := s[from:]
	cut := strings.LastIndexFunc(tail, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	if cut < 0 {
		return tail
	}
	_, size := utf8.DecodeRuneInString(tail[cut:])
	return tail[cut+size:]
}
