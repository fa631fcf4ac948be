package gold

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func extents() *rapid.Generator[[]extent] {
	one := rapid.Custom(func(t *rapid.T) extent {
		start := rapid.IntRange(0, 12).Draw(t, "start")
		return extent{start, start + rapid.IntRange(1, 8).Draw(t, "length")}
	})
	return rapid.Map(rapid.SliceOfN(one, 0, 5), func(spans []extent) []extent {
		slices.SortFunc(spans, byStart)
		return spans
	})
}

// bruteForce tries every pairing. It returns the best by whole spans, and by partial
// ones among those.
func bruteForce(whole, partial, found []extent, fits func(gold, found extent) bool) (correct, excused int) {
	used := make([]bool, len(found))
	var try func(i, c, e int)
	try = func(i, c, e int) {
		if i == len(whole)+len(partial) {
			if c > correct || c == correct && e > excused {
				correct, excused = c, e
			}
			return
		}
		try(i+1, c, e)
		for f := range found {
			var g extent
			isWhole := i < len(whole)
			if isWhole {
				g = whole[i]
			} else {
				g = partial[i-len(whole)]
			}
			if used[f] || !fits(g, found[f]) {
				continue
			}
			used[f] = true
			if isWhole {
				try(i+1, c+1, e)
			} else {
				try(i+1, c, e+1)
			}
			used[f] = false
		}
	}
	try(0, 0, 0)
	return correct, excused
}

func TestMatchIsTheBest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole, partial, found := extents().Draw(t, "whole"), extents().Draw(t, "partial"), extents().Draw(t, "found")
		for name, fits := range map[string]func(a, b extent) bool{"alike": alike, "touching": touching, "same": same} {
			correct, excused := match(whole, partial, found, fits, fits)
			wantCorrect, wantExcused := bruteForce(whole, partial, found, fits)
			if correct != wantCorrect || excused != wantExcused {
				t.Fatalf("%s: %d correct and %d excused, want %d and %d", name, correct, excused, wantCorrect, wantExcused)
			}
		}
	})
}

// The first gold span could take either found one, the second only the first: a greedy
// pairing finds one pair.
func TestMatchIsNotGreedy(t *testing.T) {
	whole := []extent{{0, 10}, {0, 6}}
	found := []extent{{0, 7}, {0, 12}}
	if correct, _ := match(whole, nil, found, alike, alike); correct != 2 {
		t.Errorf("%d pairs, want 2", correct)
	}
}

func TestAlike(t *testing.T) {
	cases := []struct {
		a, b extent
		want bool
	}{
		{extent{0, 10}, extent{0, 10}, true},
		{extent{0, 10}, extent{0, 5}, true}, // exactly a half
		{extent{0, 10}, extent{0, 4}, false},
		{extent{0, 20}, extent{5, 25}, true}, // 15 of 25
		{extent{0, 10}, extent{5, 15}, false},
		{extent{0, 10}, extent{10, 20}, false},
		{extent{5, 5}, extent{5, 5}, false}, // nothing is like nothing
	}
	for _, c := range cases {
		if got := alike(c.a, c.b); got != c.want {
			t.Errorf("%v and %v: %v", c.a, c.b, got)
		}
	}
}

func TestExtents(t *testing.T) {
	covers := func(spans []extent, i int) bool {
		return slices.ContainsFunc(spans, func(s extent) bool { return s.start <= i && i < s.end })
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := extents().Draw(t, "a"), extents().Draw(t, "b")
		inA, inBoth := 0, 0
		for i := range 32 {
			if covers(a, i) {
				inA++
				if covers(b, i) {
					inBoth++
				}
			}
		}
		if got := total(united(a)); got != inA {
			t.Fatalf("the union covers %d, want %d", got, inA)
		}
		if got := shared(united(a), united(b)); got != inBoth {
			t.Fatalf("%d shared, want %d", got, inBoth)
		}
		sum := 0
		for _, n := range coverage(united(a), united(b)) {
			sum += n
		}
		if sum != inBoth {
			t.Fatalf("%d covered, want %d", sum, inBoth)
		}
	})
}
