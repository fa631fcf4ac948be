package gold

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/nlpcanary/nlpcanary/extract"
)

// ReadLabelStudio reads an export of Label Studio, JSON or JSON-MIN: a list of tasks
// with a text and labelled regions. The text is data.text (in JSON-MIN, text), and the
// document's lang, style and split are taken from beside it if they are there. A
// region with the label "partial" besides its type is partial.
//
// Offsets are UTF-16 code units, as the browser counts them. Where a region quotes its
// text and that stands there by runes only, as with regions that were imported from
// Python, they are runes. A task with several finished annotations is refused: they
// have to be made one first. Every error is a [*FormatError].
func ReadLabelStudio(file string, raw []byte, labels Labels) ([]Document, error) {
	s := studio{file: file, whole: raw, labels: labels}
	if !utf8.Valid(raw) {
		return nil, wrong(file, 0, fmt.Errorf("is not UTF-8"))
	}
	var any json.RawMessage
	if err := json.Unmarshal(raw, &any); err != nil {
		return nil, wrong(file, s.lineOfSyntax(err), fmt.Errorf("is not JSON: %w", err))
	}
	tasks, err := elements(located{raw, 0})
	if err != nil {
		return nil, wrong(file, 1, fmt.Errorf("is not an export of Label Studio, which is a list of tasks"))
	}
	out := newCollected(file)
	line, at := 1, 0
	for _, task := range tasks {
		line += bytes.Count(raw[at:task.offset], []byte("\n"))
		at = task.offset
		d, err := s.task(task)
		if err != nil {
			return nil, err
		}
		if err := out.add(line, d); err != nil {
			return nil, err
		}
	}
	return out.all()
}

type studio struct {
	file   string
	whole  []byte
	labels Labels
}

type studioRegion struct {
	ID    string `json:"id"`
	Type  string `json:"type"`
	Value *struct {
		studioValue
	} `json:"value"`
	studioValue // JSON-MIN has no "value" around it
}

type studioValue struct {
	Start  json.Number `json:"start"`
	End    json.Number `json:"end"`
	Text   *string     `json:"text"`
	Labels []string    `json:"labels"`
}

func (s studio) task(task located) (Document, error) {
	fields, err := members(task)
	if err != nil {
		return Document{}, s.wrong(task, fmt.Errorf("a task is a JSON object"))
	}
	data := fields
	if inner, full := fields["data"]; full {
		if data, err = members(inner); err != nil {
			return Document{}, s.wrong(inner, fmt.Errorf("data is a JSON object"))
		}
	}
	d := Document{ID: strings.Trim(string(fields["id"].raw), `"`)}
	texts := map[string]*string{"text": &d.Text, "lang": (*string)(&d.Language), "style": &d.Style, "split": (*string)(&d.Split)}
	for _, name := range []string{"text", "lang", "style", "split"} {
		if value, given := data[name]; given && json.Unmarshal(value.raw, texts[name]) != nil {
			return Document{}, s.wrong(value, fmt.Errorf("%s is a text", name))
		}
	}
	if d.Text == "" {
		return Document{}, s.wrong(task, fmt.Errorf("the task has no data.text"))
	}
	regions, err := s.regions(task, fields)
	if err != nil {
		return Document{}, err
	}
	utf16, runes := extract.NewOffsets(d.Text, extract.UnitUTF16), extract.NewOffsets(d.Text, extract.UnitRune)
	for _, region := range regions {
		span, isSpan, err := s.region(region, utf16, runes)
		if err != nil {
			return Document{}, s.wrong(region, err)
		}
		if isSpan {
			d.Spans = append(d.Spans, span)
		}
	}
	return d, nil
}

// regions are those of the task's one annotation.
func (s studio) regions(task located, fields map[string]located) ([]located, error) {
	if labelled, isMin := fields["label"]; isMin {
		regions, err := elements(labelled)
		if err != nil {
			return nil, s.wrong(labelled, fmt.Errorf("label is a list of regions"))
		}
		return regions, nil
	}
	all, given := fields["annotations"]
	if !given {
		return nil, nil
	}
	annotations, err := elements(all)
	if err != nil {
		return nil, s.wrong(all, fmt.Errorf("annotations is a list"))
	}
	var results []located
	for _, one := range annotations {
		of, err := members(one)
		if err != nil {
			return nil, s.wrong(one, fmt.Errorf("an annotation is a JSON object"))
		}
		if string(of["was_cancelled"].raw) == "true" {
			continue
		}
		results = append(results, of["result"])
	}
	switch len(results) {
	case 0:
		return nil, nil
	case 1:
		regions, err := elements(results[0])
		if err != nil {
			return nil, s.wrong(task, fmt.Errorf("an annotation's result is a list"))
		}
		return regions, nil
	}
	return nil, s.wrong(task, fmt.Errorf("the task has %d annotations: decide on one of them first", len(results)))
}

