package extract

import "context"

// Type says what a description lets the reader see.
type Type string

// The types of descriptions. The extractors of this package find the first three;
// the optional ones exist for services that tell them apart.
const (
	TypeLocation   Type = "location"
	TypeCharacter  Type = "character"
	TypeAtmosphere Type = "atmosphere"
	TypeObject     Type = "object"
	TypeAction     Type = "action"
)

// Description is a passage that lets the reader see something.
type Description struct {
	// Type of what is seen.
	Type Type
	// Start and End are byte offsets into the text: Text[Start:End] == Content.
	Start, End int
	// Content is the passage as it stands in the text, line breaks included.
	Content string
	// Context is the passage with the sentence before and after it, where they are
	// in the same paragraph, each shortened to at most 300 bytes.
	Context string
	// Confidence that this is a description of this type, 0..1.
	Confidence float64
	// Priority for whoever illustrates or indexes descriptions: a base by type plus
	// bonuses for confidence and for a handy length; 30..110, higher is sooner.
	Priority float64
	// Quality of the passage, 1..10.
	Quality float64
	// Sources names the processors that voted for the passage, sorted.
	Sources []string
	// Consensus is the share of the weight of all processors that ran which voted
	// for the passage, 0..1.
	Consensus float64
	// Entities are the names in the passage, in order, each once.
	Entities []string
}

// Result is what an extractor found in one document.
type Result struct {
	// Descriptions sorted by Start. Empty when there are none. Those of this package's
	// architectures do not overlap; those of a remote service may.
	Descriptions []Description
	// Language the text was read in; empty if the text has no letters.
	Language Language
	// Degraded names the processors that failed; empty in good health.
	Degraded []Failure
	// Processors names those whose results count, sorted.
	Processors []string
}

// Extractor finds the descriptions of a document.
//
// Implementations are safe for concurrent use, return an error that wraps the
// context's when it is cancelled, and never an empty result instead of a failure.
type Extractor interface {
	// Name of the architecture, such as "single".
	Name() string
	// Extract reads the whole document or fails.
	Extract(ctx context.Context, doc Document) (Result, error)
}
