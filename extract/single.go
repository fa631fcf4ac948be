package extract

import (
	"context"
	"fmt"
)

// Single is the old architecture: one rule-based processor that looks at each
// sentence of at least 30 characters by itself, counts keywords of places, people
// and atmosphere, and adds the density of adjectives. It does not tell direct speech
// from narration and does not join sentences.
//
// It is safe for concurrent use.
type Single struct{}

// NewSingle returns the old architecture.
func NewSingle() *Single { return &Single{} }

// Name returns "single".
func (s *Single) Name() string { return "single" }

// Extract finds the descriptions of a document. Its only processor failing is a
// [*FailedError].
func (s *Single) Extract(ctx context.Context, doc Document) (Result, error) {
	language, err := doc.language()
	if err != nil {
		return Result{}, fmt.Errorf("extracting with %s: %w", s.Name(), err)
	}
	return s.extract(ctx, language, streamed(language, doc.Text))
}

// ExtractAnalysed is Extract for a document that has been analysed.
func (s *Single) ExtractAnalysed(ctx context.Context, a *Analysis) (Result, error) {
	return s.extract(ctx, a.Language, a.walk)
}

func (s *Single) extract(ctx context.Context, language Language, walk walk) (Result, error) {
	result := Result{Language: language, Processors: []string{keywords{}.name()}}
	finisher := finisher{sources: result.Processors}
	var (
		proposed []candidate
		passages []elected
	)
	err := walk(ctx, func(b *block) error {
		var err error
		if proposed, err = guarded(keywords{}, b, proposed[:0]); err != nil {
			return &FailedError{Failures: []Failure{{Processor: keywords{}.name(), Reason: err.Error()}}}
		}
		passages = passages[:0]
		for _, c := range proposed {
			passages = append(passages, elected{span: c.span, kind: c.kind, confidence: c.confidence, consensus: 1, sources: 1})
		}
		result.Descriptions = finisher.finish(b, passages, result.Descriptions)
		return nil
	})
	if err != nil {
		return Result{}, fmt.Errorf("extracting with %s: %w", s.Name(), err)
	}
	return result, nil
}

// keywords is the processor of Single.
type keywords struct{}

// shortestSentence is the least that the old architecture looked at, in characters.
const shortestSentence = 30

func (keywords) name() string    { return "keywords" }
func (keywords) weight() float64 { return 1.0 }

func (keywords) find(b *block, found []candidate) ([]candidate, error) {
	for i := range b.sentences {
		s := &b.sentences[i]
		if s.runes < shortestSentence {
			continue
		}
		var n counts
		for _, w := range b.wordsOf(s) {
			n.add(w.class)
		}
		hits := evidence{
			location:   n.of(scene),
			character:  n.of(outward | person | look),
			atmosphere: n.of(air | mood),
		}
		kind, most := hits.best()
		if most == 0 {
			continue
		}
		density := n.of(adjective) / float64(max(1, s.narrated+s.spoken))
		confidence := 0.15*min(most, 4) + 2*min(density, 0.2)
		found = append(found, candidate{s.span, kind, round(confidence)})
	}
	return found, nil
}
