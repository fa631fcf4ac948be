package extract

import (
	"errors"
	"fmt"
	"strings"
)

// ErrUnsupportedLanguage says that the document names a language other than Russian
// and English, or that its text is mostly written in another script.
var ErrUnsupportedLanguage = errors.New("unsupported language")

// ErrInvalidText says that the text is not valid UTF-8.
var ErrInvalidText = errors.New("text is not valid UTF-8")

// TooLongError says that a text is longer than an extractor takes.
type TooLongError struct {
	Bytes int // length of the text
	Limit int // longest length taken
}

func (e *TooLongError) Error() string {
	return fmt.Sprintf("text of %d bytes is longer than the limit of %d bytes", e.Bytes, e.Limit)
}

// Failure is one processor that did not survive a document.
type Failure struct {
	Processor string // its name
	Reason    string // what went wrong, for people
}

// FailedError says that every processor failed, so that there is no result.
type FailedError struct {
	Failures []Failure // in the order of failing
}

func (e *FailedError) Error() string {
	parts := make([]string, len(e.Failures))
	for i, f := range e.Failures {
		parts[i] = f.Processor + ": " + f.Reason
	}
	return "every processor failed: " + strings.Join(parts, "; ")
}
