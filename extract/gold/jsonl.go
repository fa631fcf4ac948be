package gold

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/nlpcanary/nlpcanary/extract"
)

// line is a document of the canonical form: one JSON object on each line.
type line struct {
	ID    string       `json:"id"`
	Lang  string       `json:"lang"`
	Text  string       `json:"text"`
	Spans []lineSpan   `json:"spans"`
	Unit  extract.Unit `json:"unit"`
	Style string       `json:"style"`
	Split Split        `json:"split"`
}

type lineSpan struct {
	Start   *int   `json:"start"`
	End     *int   `json:"end"`
	Type    string `json:"type"`
	Partial bool   `json:"partial"`
	// Text is the passage as it stands in the text; checked if given.
	Text *string `json:"text"`
}

// ReadJSONL reads the canonical form: on each line
//
//	{"id": …, "lang": "ru"|"en", "text": …, "unit": "rune"|"byte",
//	 "spans": [{"start": 0, "end": 12, "type": "location", "partial": true, "text": …}],
//	 "style": …, "split": "train"|"dev"|"test"}
//
// of which lang, style, split and a span's partial and text may be left out. Empty
// lines are passed over. Unknown keys are refused. Every error is a [*FormatError].
func ReadJSONL(file string, raw []byte, labels Labels) ([]Document, error) {
	c := newCollected(file)
	raw = bytes.TrimPrefix(raw, []byte("\ufeff"))
	number := 0
	for text := range bytes.Lines(raw) {
		number++
		if len(bytes.TrimSpace(text)) == 0 {
			continue
		}
		d, err := decodeLine(text, labels)
		if err != nil {
			return nil, wrong(file, number, err)
		}
		if err := c.add(number, d); err != nil {
			return nil, err
		}
	}
	return c.all()
}

func decodeLine(raw []byte, labels Labels) (Document, error) {
	if !utf8.Valid(raw) {
		return Document{}, fmt.Errorf("is not UTF-8")
	}
	var l line
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&l); err != nil {
		return Document{}, fmt.Errorf("is not a document in JSON: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Document{}, fmt.Errorf("holds more than one JSON object")
	}
	if l.Unit != extract.UnitRune && l.Unit != extract.UnitByte {
		return Document{}, fmt.Errorf("document %q says that its offsets are in %q: unit is rune or byte", l.ID, l.Unit)
	}
	d := Document{ID: l.ID, Language: extract.Language(l.Lang), Text: l.Text, Style: l.Style, Split: l.Split}
	at := extract.NewOffsets(l.Text, l.Unit)
	for i, s := range l.Spans {
		span, err := s.span(at, labels)
		if err != nil {
			return Document{}, fmt.Errorf("document %q, span %d: %w", l.ID, i+1, err)
		}
		d.Spans = append(d.Spans, span)
	}
	return d, nil
}

func (s lineSpan) span(at extract.Offsets, labels Labels) (span Span, err error) {
	if s.Start == nil || s.End == nil {
		return Span{}, fmt.Errorf("start and end are both needed")
	}
	span.Partial = s.Partial
	if span.Type, err = labels.typeOf(s.Type); err != nil {
		return Span{}, err
	}
	if s.Text != nil {
		span.Start, span.End, err = quoted(at, *s.Start, *s.End, *s.Text)
	} else {
		span.Start, span.End, err = at.Bytes(*s.Start, *s.End)
	}
	return span, err
}
