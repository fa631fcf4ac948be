package remote

import (
	"cmp"
	"slices"

	"github.com/nlpcanary/nlpcanary/extract"
)

// spacy speaks [SpaCy].
type spacy struct{ plain }

// SpaCyLabels is the mapping that is used if none is configured.
func SpaCyLabels() map[string]extract.Type {
	return map[string]extract.Type{
		"LOC": extract.TypeLocation, "GPE": extract.TypeLocation, "FAC": extract.TypeLocation,
		"PER": extract.TypeCharacter, "PERSON": extract.TypeCharacter,
	}
}

type spacyDoc struct {
	Text  *string     `json:"text"`
	Ents  []spacySpan `json:"ents"`
	Sents []spacySpan `json:"sents"`
}

type spacySpan struct {
	Start *int   `json:"start"`
	End   *int   `json:"end"`
	Label string `json:"label"`
}

// passage is sentences in which entities of one type stand; in bytes.
type passage struct {
	kind       extract.Type
	start, end int
	entities   []string
}

func (s spacy) answer(doc extract.Document, raw []byte) (extract.Result, error) {
	var d spacyDoc
	if err := decode(raw, &d); err != nil {
		return extract.Result{}, err
	}
	switch {
	case d.Text == nil || d.Ents == nil:
		return extract.Result{}, wrong("it is not a Doc.to_json: text and ents are needed")
	case *d.Text != doc.Text:
		return extract.Result{}, wrong("its text is not the one that was sent, so its offsets are of another")
	}
	at := extract.NewOffsets(doc.Text, s.config.Unit)
	sentences, err := d.sentences(at)
	if err != nil {
		return extract.Result{}, err
	}
	passages, err := s.passages(at, d.Ents, sentences)
	if err != nil {
		return extract.Result{}, err
	}
	// From here on the offsets are ours, in bytes.
	config, a := s.config, plainAnswer{Unit: extract.UnitByte, Descriptions: []plainDescription{}}
	for _, p := range passages {
		a.Descriptions = append(a.Descriptions, plainDescription{Type: p.kind, Start: &p.start, End: &p.end, Entities: p.entities})
	}
	return config.result(doc, a)
}

// sentences are those that the pipeline found, sorted; if it found none, our own.
func (d spacyDoc) sentences(at extract.Offsets) ([][2]int, error) {
	var found [][2]int
	for i, s := range d.Sents {
		if s.Start == nil || s.End == nil {
			return nil, wrong("sentence %d has no start or no end", i+1)
		}
		start, end, err := at.Bytes(*s.Start, *s.End)
		if err != nil {
			continue // a sentence of white space is one to spaCy; no entity stands in it
		}
		found = append(found, [2]int{start, end})
	}
	if len(d.Sents) == 0 {
		for start, end := range extract.Sentences(at.Text()) {
			found = append(found, [2]int{start, end})
		}
	}
	slices.SortFunc(found, func(a, b [2]int) int { return cmp.Compare(a[0], b[0]) })
	return found, nil
}

// passages widens the entities to their sentences, and makes one of those of one type
// that overlap.
func (s spacy) passages(at extract.Offsets, ents []spacySpan, sentences [][2]int) ([]passage, error) {
	var found []passage
	for i, e := range ents {
		kind, mapped := s.config.Labels[e.Label]
		if !mapped {
			continue
		}
		if e.Start == nil || e.End == nil {
			return nil, wrong("entity %d has no start or no end", i+1)
		}
		start, end, err := at.Bytes(*e.Start, *e.End)
		if err != nil {
			return nil, wrong("entity %d: %v", i+1, err)
		}
		p := passage{kind: kind, start: start, end: end, entities: []string{at.Text()[start:end]}}
		// The first sentence that ends behind the entity's start, and the last that begins
		// before its end. Between sentences the entity stands by itself.
		first, _ := slices.BinarySearchFunc(sentences, start+1, func(s [2]int, at int) int { return cmp.Compare(s[1], at) })
		for _, sentence := range sentences[first:] {
			if sentence[0] >= end {
				break
			}
			p.start, p.end = min(p.start, sentence[0]), max(p.end, sentence[1])
		}
		found = append(found, p)
	}
	slices.SortStableFunc(found, func(a, b passage) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.start, b.start))
	})
	var merged []passage
	for _, p := range found {
		last := len(merged) - 1
		if last < 0 || merged[last].kind != p.kind || merged[last].end <= p.start {
			merged = append(merged, p)
			continue
		}
		merged[last].end = max(merged[last].end, p.end)
		for _, name := range p.entities {
			if !slices.Contains(merged[last].entities, name) {
				merged[last].entities = append(merged[last].entities, name)
			}
		}
	}
	return merged, nil
}
