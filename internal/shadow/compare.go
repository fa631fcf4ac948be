package shadow

// Span is a description as far as two architectures can be compared by it. Start and
// End are positions in the text in one unit, whichever; where they are not known both
// are 0, and Text stands for them.
type Span struct {
	Type       string
	Start, End int
	Text       string
}

// Difference is what new's descriptions have that old's have not, and so on.
type Difference struct{ Added, Lost, Changed int }

// alike is the share of the union that two spans must have in common to be one
// description with other bounds, as in the scoring of gold.
const alike = .5

// Compare matches descriptions one to one: those that are the same first, then those
// that overlap enough or have the same text, which have changed. What is left of new's
// was added, what is left of old's lost.
func Compare(old, canary []Span) Difference {
	count := map[Span]int{}
	for _, s := range old {
		count[s]++
	}
	var rest []Span // of new
	for _, s := range canary {
		if count[s] > 0 {
			count[s]--
		} else {
			rest = append(rest, s)
		}
	}
	var left []Span // of old, in its order
	for i := len(old) - 1; i >= 0; i-- {
		if s := old[i]; count[s] > 0 {
			count[s]--
			left = append(left, s)
		}
	}
	d := Difference{Added: len(rest), Lost: len(left)}
	if len(rest)*len(left) > maxComparisons {
		return d // answers without end: what changed among them stays unsaid
	}
	taken := make([]bool, len(left))
	for _, s := range rest {
		best, at := 0., -1
		for i, o := range left {
			if share := overlap(s, o); !taken[i] && share >= alike && share > best {
				best, at = share, i
			}
		}
		if at >= 0 {
			taken[at] = true
			d.Added, d.Lost, d.Changed = d.Added-1, d.Lost-1, d.Changed+1
		}
	}
	return d
}

// maxComparisons keeps two long lists from taking a worker for long.
const maxComparisons = 1 << 20

// overlap is the intersection over the union of two spans, from 0 to 1.
func overlap(a, b Span) float64 {
	if a.Start == 0 && a.End == 0 || b.Start == 0 && b.End == 0 {
		if a.Text != "" && a.Text == b.Text {
			return 1
		}
		return 0
	}
	common := min(a.End, b.End) - max(a.Start, b.Start)
	if common <= 0 {
		return 0
	}
	return float64(common) / float64(max(a.End, b.End)-min(a.Start, b.Start))
}
