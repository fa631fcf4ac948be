package gold

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/nlpcanary/nlpcanary/extract"
)

// Document is a text together with what is to be found in it.
type Document struct {
	ID string
	// Language of the text; empty if the file does not say, and then each
	// architecture finds out by itself.
	Language extract.Language
	Text     string
	// Spans sorted by Start, then End, then Type. Each stands for one description.
	Spans []Span
	// Style, such as "landscape" or "dialogue"; empty if the file does not say.
	Style string
	// Split is the part that the document belongs to; empty if the file does not say.
	Split Split
}

// Span is a passage that a person marked as a description.
type Span struct {
	// Start and End are byte offsets into the text, between runes.
	Start, End int
	Type       extract.Type
	// Partial says that the passage describes only in part, so that people may differ
	// on it: to find it is not wrong, and not to find it is no miss.
	Partial bool
}

// Split is a part of a gold set that is kept apart from the others.
type Split string

// Train is to learn from, Dev to choose by, Test to measure with once all is chosen.
const (
	Train Split = "train"
	Dev   Split = "dev"
	Test  Split = "test"
)

// Types are the types that a span may have.
var types = []extract.Type{extract.TypeLocation, extract.TypeCharacter, extract.TypeAtmosphere, extract.TypeObject, extract.TypeAction}

// InSplit returns the documents of one part, in their order.
func InSplit(documents []Document, split Split) []Document {
	var part []Document
	for _, d := range documents {
		if d.Split == split {
			part = append(part, d)
		}
	}
	return part
}

// settle checks a document that was read, and puts its spans in order.
func (d *Document) settle() error {
	switch {
	case d.ID == "":
		return fmt.Errorf("the document has no id")
	case d.Text == "":
		return fmt.Errorf("document %q has no text", d.ID)
	case len(d.Text) > extract.MaxBytes:
		return fmt.Errorf("the text of document %q is longer than %d bytes", d.ID, extract.MaxBytes)
	case !utf8.ValidString(d.Text):
		return fmt.Errorf("the text of document %q is not UTF-8", d.ID)
	}
	switch d.Language {
	case "", extract.Russian, extract.English:
	default:
		return fmt.Errorf("document %q is in %q: the languages are %q and %q", d.ID, d.Language, extract.Russian, extract.English)
	}
	switch d.Split {
	case "", Train, Dev, Test:
	default:
		return fmt.Errorf("document %q is in the split %q: the splits are train, dev and test", d.ID, d.Split)
	}
	slices.SortFunc(d.Spans, func(a, b Span) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End), cmp.Compare(a.Type, b.Type))
	})
	for i, s := range d.Spans {
		if !slices.Contains(types, s.Type) {
			return fmt.Errorf("document %q: %w", d.ID, unknownType(string(s.Type)))
		}
		if i > 0 && s.Start == d.Spans[i-1].Start && s.End == d.Spans[i-1].End && s.Type == d.Spans[i-1].Type {
			return fmt.Errorf("document %q marks %d to %d as %s twice (in bytes)", d.ID, s.Start, s.End, s.Type)
		}
	}
	return nil
}

// typeOf reads a type, in whatever case it is written.
func (l Labels) typeOf(label string) (extract.Type, error) {
	if mapped, ok := l[label]; ok {
		return mapped, nil
	}
	t := extract.Type(strings.ToLower(label))
	if slices.Contains(types, t) {
		return t, nil
	}
	return "", unknownType(label)
}

func unknownType(label string) error {
	names := make([]string, len(types))
	for i, t := range types {
		names[i] = string(t)
	}
	return fmt.Errorf("%q is not a type of description: they are %s; other labels have to be mapped", label, strings.Join(names, ", "))
}

// Labels maps the labels of a foreign gold set to types, such as "LOC" to location.
// The types' own names need no entry.
type Labels map[string]extract.Type

// ParseLabel reads one entry of the form "LOC=location".
func (l Labels) ParseLabel(entry string) error {
	label, name, found := strings.Cut(entry, "=")
	t := extract.Type(name)
	if !found || label == "" || !slices.Contains(types, t) {
		return fmt.Errorf("%q does not map a label to a type, as LOC=location does", entry)
	}
	l[label] = t
	return nil
}
