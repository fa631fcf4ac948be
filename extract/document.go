package extract

import (
	"fmt"
	"unicode/utf8"
)

// MaxBytes is the longest text an [Extractor] of this package takes, in bytes.
const MaxBytes = 10 << 20

// Document is a text to be read.
type Document struct {
	// ID names the document to the caller; extraction does not look at it.
	ID string
	// Language of the text; when empty it is detected by the share of scripts.
	Language Language
	// Text in UTF-8, at most [MaxBytes] long.
	Text string
}

// language checks the document and returns the language to read it in, which is
// empty for a text without a single letter: there is nothing to find in it.
func (d Document) language() (Language, error) {
	if len(d.Text) > MaxBytes {
		return "", &TooLongError{Bytes: len(d.Text), Limit: MaxBytes}
	}
	if !utf8.ValidString(d.Text) {
		return "", ErrInvalidText
	}
	switch d.Language {
	case Russian, English:
		return d.Language, nil
	case "":
		return detect(d.Text)
	}
	return "", fmt.Errorf("%w: %q (known: %q, %q)", ErrUnsupportedLanguage, d.Language, Russian, English)
}
