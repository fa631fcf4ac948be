package gold

import "slices"

// united merges overlapping spans. The result is sorted and disjoint.
func united(spans []extent) []extent {
	sorted := slices.SortedFunc(slices.Values(spans), byStart)
	var merged []extent
	for _, s := range sorted {
		if last := len(merged) - 1; last >= 0 && s.start <= merged[last].end {
			merged[last].end = max(merged[last].end, s.end)
			continue
		}
		merged = append(merged, s)
	}
	return merged
}

func total(disjoint []extent) int {
	sum := 0
	for _, s := range disjoint {
		sum += s.length()
	}
	return sum
}

// shared is how many runes two sorted lists of disjoint spans have in common.
func shared(a, b []extent) int {
	sum := 0
	for len(a) > 0 && len(b) > 0 {
		sum += a[0].common(b[0])
		if a[0].end <= b[0].end {
			a = a[1:]
		} else {
			b = b[1:]
		}
	}
	return sum
}

// coverage is, for each of some sorted, disjoint spans, how many runes of it others cover.
func coverage(of, by []extent) []int {
	covered := make([]int, len(of))
	for i, s := range of {
		for len(by) > 0 && by[0].end <= s.start {
			by = by[1:]
		}
		for _, b := range by {
			if b.start >= s.end {
				break
			}
			covered[i] += s.common(b)
		}
	}
	return covered
}
