package api

import (
	"errors"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep JSON may nest. Nothing that the API takes comes near.
const maxDepth = 32

// syntaxError says what is wrong with a JSON text, and where.
type syntaxError struct {
	field   string // the path of the member it is in; empty at the top
	message string
}

func (e *syntaxError) Error() string {
	if e.field == "" {
		return e.message
	}
	return e.field + ": " + e.message
}

// scanner reads one JSON text (RFC 8259), from left to right, once. It is stricter
// than encoding/json, which takes the last of two members with the same name,
// matches names in any case and repairs invalid text: two readers of one request
// must not understand different things. It does not allocate for ordinary texts.
type scanner struct {
	data  []byte
	at    int
	depth int
}

// checkJSON reports what is wrong with a whole JSON text.
func checkJSON(data []byte) error {
	s := scanner{data: data}
	if err := s.skip(); err != nil {
		return err
	}
	return s.end()
}

func (s *scanner) fail(format string, args ...any) error {
	if s.at >= len(s.data) {
		return &syntaxError{message: "the JSON ends too early"}
	}
	return &syntaxError{message: fmt.Sprintf(format, args...) + " at byte " + strconv.Itoa(s.at)}
}

func (s *scanner) space() {
	for s.at < len(s.data) {
		switch s.data[s.at] {
		case ' ', '\t', '\r', '\n':
			s.at++
		default:
			return
		}
	}
}

// peek is the next byte that is not space; 0 at the end.
func (s *scanner) peek() byte {
	s.space()
	if s.at >= len(s.data) {
		return 0
	}
	return s.data[s.at]
}

func (s *scanner) take(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.at++
	return true
}

// end checks that nothing follows.
func (s *scanner) end() error {
	if s.space(); s.at < len(s.data) {
		return s.fail("there is more after the JSON value")
	}
	return nil
}

// object reads an object. For each member it calls member, which must read exactly
// the value.
func (s *scanner) object(member func(name []byte) error) error {
	if !s.take('{') {
		return s.fail("expected an object")
	}
	if s.depth++; s.depth > maxDepth {
		return s.fail("nested more than %d deep", maxDepth)
	}
	defer func() { s.depth-- }()
	if s.take('}') {
		return nil
	}
	var few [8][]byte // names so far, without allocating for ordinary objects
	names := few[:0]
	var many map[string]struct{} // the same, once they are many
	for {
		if s.peek() != '"' {
			return s.fail("expected a field name in quotes")
		}
		name, err := s.string()
		if err != nil {
			return err
		}
		if names, many, err = remember(names, many, name); err != nil {
			return err
		}
		if !s.take(':') {
			return s.fail("expected ':'")
		}
		if err := member(name); err != nil {
			return within(name, err)
		}
		switch {
		case s.take(','):
		case s.take('}'):
			return nil
		default:
			return s.fail("expected ',' or '}'")
		}
	}
}

// remember refuses a name that the object has had.
func remember(names [][]byte, many map[string]struct{}, name []byte) ([][]byte, map[string]struct{}, error) {
	duplicate := &syntaxError{field: clipName(name), message: "the field is given twice"}
	if many == nil {
		for _, other := range names {
			if string(other) == string(name) {
				return nil, nil, duplicate
			}
		}
		if names = append(names, name); len(names) <= 8 {
			return names, nil, nil
		}
		many = make(map[string]struct{}, 2*len(names))
		for _, other := range names {
			many[string(other)] = struct{}{}
		}
		return nil, many, nil
	}
	if _, had := many[string(name)]; had {
		return nil, nil, duplicate
	}
	many[string(name)] = struct{}{}
	return nil, many, nil
}

// within puts an error into the member where it happened.
func within(name []byte, err error) error {
	var inner *syntaxError
	if !errors.As(err, &inner) {
		return err
	}
	field := clipName(name)
	if inner.field != "" {
		field += "." + inner.field
	}
	return &syntaxError{field: field, message: inner.message}
}

func clipName(name []byte) string {
	const most = 40
	if len(name) <= most {
		return string(name)
	}
	end := most
	for end > 0 && !utf8.RuneStart(name[end]) {
		end--
	}
	return string(name[:end]) + "…"
}

// skip reads one value of any kind.
func (s *scanner) skip() error {
	switch c := s.peek(); {
	case c == '{':
		return s.object(func([]byte) error { return s.skip() })
	case c == '[':
		return s.array()
	case c == '"':
		_, err := s.string()
		return err
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if rest := s.data[s.at:]; len(rest) >= len(word) && string(rest[:len(word)]) == word {
			s.at += len(word)
			return nil
		}
	}
	return s.fail("expected a JSON value")
}

func (s *scanner) array() error {
	s.at++ // the bracket
	if s.depth++; s.depth > maxDepth {
		return s.fail("nested more than %d deep", maxDepth)
	}
	defer func() { s.depth-- }()
	if s.take(']') {
		return nil
	}
	for {
		if err := s.skip(); err != nil {
			return err
		}
		switch {
		case s.take(','):
		case s.take(']'):
			return nil
		default:
			return s.fail("expected ',' or ']'")
		}
	}
}

func (s *scanner) number() error {
	if s.data[s.at] == '-' {
		s.at++
	}
	switch {
	case s.at < len(s.data) && s.data[s.at] == '0':
		s.at++ // no digit may follow
	case !s.digits():
		return s.fail("expected a digit")
	}
	if s.at < len(s.data) && s.data[s.at] == '.' {
		s.at++
		if !s.digits() {
			return s.fail("expected a digit")
		}
	}
	if s.at < len(s.data) && (s.data[s.at] == 'e' || s.data[s.at] == 'E') {
		s.at++
		if s.at < len(s.data) && (s.data[s.at] == '+' || s.data[s.at] == '-') {
			s.at++
		}
		if !s.digits() {
			return s.fail("expected a digit")
		}
	}
	return nil
}

func (s *scanner) digits() bool {
	began := s.at
	for s.at < len(s.data) && s.data[s.at] >= '0' && s.data[s.at] <= '9' {
		s.at++
	}
	return s.at > began
}

// text reads a string value.
func (s *scanner) text() ([]byte, error) {
	if s.peek() != '"' {
		return nil, s.fail("expected a string")
	}
	return s.string()
}

// string reads a string whose quote is next. The result is a part of the data
// where nothing had to be unescaped.
func (s *scanner) string() ([]byte, error) {
	s.at++ // the quote
	began := s.at
	for s.at < len(s.data) {
		switch c := s.data[s.at]; {
		case c == '"':
			s.at++
			return s.data[began : s.at-1], nil
		case c == '\\':
			return s.unescape(began)
		case c < ' ':
			return nil, s.fail("a control character in a string must be escaped")
		case c < utf8.RuneSelf:
			s.at++
		default:
			if err := s.rune(); err != nil {
				return nil, err
			}
		}
	}
	return nil, s.fail("")
}

// rune reads one character beyond ASCII.
func (s *scanner) rune() error {
	r, size := utf8.DecodeRune(s.data[s.at:])
	if r == utf8.RuneError && size == 1 {
		return s.fail("not valid UTF-8")
	}
	s.at += size
	return nil
}

// unescape reads the rest of a string that began there and has an escape.
func (s *scanner) unescape(began int) ([]byte, error) {
	text := append(make([]byte, 0, s.at-began+64), s.data[began:s.at]...)
	for s.at < len(s.data) {
		switch c := s.data[s.at]; {
		case c == '"':
			s.at++
			return text, nil
		case c == '\\':
			r, err := s.escape()
			if err != nil {
				return nil, err
			}
			text = utf8.AppendRune(text, r)
		case c < ' ':
			return nil, s.fail("a control character in a string must be escaped")
		default:
			from := s.at
			if err := s.rune(); err != nil {
				return nil, err
			}
			text = append(text, s.data[from:s.at]...)
		}
	}
	return nil, s.fail("")
}

// escape reads one escape, or the two of a surrogate pair.
func (s *scanner) escape() (rune, error) {
	s.at++ // the backslash
	if s.at >= len(s.data) {
		return 0, s.fail("")
	}
	c := s.data[s.at]
	s.at++
	switch c {
	case '"', '\\', '/':
		return rune(c), nil
	case 'b':
		return '\b', nil
	case 'f':
		return '\f', nil
	case 'n':
		return '\n', nil
	case 'r':
		return '\r', nil
	case 't':
		return '\t', nil
	case 'u':
	default:
		s.at--
		return 0, s.fail("an unknown escape")
	}
	r, err := s.hex()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	if s.at+1 < len(s.data) && s.data[s.at] == '\\' && s.data[s.at+1] == 'u' {
		s.at += 2
		low, err := s.hex()
		if err != nil {
			return 0, err
		}
		if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
			return r, nil
		}
	}
	return 0, s.fail("half of a surrogate pair is no character")
}

func (s *scanner) hex() (rune, error) {
	if s.at+4 > len(s.data) {
		s.at = len(s.data)
		return 0, s.fail("")
	}
	var r rune
	for range 4 {
		c := s.data[s.at]
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, s.fail("expected four hexadecimal digits")
		}
		s.at++
	}
	return r, nil
}
