package remote

import (
	"fmt"
	"net/url"

	"github.com/nlpcanary/nlpcanary/extract"
)

// Protocol is a way to speak to a service.
type Protocol string

const (
	// PlainJSON posts {"id", "lang", "text"} and expects
	//
	//	{"unit": "rune", "language": "ru", "degraded": ["…"], "descriptions": [
	//	  {"type": "location", "start": 0, "end": 12, "text": "…", "confidence": 0.9,
	//	   "priority": 90, "quality": 7, "consensus": 1, "sources": ["…"], "entities": ["…"]}]}
	//
	// of which descriptions, and of each type, start, end and text, are needed.
	PlainJSON Protocol = "json"
	// OpenInference posts to /v2/models/{model}/infer the BYTES inputs "text" and
	// "lang", each of shape [1], and expects one of
	//
	//   - a BYTES output "descriptions" of shape [1] that holds PlainJSON's answer;
	//   - the outputs "type" (BYTES), "start" and "end" (any integer type), and
	//     optionally "confidence" (FP32, FP64) and "text" (BYTES), all of one length.
	OpenInference Protocol = "v2"
	// SpaCy posts what PlainJSON does and expects spaCy's Doc.to_json: text, ents and, if
	// the pipeline sets them, sents. An entity is widened to its sentence; several of one
	// type in the same sentence are one description.
	SpaCy Protocol = "spacy"
)

// Protocols are all of them.
func Protocols() []Protocol { return []Protocol{PlainJSON, OpenInference, SpaCy} }

// speaker is a protocol towards one service.
type speaker interface {
	target() string // URL that is posted to
	shown() string  // the same, without a password
	health() string // URL to probe if none is configured; may be empty
	request(doc extract.Document) ([]byte, error)
	answer(doc extract.Document, raw []byte) (extract.Result, error)
}

func (c Config) speaker(at *url.URL) (speaker, error) {
	switch c.Protocol {
	case PlainJSON:
		return plain{c, at}, nil
	case SpaCy:
		return spacy{plain{c, at}}, nil
	case OpenInference:
		if c.Model == "" {
			return nil, fmt.Errorf("the protocol %s needs the name of a model", OpenInference)
		}
		return inference{plain{c, at.JoinPath("v2", "models", c.Model, "infer")}, at}, nil
	}
	return nil, fmt.Errorf("%q is not a protocol: they are json, v2 and spacy", c.Protocol)
}
