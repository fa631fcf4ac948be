package extract

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// paragraphs walks over the paragraphs of a text. A blank line always ends one; a
// single line break does so unless the text is hard-wrapped.
type paragraphs struct {
	text    string
	pos     int
	wrapped bool
}

func newParagraphs(text string) *paragraphs {
	return &paragraphs{text: text, wrapped: hardWrapped(text)}
}

// next returns the byte span of the next paragraph without the white space around
// it, and false at the end of the text.
func (p *paragraphs) next() (span, bool) {
	start := skipSpace(p.text, p.pos, len(p.text))
	if start == len(p.text) {
		return span{}, false
	}
	end := start
	for {
		newline := strings.IndexByte(p.text[end:], '\n')
		if newline < 0 {
			end = len(p.text)
			p.pos = end
			break
		}
		end += newline
		if p.breaksAt(start, end) {
			p.pos = end + 1
			break
		}
		end++
	}
	return span{start, trimSpace(p.text, start, end)}, true
}

// breaksAt says whether the line break at offset i ends the paragraph begun at start.
func (p *paragraphs) breaksAt(start, i int) bool {
	if !p.wrapped {
		return true
	}
	rest := p.text[i+1:]
	indent := 0
	for indent < len(rest) && (rest[indent] == ' ' || rest[indent] == '\t' || rest[indent] == '\r') {
		indent++
	}
	switch {
	case indent == len(rest), rest[indent] == '\n':
		return true
	case indent >= 2 || indent == 1 && rest[0] == '\t':
		return true
	}
	// A wrapped line may happen to begin with a dash; a line of dialogue also
	// follows a finished sentence.
	return dashWidth(rest[indent:]) > 0 && terminated(p.text[start:i])
}

// wrapSample bounds how much of a text decides whether it is hard-wrapped, in bytes.
const wrapSample = 32 << 10

// hardWrapped says whether line breaks fall inside sentences. Only lines directly
// followed by another one tell; a short one without a full stop is a heading or a
// verse, not a wrapped line.
func hardWrapped(text string) bool {
	const (
		shortest = 40  // runes that a wrapped line has at least
		longest  = 132 // runes of a line printer, the widest wrapping in use
	)
	sample := text[:min(len(text), wrapSample)]
	open, lines := 0, 0
	for line := range strings.Lines(sample) {
		if !strings.HasSuffix(line, "\n") {
			break
		}
		line = strings.TrimSpace(line)
		width := utf8.RuneCountInString(line)
		if width > longest {
			return false
		}
		if width < shortest {
			continue
		}
		lines++
		if !terminated(line) {
			open++
		}
	}
	return open > 0 && open*5 >= lines*2
}

// terminated says whether a line ends as a sentence or a line of dialogue does.
func terminated(line string) bool {
	line = strings.TrimRightFunc(line, unicode.IsSpace)
	for line != "" {
		r, size := utf8.DecodeLastRuneInString(line)
		switch {
		case r == '.' || r == '!' || r == '?' || r == '…' || r == ':' || r == ';':
			return true
		case isCloser(r):
			line = line[:len(line)-size]
		default:
			return false
		}
	}
	return true
}

// span is a byte range of a text.
type span struct{ start, end int }

func skipSpace(text string, i, end int) int {
	for i < end {
		r, size := utf8.DecodeRuneInString(text[i:end])
		if !unicode.IsSpace(r) {
			return i
		}
		i += size
	}
	return end
}

func trimSpace(text string, start, end int) int {
	return start + len(strings.TrimRightFunc(text[start:end], unicode.IsSpace))
}
