package store

import (
	"testing"

	"github.com/nlpcanary/nlpcanary/outcome"
)

func TestShadows(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		s := d.open(t)
		set := outcome.NewShadowSet()
		put := func(producer string, epoch int64) []outcome.ShadowShipment {
			t.Helper()
			if err := set.Add(outcome.Shadow{Rollout: "nlp", Epoch: epoch, Region: "eu"}); err != nil {
				t.Fatal(err)
			}
			list, err := set.Pending()
			if err != nil {
				t.Fatal(err)
			}
			if err := s.PutShadows(t.Context(), producer, list); err != nil {
				t.Fatal(err)
			}
			return list
		}
		early := put("p1", 1)
		late := put("p1", 1)
		put("p2", 2) // with everything of epoch 1 as well
		for range 2 {
			for _, list := range [][]outcome.ShadowShipment{late, early} {
				if err := s.PutShadows(t.Context(), "p1", list); err != nil {
					t.Fatal(err)
				}
			}
		}
		for epoch, want := range map[int64]int64{0: 5, 1: 4, 2: 1, 3: 0} {
			sum, err := s.Shadows(t.Context(), "nlp", epoch)
			if err != nil || sum.Total().Pairs != want {
				t.Errorf("epoch %d has %d pairs (%v), want %d", epoch, sum.Total().Pairs, err, want)
			}
		}
		if sum, err := s.Shadows(t.Context(), "other", 0); err != nil || sum.Total().Pairs != 0 {
			t.Errorf("another rollout has %d pairs (%v)", sum.Total().Pairs, err)
		}
	})
}
