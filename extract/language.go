package extract

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// Language is an ISO 639-1 code.
type Language string

// The languages that the extractors read.
const (
	Russian Language = "ru"
	English Language = "en"
)

// detectSample bounds how much of a text decides its language, in bytes.
const detectSample = 256 << 10

// detect tells the language by the share of scripts among the letters: Cyrillic is
// read as Russian, Latin as English. At least half of the letters must be in one of
// the two scripts. A text without letters has no language.
func detect(text string) (Language, error) {
	var latin, cyrillic, other int
	sample := text[:min(len(text), detectSample)]
	for i := 0; i < len(sample); {
		c := sample[i]
		if c < utf8.RuneSelf {
			if 'a' <= c|0x20 && c|0x20 <= 'z' {
				latin++
			}
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(sample[i:])
		i += size
		switch {
		case 0x0400 <= r && r <= 0x04ff:
			cyrillic++
		case !unicode.IsLetter(r):
		case unicode.Is(unicode.Latin, r):
			latin++
		default:
			other++
		}
	}
	switch {
	case latin+cyrillic+other == 0:
		return "", nil
	case latin+cyrillic < other:
		return "", fmt.Errorf("%w: most letters are neither Latin nor Cyrillic", ErrUnsupportedLanguage)
	case cyrillic >= latin:
		return Russian, nil
	}
	return English, nil
}
