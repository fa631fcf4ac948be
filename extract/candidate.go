package extract

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
	weight() float64 // of its vote
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

// judged says whether a sentence has narration enough to describe something, and a
// word that could.
func (s *sentence) judged() bool {
	return s.narrated >= 3 && s.speechShare() < 0.5 && s.lexical != (evidence{})
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
	e[atmosphere] = 1.2*n.of(atmo) + n.of(sky) + 0.8*n.of(atmoverb) + 0.5*n.of(sounder) + 0.6*n.of(mood) + n.of(impersonal) +
		1.2*n.of(smell) + 0.15*n.of(nature)
	return e
}
