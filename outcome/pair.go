package outcome

// Pair is what the two architectures found in one and the same labelled text: a
// document of the gold set. Pairs are outcomes of a kind of their own. No user sent
// the text, so they belong to no cohort and are in no [Tally].
type Pair struct {
	Document string // its id in the gold set
	Old, New Labels
}

// SumPairs adds up both sides. Over the same documents the two sums have the same
// number of descriptions to find: Correct+Missed.
func SumPairs(pairs []Pair) (old, canary Labels) {
	for _, p := range pairs {
		old.Add(p.Old)
		canary.Add(p.New)
	}
	return old, canary
}

// Add adds other counts to these.
func (l *Labels) Add(other Labels) {
	l.Correct += other.Correct
	l.Wrong += other.Wrong
	l.Missed += other.Missed
}
