package extract

import "math"

// candidate is what a processor proposes as a description.
type candidate struct {
	span
	kind       int     // index in kinds
	confidence float64 // 0..1
}

// processor looks for descriptions in one way. It only reads the block, keeps no
// state between calls, and appends its candidates in the order of the text.
type processor interface {
	name() string
	weight() float64
	find(b *block, found []candidate) ([]candidate, error)
}

// evidence is how much speaks for each type, in the order of kinds.
type evidence [3]float64

var kinds = [3]Type{TypeLocation, TypeCharacter, TypeAtmosphere}

const (
	location = iota
	character
	atmosphere
)

// best returns the type that most speaks for, and how much that is. Ties go to the
// earlier one.
func (e evidence) best() (int, float64) {
	best := 0
	for i := range e {
		if e[i] > e[best] {
			best = i
		}
	}
	return best, e[best]
}

// sigmoid maps a score to a confidence, rounded so that the last bits, in which
// processors of different makes differ, do not show.
func sigmoid(x float64) float64 {
	return math.Round(1e4/(1+math.Exp(-x))) / 1e4
}

// worthReading says whether a sentence has narration enough to describe something.
func worthReading(s *sentence) bool {
	return s.narrated >= 3 && s.speechShare() < 0.5
}

// lexicalEvidence weighs the words of a sentence by type.
func lexicalEvidence(n *counts) evidence {
	var e evidence
	e[location] = n.of(place) + 0.8*n.of(furnish) + 0.7*n.of(nature) + 0.35*n.of(spatial) +
		0.4*n.of(position) + 0.6*n.of(covered) + 0.6*n.of(see)
	people := n.of(person) + n.of(name)
	e[character] = n.of(body) + 0.9*n.of(clothing) + 0.9*n.of(wear) + 0.4*people + 0.2*n.of(third)
	if people+n.of(outward)+n.of(third) > 0 {
		// «высокий», "old" are said of houses as well.
		e[character] += 0.7 * n.of(look)
	}
	e[atmosphere] = 1.2*n.of(atmo) + 0.8*n.of(atmoverb) + 0.6*n.of(mood) + n.of(impersonal) +
		1.2*n.of(smell) + 0.15*n.of(nature)
	return e
}

// neighbourly is the part of a neighbour's evidence that counts for a sentence: a
// paragraph seldom changes its subject with every full stop.
const neighbourly = 0.3

// inContext returns the type that most speaks for each sentence of a block, with a
// look at the sentences beside it, given the evidence of each by itself.
func inContext(own []evidence) []int {
	types := make([]int, len(own))
	for i, e := range own {
		for kind := range e {
			if i > 0 {
				e[kind] += neighbourly * min(own[i-1][kind], 3)
			}
			if i+1 < len(own) {
				e[kind] += neighbourly * min(own[i+1][kind], 3)
			}
		}
		types[i], _ = e.best()
	}
	return types
}

// lift raises the confidence of candidates beside a strong one of the same block:
// descriptions come in runs. The candidates are those of one processor, in order.
func lift(b *block, found []candidate) {
	const strong, share = 0.5, 0.2
	at := 0 // index of the sentence of the candidate before
	previous := 0.0
	for i := range found {
		before := at
		for at < len(b.sentences) && b.sentences[at].start < found[i].start {
			at++
		}
		neighbour := 0.0
		if i > 0 && at == before+1 {
			neighbour = previous
		}
		if i+1 < len(found) && at+1 < len(b.sentences) && b.sentences[at+1].start == found[i+1].start {
			neighbour = max(neighbour, found[i+1].confidence)
		}
		previous = found[i].confidence
		if neighbour >= strong {
			found[i].confidence = min(1, found[i].confidence+share*neighbour*(1-found[i].confidence))
		}
	}
}
