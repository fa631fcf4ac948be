package gold

import (
	"cmp"
	"slices"
)

// extent is a span in runes, end exclusive.
type extent struct{ start, end int }

func (e extent) length() int { return max(0, e.end-e.start) }

func (e extent) common(other extent) int {
	return max(0, min(e.end, other.end)-max(e.start, other.start))
}

// alike says whether two spans overlap in at least half of what they cover together:
// intersection over union at or above 0.5.
func alike(a, b extent) bool {
	common := a.common(b)
	return common > 0 && 2*common >= a.length()+b.length()-common
}

func same(a, b extent) bool { return a == b }

func touching(a, b extent) bool { return a.common(b) > 0 }

// matching pairs gold spans with found spans of one type, each with at most one.
type matching struct {
	// byFound is, for each found span, the gold span it is paired with, or unpaired.
	byFound []int
	edges   [][]int // for each gold span, the found spans that it may be paired with
	visited []int   // for each found span, the search that saw it last
	search  int
}

const unpaired = -1

// match pairs as many as possible: first of the whole spans, then of the partial ones
// among what that leaves. It is Kuhn's algorithm of augmenting paths, which finds a
// largest matching whatever the order of the spans; a greedy one can lose pairs where
// spans overlap. A search that begins at a partial span may move the partners of whole
// spans but never takes one away, so both numbers are the largest possible.
//
// It returns how many whole spans were paired and how many found spans a partial one
// excuses. The found spans are sorted by start.
func match(whole, partial, found []extent, fits, excuses func(gold, found extent) bool) (correct, excused int) {
	m := &matching{byFound: make([]int, len(found)), visited: make([]int, len(found))}
	for i := range m.byFound {
		m.byFound[i] = unpaired
	}
	longest := 0
	for _, f := range found {
		longest = max(longest, f.length())
	}
	connect := func(gold extent, fits func(gold, found extent) bool) {
		var edges []int
		// What begins earlier than the longest span's length before it cannot reach it.
		from, _ := slices.BinarySearchFunc(found, gold.start-longest, func(f extent, at int) int { return cmp.Compare(f.start, at) })
		for i := from; i < len(found) && found[i].start < gold.end; i++ {
			if fits(gold, found[i]) {
				edges = append(edges, i)
			}
		}
		m.edges = append(m.edges, edges)
	}
	for _, g := range whole {
		connect(g, fits)
		correct += m.augment(len(m.edges) - 1)
	}
	for _, g := range partial {
		connect(g, excuses)
		excused += m.augment(len(m.edges) - 1)
	}
	return correct, excused
}

// augment looks for a partner for a gold span, where need be by finding other
// partners for those that have theirs. It returns 1 if it found one, else 0.
func (m *matching) augment(gold int) int {
	m.search++
	if m.try(gold) {
		return 1
	}
	return 0
}

func (m *matching) try(gold int) bool {
	for _, f := range m.edges[gold] {
		if m.visited[f] == m.search {
			continue
		}
		m.visited[f] = m.search
		if m.byFound[f] == unpaired || m.try(m.byFound[f]) {
			m.byFound[f] = gold
			return true
		}
	}
	return false
}
