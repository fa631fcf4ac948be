package evidence_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/evidence"
	"github.com/nlpcanary/nlpcanary/outcome"
)

// shadows draws pairs of which new fails with the given probability, and old never.
func shadows(t *testing.T, r *rand.Rand, n int, fails float64) *outcome.Shadows {
	t.Helper()
	set := outcome.NewShadowSet()
	for range n {
		p := outcome.Shadow{Rollout: "nlp", Epoch: 1, Compared: true, New: outcome.Half{Error: r.Float64() < fails}}
		p.UserKey[0] = byte(r.IntN(256))
		// Requests differ much, and new takes 10 ms longer on each, give or take.
		p.Old.Time = time.Duration(r.ExpFloat64() * float64(time.Second))
		p.New.Time = p.Old.Time + time.Duration((10+r.NormFloat64())*float64(time.Millisecond))
		p.Old.Descriptions, p.New.Descriptions = 2, 3
		if err := set.Add(p); err != nil {
			t.Fatal(err)
		}
	}
	list, err := set.Pending()
	if err != nil {
		t.Fatal(err)
	}
	s := new(outcome.Shadows)
	if len(list) > 0 {
		if err := s.UnmarshalBinary(list[0].Data); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestShadowOfNothing(t *testing.T) {
	if s := evidence.Shadow(new(outcome.Shadows), .05); s.Errors != nil || s.Time != nil || s.Sums.Pairs != 0 {
		t.Errorf("%+v", s)
	}
}

// A difference that requests which differ much would hide shows in pairs, and few pairs
// have no bounds.
func TestShadowSeesSmallDifferences(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	s := evidence.Shadow(shadows(t, r, 2000, .1), .05)
	if i := s.Time.Difference; math.Abs(i.Estimate-10) > .5 || i.Low < 9 || i.High > 11 {
		t.Errorf("time %+v, want 10 ms within a millisecond", i)
	}
	if i := s.Errors.Difference; math.Abs(i.Estimate-.1) > .03 || i.Low <= 0 {
		t.Errorf("errors %+v, want .1, proven above 0", i)
	}
	if d := s.Descriptions; d.Old != 2 || d.New != 3 || d.Difference.Estimate != 1 {
		t.Errorf("descriptions %+v", d)
	}
	few := evidence.Shadow(shadows(t, r, 50, .1), .05)
	if i := few.Time.Difference; !math.IsInf(i.Low, -1) || !math.IsInf(i.High, 1) {
		t.Errorf("50 pairs have bounds: %+v", i)
	}
}

// Without a difference the interval leaves zero out in at most 5 % of the cases, however
// often it is looked at.
func TestShadowIsSeldomWrong(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const runs = 100
	wrong := 0
	for range runs {
		set := outcome.NewShadowSet()
		missed := false
		for i := range 1500 {
			p := outcome.Shadow{Rollout: "nlp", Epoch: 1}
			p.UserKey[0] = byte(r.IntN(256))
			p.Old.Time, p.New.Time = time.Duration(r.ExpFloat64()*1e9), time.Duration(r.ExpFloat64()*1e9)
			if err := set.Add(p); err != nil {
				t.Fatal(err)
			}
			if i%100 != 99 {
				continue
			}
			list, err := set.Pending()
			if err != nil {
				t.Fatal(err)
			}
			s := new(outcome.Shadows)
			if err := s.UnmarshalBinary(list[0].Data); err != nil {
				t.Fatal(err)
			}
			d := evidence.Shadow(s, .05).Time.Difference
			missed = missed || d.Low > 0 || d.High < 0
		}
		if missed {
			wrong++
		}
	}
	if wrong > 9 { // 5 % and two standard errors
		t.Errorf("wrong in %d of %d runs", wrong, runs)
	}
}
