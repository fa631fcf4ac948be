package remote

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/url"
	"slices"

	"github.com/nlpcanary/nlpcanary/extract"
	"github.com/nlpcanary/nlpcanary/outcome"
)

// plain speaks [PlainJSON].
type plain struct {
	config Config
	at     *url.URL
}

type plainRequest struct {
	ID   string `json:"id"`
	Lang string `json:"lang,omitempty"`
	Text string `json:"text"`
}

type plainAnswer struct {
	Unit         extract.Unit       `json:"unit"`
	Language     extract.Language   `json:"language"`
	Degraded     []string           `json:"degraded"`
	Descriptions []plainDescription `json:"descriptions"`
}

type plainDescription struct {
	Type       extract.Type `json:"type"`
	Start      *int         `json:"start"`
	End        *int         `json:"end"`
	Text       *string      `json:"text"`
	Confidence *float64     `json:"confidence"`
	Priority   *float64     `json:"priority"`
	Quality    *float64     `json:"quality"`
	Consensus  *float64     `json:"consensus"`
	Sources    []string     `json:"sources"`
	Entities   []string     `json:"entities"`
}

func (p plain) target() string { return p.at.String() }
func (p plain) shown() string  { return p.at.Redacted() }
func (p plain) health() string { return "" }

func (p plain) request(doc extract.Document) ([]byte, error) {
	return json.Marshal(plainRequest{doc.ID, string(doc.Language), doc.Text})
}

func (p plain) answer(doc extract.Document, raw []byte) (extract.Result, error) {
	var a plainAnswer
	if err := decode(raw, &a); err != nil {
		return extract.Result{}, err
	}
	if a.Descriptions == nil {
		return extract.Result{}, wrong("it has no descriptions: a text without any gets an empty list")
	}
	for i, d := range a.Descriptions {
		if d.Text == nil {
			return extract.Result{}, wrong("description %d has no text", i+1)
		}
	}
	return p.config.result(doc, a)
}

// decode reads JSON, and says what is wrong with it without quoting it.
func decode(raw []byte, into any) error {
	err := json.Unmarshal(raw, into)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		return wrong("it is not JSON, from byte %d on", syntax.Offset)
	case errors.As(err, &kind):
		return wrong("%s is of the wrong JSON type, at byte %d", cmp.Or(kind.Field, "the whole"), kind.Offset)
	}
	return wrong("it is not JSON")
}

// result checks an answer against the text that it is about.
func (c Config) result(doc extract.Document, a plainAnswer) (extract.Result, error) {
	unit := cmp.Or(a.Unit, c.Unit)
	switch unit {
	case extract.UnitRune, extract.UnitByte, extract.UnitUTF16:
	default:
		return extract.Result{}, wrong("unit is none of rune, byte and utf16")
	}
	if len(a.Descriptions) > outcome.MaxDescriptions {
		return extract.Result{}, wrong("it has %d descriptions, and at most %d are taken", len(a.Descriptions), outcome.MaxDescriptions)
	}
	result := extract.Result{Language: cmp.Or(a.Language, doc.Language), Processors: []string{c.Name}}
	for _, name := range a.Degraded {
		result.Degraded = append(result.Degraded, extract.Failure{Processor: name, Reason: "reported by the service"})
	}
	at := extract.NewOffsets(doc.Text, unit)
	for i, d := range a.Descriptions {
		checked, problem := c.description(at, d)
		if problem != "" {
			return extract.Result{}, wrong("description %d: %s", i+1, problem)
		}
		result.Descriptions = append(result.Descriptions, checked)
	}
	slices.SortStableFunc(result.Descriptions, func(a, b extract.Description) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End))
	})
	return result, nil
}
