package gold

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/nlpcanary/nlpcanary/extract"
)

// ReadBrat reads a document of the brat annotation tool: a text, and its standoff
// file. Its id is given by the caller. Offsets count runes, as brat's do. A text-bound
// annotation (T) is a span; an attribute "Partial" of it makes it partial. Relations,
// events and notes are passed over. A discontinuous annotation is refused: a
// description is one passage. Every error is a [*FormatError] of the standoff file.
func ReadBrat(file, id, text string, standoff []byte, labels Labels) (Document, error) {
	b := brat{at: extract.NewOffsets(text, extract.UnitRune), labels: labels, byName: map[string]int{}}
	number := 0
	for raw := range bytes.Lines(standoff) {
		number++
		if err := b.line(number, strings.TrimRight(string(raw), "\r\n")); err != nil {
			return Document{}, wrong(file, number, err)
		}
	}
	for _, p := range b.partial {
		i, known := b.byName[p.name]
		if !known {
			return Document{}, wrong(file, p.line, fmt.Errorf("the attribute is of %s, which the file does not have", p.name))
		}
		b.spans[i].Partial = true
	}
	d := Document{ID: id, Text: text, Spans: b.spans}
	if err := d.settle(); err != nil {
		return Document{}, wrong(file, 0, err)
	}
	return d, nil
}

// brat is a standoff file in the course of being read.
type brat struct {
	at      extract.Offsets
	labels  Labels
	spans   []Span
	byName  map[string]int // the span of "T1"
	partial []bratPartial  // attributes may come before what they are of
}

type bratPartial struct {
	name string
	line int
}

func (b *brat) line(number int, line string) error {
	name, rest, _ := strings.Cut(line, "\t")
	switch {
	case strings.TrimSpace(line) == "":
		return nil
	case name == "":
		break
	case name[0] == 'T':
		return b.bound(name, rest)
	case name[0] == 'A', name[0] == 'M':
		if fields := strings.Fields(rest); len(fields) >= 2 && strings.EqualFold(fields[0], "partial") {
			b.partial = append(b.partial, bratPartial{fields[1], number})
		}
		return nil
	case strings.ContainsRune("REN#*", rune(name[0])):
		return nil
	}
	return fmt.Errorf("%q is no annotation that brat writes", clip(line))
}

// bound reads what follows the name of a text-bound annotation: "Location 0 12",
// a tab, and the passage, in which brat shows line breaks as spaces.
func (b *brat) bound(name, rest string) error {
	place, quote, found := strings.Cut(rest, "\t")
	fields := strings.Fields(place)
	if !found || len(fields) < 3 {
		return fmt.Errorf("%s is not of the form TYPE START END, a tab, and the passage", name)
	}
	if len(fields) > 3 || strings.Contains(place, ";") {
		return fmt.Errorf("%s is in several pieces, and a description is one passage", name)
	}
	if _, exists := b.byName[name]; exists {
		return fmt.Errorf("%s stands in the file twice", name)
	}
	t, err := b.labels.typeOf(fields[0])
	if err != nil {
		return err
	}
	start, errStart := strconv.Atoi(fields[1])
	end, errEnd := strconv.Atoi(fields[2])
	if errStart != nil || errEnd != nil {
		return fmt.Errorf("%s is from %q to %q, which are not numbers", name, fields[1], fields[2])
	}
	from, to, err := b.at.Bytes(start, end)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	stands := b.at.Text()[from:to]
	if oneLine(stands) != oneLine(quote) {
		return fmt.Errorf("%s: %w", name, misquoted(start, end, stands, quote))
	}
	b.byName[name] = len(b.spans)
	b.spans = append(b.spans, Span{Start: from, End: to, Type: t})
	return nil
}

func oneLine(text string) string {
	return strings.NewReplacer("\r", " ", "\n", " ").Replace(text)
}
