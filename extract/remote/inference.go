package remote

import (
	"encoding/json"
	"net/url"

	"github.com/nlpcanary/nlpcanary/extract"
)

// inference speaks [OpenInference].
type inference struct {
	plain
	base *url.URL
}

type tensor struct {
	Name     string          `json:"name"`
	Shape    []int           `json:"shape"`
	Datatype string          `json:"datatype"`
	Data     json.RawMessage `json:"data"`
}

type inferenceRequest struct {
	ID     string         `json:"id,omitempty"`
	Inputs []stringTensor `json:"inputs"`
}

type stringTensor struct {
	Name     string   `json:"name"`
	Shape    []int    `json:"shape"`
	Datatype string   `json:"datatype"`
	Data     []string `json:"data"`
}

type inferenceAnswer struct {
	Outputs []tensor `json:"outputs"`
}

func (i inference) health() string { return i.base.JoinPath("v2", "health", "ready").String() }

func (i inference) request(doc extract.Document) ([]byte, error) {
	input := func(name, value string) stringTensor { return stringTensor{name, []int{1}, "BYTES", []string{value}} }
	return json.Marshal(inferenceRequest{doc.ID, []stringTensor{input("text", doc.Text), input("lang", string(doc.Language))}})
}

func (i inference) answer(doc extract.Document, raw []byte) (extract.Result, error) {
	var a inferenceAnswer
	if err := decode(raw, &a); err != nil {
		return extract.Result{}, err
	}
	outputs := map[string]tensor{}
	for _, t := range a.Outputs {
		outputs[t.Name] = t
	}
	if whole, given := outputs["descriptions"]; given {
		var data []string
		if err := whole.read("BYTES", &data); err != nil {
			return extract.Result{}, err
		}
		if len(data) != 1 {
			return extract.Result{}, wrong("the output descriptions has %d elements and not 1", len(data))
		}
		return i.plain.answer(doc, []byte(data[0]))
	}
	columns, err := columnsOf(outputs)
	if err != nil {
		return extract.Result{}, err
	}
	return i.config.result(doc, plainAnswer{Descriptions: columns})
}

// columnsOf turns tensors side by side into descriptions.
func columnsOf(outputs map[string]tensor) ([]plainDescription, error) {
	var (
		types, texts []string
		starts, ends []int
		confidences  []float64
	)
	for _, column := range []struct {
		name, datatype string
		needed         bool
		into           any
		length         func() int
	}{
		{"type", "BYTES", true, &types, func() int { return len(types) }},
		{"start", "INT", true, &starts, func() int { return len(starts) }},
		{"end", "INT", true, &ends, func() int { return len(ends) }},
		{"text", "BYTES", false, &texts, func() int { return len(texts) }},
		{"confidence", "FP", false, &confidences, func() int { return len(confidences) }},
	} {
		t, given := outputs[column.name]
		if !given {
			if column.needed {
				return nil, wrong("it has neither an output descriptions nor one %s", column.name)
			}
			continue
		}
		if err := t.read(column.datatype, column.into); err != nil {
			return nil, err
		}
		if column.length() != len(types) {
			return nil, wrong("the output %s has %d elements, and type has %d", column.name, column.length(), len(types))
		}
	}
	found := make([]plainDescription, len(types))
	for i := range found {
		found[i] = plainDescription{Type: extract.Type(types[i]), Start: &starts[i], End: &ends[i]}
		if texts != nil {
			found[i].Text = &texts[i]
		}
		if confidences != nil {
			found[i].Confidence = &confidences[i]
		}
	}
	return found, nil
}

// read takes a tensor's data, whose kind is BYTES, INT (any of the integer types) or
// FP (any of the floating-point types). Its elements have to be as many as its shape
// says.
func (t tensor) read(kind string, into any) error {
	kinds := map[string]string{
		"BYTES": "BYTES", "FP16": "FP", "FP32": "FP", "FP64": "FP",
		"INT8": "INT", "INT16": "INT", "INT32": "INT", "INT64": "INT",
		"UINT8": "INT", "UINT16": "INT", "UINT32": "INT", "UINT64": "INT",
	}
	if kinds[t.Datatype] != kind {
		return wrong("the output %s is not of a %s type", t.Name, kind)
	}
	if err := decode(t.Data, into); err != nil {
		return wrong("the data of the output %s cannot be read", t.Name)
	}
	elements := 0
	switch data := into.(type) {
	case *[]string:
		elements = len(*data)
	case *[]int:
		elements = len(*data)
	case *[]float64:
		elements = len(*data)
	}
	product := 1
	for _, n := range t.Shape {
		if n < 0 || n > elements {
			return wrong("the output %s has %d elements, and its shape says otherwise", t.Name, elements)
		}
		product *= n
		if product > elements {
			break
		}
	}
	if product != elements {
		return wrong("the output %s has %d elements, and its shape says otherwise", t.Name, elements)
	}
	return nil
}