// region reads a labelled region; others, such as choices, are no spans.
func (s studio) region(raw located, utf16, runes extract.Offsets) (Span, bool, error) {
	var r studioRegion
	if err := json.Unmarshal(raw.raw, &r); err != nil {
		return Span{}, false, fmt.Errorf("is not a region: %w", err)
	}
	v := r.studioValue
	if r.Value != nil {
		v = r.Value.studioValue
	}
	if len(v.Labels) == 0 {
		return Span{}, false, nil
	}
	var span Span
	named := slices.DeleteFunc(slices.Clone(v.Labels), func(label string) bool { return strings.EqualFold(label, "partial") })
	span.Partial = len(named) < len(v.Labels)
	if len(named) != 1 {
		return Span{}, false, fmt.Errorf("the region %s has the labels %q: it takes one type, and \"partial\" besides", r.ID, v.Labels)
	}
	var err error
	if span.Type, err = s.labels.typeOf(named[0]); err != nil {
		return Span{}, false, err
	}
	start, errStart := strconv.Atoi(v.Start.String())
	end, errEnd := strconv.Atoi(v.End.String())
	if errStart != nil || errEnd != nil {
		return Span{}, false, fmt.Errorf("the region %s is from %q to %q, which are not whole numbers", r.ID, v.Start, v.End)
	}
	if v.Text == nil {
		span.Start, span.End, err = utf16.Bytes(start, end)
		return span, true, err
	}
	if span.Start, span.End, err = quoted(utf16, start, end, *v.Text); err == nil {
		return span, true, nil
	}
	// Some versions export a line break in a quotation as a backslash and an n.
	unescaped := strings.ReplaceAll(*v.Text, `\n`, "\n")
	for _, at := range []extract.Offsets{utf16, runes} {
		if from, to, again := quoted(at, start, end, unescaped); again == nil {
			span.Start, span.End = from, to
			return span, true, nil
		}
	}
	return span, true, err
}

func (s studio) wrong(at located, err error) error { return wrong(s.file, s.line(at.offset), err) }

func (s studio) line(offset int) int {
	return 1 + bytes.Count(s.whole[:min(offset, len(s.whole))], []byte("\n"))
}

func (s studio) lineOfSyntax(err error) int {
	if syntax, ok := err.(*json.SyntaxError); ok { //nolint:errorlint // Unmarshal returns it as it is
		return s.line(int(syntax.Offset))
	}
	return 0
}

// located is a piece of JSON and where in its file it begins, in bytes.
type located struct {
	raw    []byte
	offset int
}

// elements are those of a JSON array.
func elements(array located) ([]located, error) {
	decoder := json.NewDecoder(bytes.NewReader(array.raw))
	if open, err := decoder.Token(); err != nil || open != json.Delim('[') {
		return nil, fmt.Errorf("is not an array")
	}
	var all []located
	for decoder.More() {
		one, err := array.next(decoder)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, nil
}

// members are those of a JSON object. Of a name that is given twice the last counts.
func members(object located) (map[string]located, error) {
	decoder := json.NewDecoder(bytes.NewReader(object.raw))
	if open, err := decoder.Token(); err != nil || open != json.Delim('{') {
		return nil, fmt.Errorf("is not an object")
	}
	all := map[string]located{}
	for decoder.More() {
		name, err := decoder.Token()
		if err != nil {
			return nil, err
		}
		if all[fmt.Sprint(name)], err = object.next(decoder); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (l located) next(decoder *json.Decoder) (located, error) {
	var raw json.RawMessage
	if err := decoder.Decode(&raw); err != nil {
		return located{}, err
	}
	return located{raw, l.offset + int(decoder.InputOffset()) - len(raw)}, nil
}
