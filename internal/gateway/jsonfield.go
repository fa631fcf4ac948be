package gateway

import (
	"encoding/json"
	"errors"
	"strings"
)

// errTwice is the error of a document in which a pointer's member stands twice, or
// under names that differ only in case: its readers may take different ones.
var errTwice = errors.New("the field stands there twice, or also in other letter case")

// isPointer reports whether a text is a JSON pointer (RFC 6901) to something within
// a document.
func isPointer(text string) bool {
	if !strings.HasPrefix(text, "/") {
		return false
	}
	for rest := text; ; {
		_, after, found := strings.Cut(rest, "~")
		if !found {
			return true
		}
		if !strings.HasPrefix(after, "0") && !strings.HasPrefix(after, "1") {
			return false
		}
		rest = after
	}
}

// steps are a pointer's member names.
func steps(pointer string) []string {
	names := strings.Split(pointer, "/")[1:]
	for i, name := range names {
		names[i] = strings.ReplaceAll(strings.ReplaceAll(name, "~1", "/"), "~0", "~")
	}
	return names
}

// jsonField is the value of a document's field, as it is written there; nil if the
// document is not JSON or has no such field. The path leads through objects. The
// document is read once and nothing of it is copied, so this may run on every
// request's body.
func jsonField(document []byte, path []string) ([]byte, error) {
	if !json.Valid(document) {
		return nil, nil
	}
	w := walker{text: document}
	w.space()
	return w.field(path)
}

// walker goes through a document that is known to be valid.
type walker struct {
	text []byte
	at   int
}

func (w *walker) space() {
	for w.at < len(w.text) && (w.text[w.at] == ' ' || w.text[w.at] == '\n' || w.text[w.at] == '\t' || w.text[w.at] == '\r') {
		w.at++
	}
}

// field goes over the value that begins here and returns the field of it.
func (w *walker) field(path []string) ([]byte, error) {
	if len(path) == 0 {
		return w.skip(), nil
	}
	if w.text[w.at] != '{' {
		w.skip()
		return nil, nil
	}
	var value []byte
	alike, exact := 0, false
	w.at++
	for w.space(); w.text[w.at] != '}'; w.space() {
		name := w.skip()
		w.space()
		w.at++ // the colon
		w.space()
		if !sameName(name, path[0]) {
			w.skip()
		} else {
			alike++
			if !isName(name, path[0]) {
				w.skip()
			} else {
				exact = true
				var err error
				if value, err = w.field(path[1:]); err != nil {
					return nil, err
				}
			}
		}
		w.space()
		if w.text[w.at] == ',' {
			w.at++
		}
	}
	w.at++
	if exact && alike > 1 {
		return nil, errTwice
	}
	return value, nil
}

// skip goes over the value that begins here and returns it as it is written.
func (w *walker) skip() []byte {
	began := w.at
	switch w.text[w.at] {
	case '"':
		w.skipString()
	case '{', '[':
		depth := 0
		for {
			switch w.text[w.at] {
			case '"':
				w.skipString()
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			w.at++
			if depth == 0 {
				return w.text[began:w.at]
			}
		}
	default:
		for w.at < len(w.text) && !strings.ContainsRune(" \n\t\r,}]", rune(w.text[w.at])) {
			w.at++
		}
	}
	return w.text[began:w.at]
}

func (w *walker) skipString() {
	for w.at++; w.text[w.at] != '"'; w.at++ {
		if w.text[w.at] == '\\' {
			w.at++
		}
	}
	w.at++
}

// sameName compares a quoted name with a plain one, without regard to case.
func sameName(quoted []byte, name string) bool {
	inner := quoted[1 : len(quoted)-1]
	if !hasEscape(inner) {
		return strings.EqualFold(string(inner), name)
	}
	text, ok := jsonString(quoted)
	return ok && strings.EqualFold(text, name)
}

func isName(quoted []byte, name string) bool {
	text, ok := jsonString(quoted)
	return ok && text == name
}

func hasEscape(b []byte) bool {
	for _, c := range b {
		if c == '\\' {
			return true
		}
	}
	return false
}

// jsonString reads a quoted string.
func jsonString(quoted []byte) (string, bool) {
	if len(quoted) == 0 || quoted[0] != '"' {
		return "", false
	}
	var text string
	err := json.Unmarshal(quoted, &text)
	return text, err == nil
}
