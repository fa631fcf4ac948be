package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// maxDepth bounds how deep a body may nest.
const maxDepth = 32

// unmarshalStrictly reads JSON as json.Unmarshal does, but refuses what that lets
// pass silently: invalid UTF-8 and lone surrogates (which would be replaced),
// duplicate keys (of which the last would win) and anything after the value.
func unmarshalStrictly(data []byte, v any) error {
	if err := checkStrictly(data); err != nil {
		return err
	}
	if err := json.Unmarshal(data, v); err != nil {
		var typeErr *json.UnmarshalTypeError
		if errors.As(err, &typeErr) {
			return fmt.Errorf("the field %s cannot be a %s", typeErr.Field, typeErr.Value)
		}
		return err
	}
	return nil
}

func checkStrictly(data []byte) error {
	if !utf8.Valid(data) {
		return errors.New("the body is not valid UTF-8")
	}
	if err := checkSurrogates(data); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := checkValue(d, 0); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is something after the JSON value")
	}
	return nil
}

func checkValue(d *json.Decoder, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("the JSON nests deeper than %d levels", maxDepth)
	}
	token, err := d.Token()
	if errors.Is(err, io.EOF) {
		return errors.New("the JSON ends too early")
	}
	if err != nil {
		return fmt.Errorf("the body is not JSON: %w", err)
	}
	switch token {
	case json.Delim('{'):
		return checkObject(d, depth)
	case json.Delim('['):
		for d.More() {
			if err := checkValue(d, depth+1); err != nil {
				return err
			}
		}
		return closing(d)
	}
	return nil
}

func checkObject(d *json.Decoder, depth int) error {
	seen := map[string]struct{}{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return fmt.Errorf("the body is not JSON: %w", err)
		}
		key, _ := token.(string) // the decoder allows nothing else here
		if _, twice := seen[key]; twice {
			return fmt.Errorf("the field %.40q is given twice", key)
		}
		seen[key] = struct{}{}
		if err := checkValue(d, depth+1); err != nil {
			return err
		}
	}
	return closing(d)
}

// closing reads the end of an object or array.
func closing(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return errors.New("the JSON ends too early")
	}
	return nil
}

// checkSurrogates refuses \ud800 and the like outside of a pair. It only looks at
// escapes; whether they stand in a string is for the decoder to see.
func checkSurrogates(data []byte) error {
	for {
		i := bytes.IndexByte(data, '\\')
		if i < 0 || i+1 >= len(data) {
			return nil
		}
		data = data[i:]
		unit, ok := escapedUnit(data)
		if !ok {
			data = data[2:] // another escape, "\\" among them
			continue
		}
		data = data[6:]
		if unit < 0xd800 || unit > 0xdfff {
			continue
		}
		low, ok := escapedUnit(data)
		if unit > 0xdbff || !ok || low < 0xdc00 || low > 0xdfff {
			return errors.New("the body has half of a surrogate pair, which is no character")
		}
		data = data[6:]
	}
}

// escapedUnit reads \uXXXX at the beginning.
func escapedUnit(data []byte) (unit rune, ok bool) {
	if len(data) < 6 || data[0] != '\\' || data[1] != 'u' {
		return 0, false
	}
	for _, c := range data[2:6] {
		unit <<= 4
		switch {
		case c >= '0' && c <= '9':
			unit |= rune(c - '0')
		case c >= 'a' && c <= 'f':
			unit |= rune(c-'a') + 10
		case c >= 'A' && c <= 'F':
			unit |= rune(c-'A') + 10
		default:
			return 0, false
		}
	}
	return unit, true
}
