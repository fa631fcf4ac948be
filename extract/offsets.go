package extract

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

// Offsets turns offsets that others count in one unit into byte offsets of one text.
type Offsets struct {
	text string
	unit Unit
	// starts are, for each rune, its byte offset; and one for the end.
	starts []int
	// units are the same places counted in UTF-16.
	units []int
}

// NewOffsets passes over the text once.
func NewOffsets(text string, unit Unit) Offsets {
	o := Offsets{text: text, unit: unit}
	if unit == UnitByte {
		return o
	}
	units := 0
	for i, c := range text {
		o.starts = append(o.starts, i)
		if unit == UnitUTF16 {
			o.units = append(o.units, units)
			units += max(1, utf16.RuneLen(c))
		}
	}
	o.starts = append(o.starts, len(text))
	if unit == UnitUTF16 {
		o.units = append(o.units, units)
	}
	return o
}

// Text is what the offsets are of.
func (o Offsets) Text() string { return o.text }

// length of the text in the unit.
func (o Offsets) length() int {
	switch o.unit {
	case UnitByte:
		return len(o.text)
	case UnitUTF16:
		return o.units[len(o.units)-1]
	}
	return len(o.starts) - 1
}

// Bytes turns a span into byte offsets, or says why it is none: it lies outside of the
// text, begins or ends inside of a character, or holds nothing but white space. The
// error quotes nothing of the text.
func (o Offsets) Bytes(start, end int) (int, int, error) {
	if start < 0 || end > o.length() {
		return 0, 0, fmt.Errorf("the span %d to %d is outside of the text, which is %d %ss long", start, end, o.length(), o.unit)
	}
	if start >= end {
		return 0, 0, fmt.Errorf("the span %d to %d is empty", start, end)
	}
	from, okFrom := o.byteOf(start)
	to, okTo := o.byteOf(end)
	if !okFrom || !okTo {
		return 0, 0, fmt.Errorf("the span %d to %d (in %ss) begins or ends inside of a character", start, end, o.unit)
	}
	if strings.IndexFunc(o.text[from:to], func(c rune) bool { return !unicode.IsSpace(c) }) < 0 {
		return 0, 0, fmt.Errorf("the span %d to %d holds only white space", start, end)
	}
	return from, to, nil
}

func (o Offsets) byteOf(offset int) (int, bool) {
	switch o.unit {
	case UnitByte:
		return offset, offset == len(o.text) || utf8.RuneStart(o.text[offset])
	case UnitUTF16:
		i := sort.SearchInts(o.units, offset)
		return o.starts[i], o.units[i] == offset
	}
	return o.starts[offset], true
}
