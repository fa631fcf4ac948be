package extract

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// speech appends the byte spans of direct speech in a paragraph to spans. Three
// conventions are known: a paragraph that opens with a dash and alternates between
// speech and the author's words, angle or curly quotes, and straight quotes.
func speech(text string, paragraph span, spans []span) []span {
	if dashWidth(text[paragraph.start:paragraph.end]) > 0 {
		return dashSpeech(text, paragraph, spans)
	}
	return quotedSpeech(text, paragraph, spans)
}

// dashSpeech handles «— Слова, — сказал он, — ещё слова.» A dash behind a
// punctuation mark and a space changes the voice; one behind a word is part of the
// sentence, as in «мой дом — моя крепость».
func dashSpeech(text string, paragraph span, spans []span) []span {
	speaking, from := true, paragraph.start
	var mark, previous rune
	for i := paragraph.start; i < paragraph.end; {
		r, size := utf8.DecodeRuneInString(text[i:paragraph.end])
		isDash := i > paragraph.start && unicode.IsSpace(previous) && dashWidth(text[i:paragraph.end]) > 0
		if isDash && strings.ContainsRune(",.!?…:;»”\"", mark) {
			if speaking {
				spans = append(spans, span{from, i})
			}
			speaking, from = !speaking, i
		}
		if !unicode.IsSpace(r) {
			mark = r
		}
		previous = r
		i += size
	}
	if speaking {
		spans = append(spans, span{from, paragraph.end})
	}
	return spans
}

// quotedSpeech takes a quotation for speech when it holds punctuation at its end or
// at least four words: «Слава» is the name of a ship, not something said. A
// quotation left open runs to the end of the paragraph, as when it goes on in the
// next one.
func quotedSpeech(text string, paragraph span, spans []span) []span {
	var closer rune
	from, words := 0, 0
	previous := ' '
	for i := paragraph.start; i < paragraph.end; {
		r, size := utf8.DecodeRuneInString(text[i:paragraph.end])
		switch {
		case closer == 0:
			closer = closerOf(r, previous)
			from, words = i, 0
		case r == closer && closesSpeech(r, previous, text[i+size:paragraph.end]):
			if words >= 4 || strings.ContainsRune(",.!?…—", previous) {
				spans = append(spans, span{from, i + size})
			}
			closer = 0
		case unicode.IsSpace(r) && !unicode.IsSpace(previous):
			words++
		}
		previous = r
		i += size
	}
	if closer != 0 && closer != '’' {
		spans = append(spans, span{from, paragraph.end})
	}
	return spans
}

// closerOf returns the quote that closes what r opens, or 0 if r opens nothing.
func closerOf(r, previous rune) rune {
	switch r {
	case '«':
		return '»'
	case '“':
		return '”'
	case '„':
		return '“'
	case '"':
		return '"'
	case '‘':
		// Behind a letter it is a misplaced apostrophe.
		if !unicode.IsLetter(previous) {
			return '’'
		}
	}
	return 0
}

// closesSpeech tells a closing single quote from an apostrophe.
func closesSpeech(r, previous rune, rest string) bool {
	if r != '’' {
		return true
	}
	following, _ := utf8.DecodeRuneInString(rest)
	return !unicode.IsLetter(following) && unicode.IsPunct(previous)
}
