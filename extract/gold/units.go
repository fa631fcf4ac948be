package gold

import (
	"fmt"
	"sort"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Unit is what offsets count.
type Unit string

// UnitRune is Unicode code points, as in Python; UnitByte is bytes of UTF-8, as in
// Go; UnitUTF16 is UTF-16 code units, as in JavaScript.
const (
	UnitRune  Unit = "rune"
	UnitByte  Unit = "byte"
	UnitUTF16 Unit = "utf16"
)

// ruler turns offsets of one unit into byte offsets of one text.
type ruler struct {
	text string
	unit Unit
	// starts are, for each rune, its byte offset; and one for the end.
	starts []int
	// units are the same places counted in UTF-16.
	units []int
}

func newRuler(text string, unit Unit) ruler {
	r := ruler{text: text, unit: unit}
	if unit == UnitByte {
		return r
	}
	units := 0
	for i, c := range text {
		r.starts = append(r.starts, i)
		if unit == UnitUTF16 {
			r.units = append(r.units, units)
			units += max(1, utf16.RuneLen(c))
		}
	}
	r.starts = append(r.starts, len(text))
	if unit == UnitUTF16 {
		r.units = append(r.units, units)
	}
	return r
}

// length of the text in the ruler's unit.
func (r ruler) length() int {
	switch r.unit {
	case UnitByte:
		return len(r.text)
	case UnitUTF16:
		return r.units[len(r.units)-1]
	}
	return len(r.starts) - 1
}

// bytes turns a span into byte offsets, or says why it is none.
func (r ruler) bytes(start, end int) (int, int, error) {
	if start < 0 || end > r.length() {
		return 0, 0, fmt.Errorf("the span %d to %d is outside of the text, which is %d %ss long", start, end, r.length(), r.unit)
	}
	if start >= end {
		return 0, 0, fmt.Errorf("the span %d to %d is empty", start, end)
	}
	from, okFrom := r.byteOf(start)
	to, okTo := r.byteOf(end)
	if !okFrom || !okTo {
		return 0, 0, fmt.Errorf("the span %d to %d (in %ss) begins or ends inside of a character", start, end, r.unit)
	}
	if strings.IndexFunc(r.text[from:to], func(c rune) bool { return !unicode.IsSpace(c) }) < 0 {
		return 0, 0, fmt.Errorf("the span %d to %d holds only white space", start, end)
	}
	return from, to, nil
}

func (r ruler) byteOf(offset int) (int, bool) {
	switch r.unit {
	case UnitByte:
		return offset, offset == len(r.text) || utf8.RuneStart(r.text[offset])
	case UnitUTF16:
		i := sort.SearchInts(r.units, offset)
		return r.starts[i], r.units[i] == offset
	}
	return r.starts[offset], true
}

// quoted is a span of which the file says what stands there.
func (r ruler) quoted(start, end int, quote string) (int, int, error) {
	from, to, err := r.bytes(start, end)
	if err != nil {
		return 0, 0, err
	}
	if r.text[from:to] != quote {
		return 0, 0, misquoted(start, end, r.text[from:to], quote)
	}
	return from, to, nil
}

func misquoted(start, end int, stands, quote string) error {
	return fmt.Errorf("the span %d to %d is %q in the text, and not %q as the file quotes it", start, end, clip(stands), clip(quote))
}

// clip shortens a text for an error.
func clip(text string) string {
	const most = 60
	runes := 0
	for i := range text {
		if runes == most {
			return text[:i] + "…"
		}
		runes++
	}
	return text
}
