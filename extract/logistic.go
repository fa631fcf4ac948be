package extract

import (
	_ "embed" // for the weights
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"sync"
)

// learned is a processor that weighs features.
type learned interface {
	processor
	featureNames() []string
	// features appends those of sentence i of the block.
	features(b *block, i int, f features) features
}

// model says how much each feature speaks for each kind of description, against none.
type model [][len(kinds)]float64

// judge appends what a processor makes of each sentence of a block.
func judge(p learned, b *block, found []candidate) ([]candidate, error) {
	m, err := modelOf(p)
	if err != nil {
		return nil, err
	}
	var f features
	for i := range b.sentences {
		s := &b.sentences[i]
		if !s.judged() {
			continue
		}
		f = p.features(b, i, f[:0])
		kind, confidence := m.weigh(f)
		found = append(found, candidate{s.span, kind, confidence})
	}
	return found, nil
}

// weigh returns the likeliest kind and how likely it is, by multinomial logistic
// regression with no description as the reference.
func (m model) weigh(f features) (kind int, confidence float64) {
	var score evidence
	for i, x := range f {
		if x == 0 {
			continue
		}
		for k, w := range &m[i] {
			score[k] += w * x
		}
	}
	return score.likeliest()
}

// likeliest turns scores against none, whose score is 0, into a probability. It is
// rounded so that the last bits, in which processors of different makes differ, do
// not show.
func (e evidence) likeliest() (kind int, confidence float64) {
	kind, best := e.best()
	highest := max(best, 0)
	sum := math.Exp(-highest)
	for _, x := range e {
		sum += math.Exp(x - highest)
	}
	return kind, round(math.Exp(best-highest) / sum)
}

//go:generate go run ./gold/train -o weights.json

// weightsJSON is written by extract/gold/train.
//
//go:embed weights.json
var weightsJSON []byte

// Weights are what the processors of the ensemble have learned: by processor, then by
// feature, how much it speaks for each type of description.
type Weights map[string]map[string]map[Type]float64

var models = sync.OnceValues(func() (map[string]model, error) {
	var weights Weights
	if err := json.Unmarshal(weightsJSON, &weights); err != nil {
		return nil, fmt.Errorf("reading the weights: %w", err)
	}
	found := map[string]model{}
	for _, p := range learnedProcessors {
		m, err := weights.model(p)
		if err != nil {
			return nil, err
		}
		found[p.name()] = m
	}
	return found, nil
})

var learnedProcessors = []learned{density{}, gazetteer{}, constructions{}}

// model returns the weights of a processor in the order of its features. A feature
// without weights, or a weight without its feature, means that the processor was
// changed and not trained anew.
func (w Weights) model(p learned) (model, error) {
	names := p.featureNames()
	m := make(model, len(names))
	for i, name := range names {
		byType, known := w[p.name()][name]
		if !known {
			return nil, fmt.Errorf("the weights of %s have none for %s: train again", p.name(), name)
		}
		for k, kind := range kinds {
			m[i][k] = byType[kind]
		}
	}
	for name := range w[p.name()] {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("the weights of %s have one for %s, which is no feature: train again", p.name(), name)
		}
	}
	return m, nil
}

func modelOf(p learned) (model, error) {
	found, err := models()
	if err != nil {
		return nil, err
	}
	return found[p.name()], nil
}
