package extract

import "math"

// features of a sentence, in the order of the names that the processor gives them.
// They are counts of what the sentence holds over the root of its length: a long
// sentence has room for more of everything, but not in proportion.
type features []float64

// per returns how much n matters in a sentence, for counts of words.
func (s *sentence) per(n float64) float64 {
	const most = 6 // of a kind; a list of twelve trees is no more of a description
	return min(n, most) / math.Sqrt(float64(max(s.narrated, 6)))
}

// damped returns how much evidence matters: the second sign less than the first.
func damped(x float64) float64 { return math.Sqrt(min(x, 4)) }

// commonNames name what all processors look at.
var commonNames = []string{"always", "speech", "question"}

// common appends what all processors look at: how much is said and not told.
func (s *sentence) common(f features) features {
	question := 0.0
	if s.tail == '?' {
		question = 1
	}
	return append(f, 1, s.speechShare(), question)
}

// group is a feature that counts the words of some classes.
type group struct {
	name string
	of   classes
}

func namesOfGroups(names []string, groups []group) []string {
	for _, g := range groups {
		names = append(names, g.name)
	}
	return names
}

func (s *sentence) groups(groups []group, f features) features {
	for _, g := range groups {
		f = append(f, s.per(s.counts.of(g.of)))
	}
	return f
}
