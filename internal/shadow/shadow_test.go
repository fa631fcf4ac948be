package shadow_test

import (
	"context"
	"sync/atomic"
	"testing"

	"pgregory.net/rapid"

	"github.com/nlpcanary/nlpcanary/internal/shadow"
)

func TestCompare(t *testing.T) {
	house := shadow.Span{Type: "location", Start: 10, End: 50}
	woman := shadow.Span{Type: "character", Start: 60, End: 100}
	at := func(s shadow.Span, start, end int) shadow.Span { s.Start, s.End = start, end; return s }
	text := func(kind, text string) shadow.Span { return shadow.Span{Type: kind, Text: text} }
	for name, c := range map[string]struct {
		old, new []shadow.Span
		want     shadow.Difference
	}{
		"nothing":                {nil, nil, shadow.Difference{}},
		"the same":               {[]shadow.Span{house, woman}, []shadow.Span{woman, house}, shadow.Difference{}},
		"added":                  {[]shadow.Span{house}, []shadow.Span{house, woman}, shadow.Difference{Added: 1}},
		"lost":                   {[]shadow.Span{house, woman}, []shadow.Span{woman}, shadow.Difference{Lost: 1}},
		"another type":           {[]shadow.Span{house}, []shadow.Span{{Type: "atmosphere", Start: 10, End: 50}}, shadow.Difference{Changed: 1}},
		"other bounds":           {[]shadow.Span{house}, []shadow.Span{at(house, 20, 60)}, shadow.Difference{Changed: 1}},
		"bounds too far":         {[]shadow.Span{house}, []shadow.Span{at(house, 40, 90)}, shadow.Difference{Added: 1, Lost: 1}},
		"split: one has changed": {[]shadow.Span{house}, []shadow.Span{at(house, 10, 40), at(house, 40, 50)}, shadow.Difference{Added: 1, Changed: 1}},
		"twice on old":           {[]shadow.Span{house, house}, []shadow.Span{house}, shadow.Difference{Lost: 1}},
		"by text":                {[]shadow.Span{text("a", "x"), text("a", "y")}, []shadow.Span{text("b", "x"), text("a", "z")}, shadow.Difference{Added: 1, Lost: 1, Changed: 1}},
	} {
		if got := shadow.Compare(c.old, c.new); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// Every description of either side is accounted for once, and to compare the other way
// round swaps what was added and lost where nothing changed.
func TestCompareCountsEverythingOnce(t *testing.T) {
	list := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) shadow.Span {
		start := rapid.IntRange(0, 30).Draw(t, "start")
		return shadow.Span{Type: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "type"), Start: start, End: start + rapid.IntRange(1, 10).Draw(t, "length")}
	}), 0, 12)
	rapid.Check(t, func(t *rapid.T) {
		old, canary := list.Draw(t, "old"), list.Draw(t, "new")
		d, back := shadow.Compare(old, canary), shadow.Compare(canary, old)
		if len(old)-d.Lost != len(canary)-d.Added || min(d.Added, d.Lost, d.Changed) < 0 || d.Changed+d.Lost > len(old) || d.Changed+d.Added > len(canary) {
			t.Fatalf("%+v", d)
		}
		if d.Added+d.Changed != back.Lost+back.Changed {
			t.Fatalf("%+v and back %+v", d, back)
		}
		if same := shadow.Compare(old, old); same != (shadow.Difference{}) {
			t.Fatalf("differs from itself: %+v", same)
		}
	})
}

func TestPoolIsBounded(t *testing.T) {
	p := shadow.NewPool(1, 2, 3)
	var ran atomic.Int64
	started := make(chan struct{}, 10)
	hang := func(ctx context.Context) { started <- struct{}{}; <-ctx.Done(); ran.Add(1) }
	for range 2 {
		if !p.Submit(hang) {
			t.Fatal("no room for the first two")
		}
		<-started
	}
	took := 0
	for range 10 {
		if p.Submit(hang) {
			took++
		}
	}
	if took != 3 {
		t.Errorf("%d wait, want 3", took)
	}
	p.Close()
	if n := ran.Load(); n < 2 || p.Submit(hang) {
		t.Errorf("%d ended; a closed pool must take nothing", n)
	}
}

func TestDraw(t *testing.T) {
	var none *shadow.Pool
	all, never := shadow.NewPool(1, 1, 1), shadow.NewPool(0, 1, 1)
	for range 1000 {
		if none.Draw() || never.Draw() || !all.Draw() {
			t.Fatal("the share does not hold")
		}
	}
	none.Close()
	all.Close()
	never.Close()
}
