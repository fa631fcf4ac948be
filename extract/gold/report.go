package gold

import (
	"context"
	"fmt"
	"time"

	"github.com/nlpcanary/nlpcanary/extract"
)

// Answer is what an architecture made of one document.
type Answer struct {
	Found []extract.Description
	// Err is why there is no answer.
	Err  error
	Took time.Duration
}

// Ask lets an architecture read a document. A panic is an error like others.
func Ask(ctx context.Context, e extract.Extractor, d Document) (a Answer) {
	began := time.Now()
	defer func() {
		a.Took = time.Since(began)
		if r := recover(); r != nil {
			a.Found, a.Err = nil, fmt.Errorf("the architecture panicked: %T", r) // its value may quote the text
		}
	}()
	result, err := e.Extract(ctx, extract.Document{ID: d.ID, Language: d.Language, Text: d.Text})
	return Answer{Found: result.Descriptions, Err: err}
}

// Run is all answers of one architecture, in the order of the documents.
type Run struct {
	Architecture string // its name
	Answers      []Answer
}

// AskAll lets an architecture read all documents, one after the other, and calls read
// after each. It fails only when the context ends.
func AskAll(ctx context.Context, e extract.Extractor, documents []Document, read func()) (Run, error) {
	run := Run{Architecture: e.Name()}
	for _, d := range documents {
		run.Answers = append(run.Answers, Ask(ctx, e, d))
		if err := ctx.Err(); err != nil {
			return Run{}, err
		}
		read()
	}
	return run, nil
}

// Retime lets the architecture read the documents again, over and over until it has
// read for about so long, and keeps the shortest time of each. The first time, loading
// and connecting are counted in, and a fast architecture's times are mostly that.
func (r Run) Retime(ctx context.Context, e extract.Extractor, documents []Document, most time.Duration) {
	var spent time.Duration
	for _, a := range r.Answers {
		spent += a.Took
	}
	for spent < most && len(documents) > 0 && ctx.Err() == nil {
		for i, d := range documents {
			again := Ask(ctx, e, d)
			spent += max(again.Took, time.Microsecond) // so that this ends
			if again.Err == nil {
				r.Answers[i].Took = min(r.Answers[i].Took, again.Took)
			}
		}
	}
}

// Report is how architectures compare on a gold set.
type Report struct {
	Documents  int `json:"documents"`
	Spans      int `json:"spans"`         // that are not partial
	Partial    int `json:"partial_spans"` // see the package's documentation
	Characters int `json:"characters"`
	// Architectures in the order of the runs.
	Architectures []ArchitectureReport `json:"architectures"`
	// Differences of each further architecture from the first.
	Differences []DifferenceReport `json:"differences"`
}

// ArchitectureReport is one architecture's scores, by the name of the measure: spans,
// strict, partial, characters, sentences; and the measure spans of a part of the gold:
// type:location, language:ru, style:landscape.
type ArchitectureReport struct {
	Architecture string           `json:"architecture"`
	Scores       map[string]Score `json:"scores"`
	// Failed is how many documents it failed on; FirstFailure is why.
	Failed       int    `json:"failed"`
	FirstFailure string `json:"first_failure,omitempty"`
	// CharactersPerSecond over the documents that it did not fail on, one at a time.
	CharactersPerSecond *float64 `json:"characters_per_second"`
}

// DifferenceReport is what changes from one architecture to another, by measure.
type DifferenceReport struct {
	From   string                `json:"from"`
	To     string                `json:"to"`
	Scores map[string]Difference `json:"scores"`
}

// The names of the measures.
const (
	MeasureSpans      = "spans"
	MeasureStrict     = "strict"
	MeasurePartial    = "partial"
	MeasureCharacters = "characters"
	MeasureSentences  = "sentences"

	// PrefixType, PrefixLanguage and PrefixStyle begin the names of the parts.
	PrefixType     = "type:"
	PrefixLanguage = "language:"
	PrefixStyle    = "style:"
)
