package outcome_test

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

func drawShadow(t *rapid.T) outcome.Shadow {
	half := func(name string) outcome.Half {
		h := outcome.Half{Time: time.Duration(rapid.Int64Range(0, int64(outcome.MaxTime)).Draw(t, name+" time")), Descriptions: rapid.IntRange(0, 50).Draw(t, name+" descriptions")}
		switch rapid.IntRange(0, 5).Draw(t, name+" end") {
		case 0:
			h.Error = true
		case 1:
			h.Timeout = true
		}
		return h
	}
	p := outcome.Shadow{Rollout: "nlp", Epoch: rapid.Int64Range(1, 2).Draw(t, "epoch"), Region: "eu", Old: half("old"), New: half("new"), Compared: rapid.Bool().Draw(t, "compared"), Added: rapid.IntRange(0, 5).Draw(t, "added")}
	p.UserKey[0] = rapid.Byte().Draw(t, "user")
	return p
}

// However pairs are spread over producers, their merged sums are the same, and survive
// being stored.
func TestShadowsAddUpInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOf(rapid.Custom(drawShadow)).Draw(t, "pairs")
		one, many := outcome.NewShadowSet(), []*outcome.ShadowSet{outcome.NewShadowSet(), outcome.NewShadowSet()}
		for i, p := range all {
			if err := errors.Join(one.Add(p), many[i%2].Add(p)); err != nil {
				t.Fatal(err)
			}
		}
		sum := func(sets ...*outcome.ShadowSet) map[outcome.ShadowKey]outcome.Shadows {
			merged := map[outcome.ShadowKey]outcome.Shadows{}
			for _, set := range sets {
				list, err := set.Pending()
				if err != nil {
					t.Fatal(err)
				}
				for _, shipment := range list {
					var pairs outcome.Shadows
					if err := pairs.UnmarshalBinary(shipment.Data); err != nil {
						t.Fatal(err)
					}
					before := merged[shipment.Key]
					before.Merge(&pairs)
					merged[shipment.Key] = before
				}
			}
			return merged
		}
		a, b := sum(one), sum(many...)
		if len(a) != len(b) {
			t.Fatalf("%d sums, want %d", len(b), len(a))
		}
		n := int64(0)
		for key, pairs := range a {
			if pairs != b[key] {
				t.Fatalf("%+v differs", key)
			}
			n += pairs.Total().Pairs
		}
		if n != int64(len(all)) {
			t.Fatalf("%d pairs, want %d", n, len(all))
		}
	})
}

func TestShadowsAreShippedUntilStored(t *testing.T) {
	set := outcome.NewShadowSet()
	add := func(epoch int64) {
		if err := set.Add(outcome.Shadow{Rollout: "nlp", Epoch: epoch, New: outcome.Half{Error: true}}); err != nil {
			t.Fatal(err)
		}
	}
	pending := func() []outcome.ShadowShipment {
		list, err := set.Pending()
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	add(1)
	first := pending()
	add(1)
	set.Acknowledge(first)
	if list := pending(); len(list) != 1 || list[0].Seq != 2 {
		t.Fatalf("pending %+v, want the second version", list)
	}
	set.Acknowledge(pending())
	if list := pending(); len(list) != 0 {
		t.Errorf("pending %+v after all was stored", list)
	}
	add(2)
	if list := pending(); len(list) != 1 || list[0].Key.Epoch != 2 {
		t.Errorf("pending %+v, want epoch 2", list)
	}
}

func TestShadowsThatCannotBe(t *testing.T) {
	for name, p := range map[string]outcome.Shadow{
		"no rollout":   {Epoch: 1},
		"no epoch":     {Rollout: "nlp"},
		"both":         {Rollout: "nlp", Epoch: 1, New: outcome.Half{Error: true, Timeout: true}},
		"negative":     {Rollout: "nlp", Epoch: 1, Lost: -1},
		"a long day":   {Rollout: "nlp", Epoch: 1, Old: outcome.Half{Time: 24 * time.Hour}},
		"a long name":  {Rollout: string(make([]byte, 65)), Epoch: 1},
		"a far region": {Rollout: "nlp", Epoch: 1, Region: rollout.Region(make([]byte, 65))},
	} {
		var invalid *outcome.InvalidError
		if err := outcome.NewShadowSet().Add(p); !errors.As(err, &invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzShadows(f *testing.F) {
	set := outcome.NewShadowSet()
	if err := set.Add(outcome.Shadow{Rollout: "nlp", Epoch: 1, Compared: true, Added: 3, New: outcome.Half{Time: time.Second}}); err != nil {
		f.Fatal(err)
	}
	list, err := set.Pending()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(list[0].Data)
	f.Add([]byte{1, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		var p outcome.Shadows
		if err := p.UnmarshalBinary(data); err != nil {
			if !errors.Is(err, outcome.ErrCorrupt) {
				t.Fatalf("%v", err)
			}
			return
		}
		again, err := p.MarshalBinary()
		if err != nil || string(again) != string(data) {
			t.Fatalf("%x was read and is written as %x (%v)", data, again, err)
		}
	})
}
