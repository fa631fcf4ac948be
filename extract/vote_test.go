package extract

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

var unexported = cmp.AllowUnexported(elected{}, span{})

func ballot(processor, start, end, kind int, confidence float64) vote {
	return vote{candidate{span{start, end}, kind, confidence}, processor}
}

func TestElect(t *testing.T) {
	// The weights of density, gazetteer and constructions.
	weights := []float64{1.0, 1.2, 0.8}
	const d, g, c = 0, 1, 2
	tests := []struct {
		name  string
		votes []vote
		want  []elected
	}{
		{"nobody", nil, nil},
		{"the heaviest alone is not enough", []vote{ballot(g, 0, 100, location, 1)}, nil},
		{
			"the lightest two reach 0.6 exactly",
			[]vote{ballot(d, 0, 100, location, 0.5), ballot(c, 0, 100, location, 0.5)},
			[]elected{{span{0, 100}, location, 0.5, 0.6, 0b101}},
		},
		{
			"all agree",
			[]vote{ballot(d, 0, 100, character, 0.9), ballot(g, 0, 100, character, 0.6), ballot(c, 0, 100, character, 0.3001)},
			[]elected{{span{0, 100}, character, 1.86008 / 3, 1, 0b111}},
		},
		{
			"a vote at the cut does not count",
			[]vote{ballot(d, 0, 100, location, 0.9), ballot(c, 0, 100, location, 0.3)},
			nil,
		},
		{
			"the type has the most weight times confidence",
			[]vote{ballot(d, 0, 100, atmosphere, 0.5), ballot(g, 0, 100, location, 0.8), ballot(c, 0, 100, atmosphere, 0.5)},
			[]elected{{span{0, 100}, location, 0.62, 1, 0b111}},
		},
		{
			"a processor votes once",
			[]vote{ballot(g, 0, 100, location, 0.5), ballot(g, 0, 90, location, 0.9)},
			nil,
		},
		{
			"half an overlap is the same passage, that of the strongest",
			[]vote{ballot(d, 0, 100, location, 0.9), ballot(g, 0, 50, location, 0.5)},
			[]elected{{span{0, 100}, location, 1.5 / 2.2, 2.2 / 3, 0b011}},
		},
		{
			"less is another passage",
			[]vote{ballot(d, 0, 100, location, 0.9), ballot(g, 0, 49, location, 0.9)},
			nil,
		},
		{
			"winners do not overlap: the higher consensus stays",
			[]vote{
				ballot(d, 0, 100, location, 0.9), ballot(c, 0, 100, location, 0.9),
				ballot(d, 80, 200, location, 0.9), ballot(g, 80, 200, location, 0.9),
			},
			[]elected{{span{80, 200}, location, 0.9, 2.2 / 3, 0b011}},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := defaultVoting.elect(test.votes, weights)
			if diff := cmp.Diff(test.want, got, unexported, cmpopts.EquateApprox(0, 1e-9), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestElectKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.Float64Range(0.1, 3), 1, 5).Draw(t, "weights")
		var votes []vote
		for range rapid.IntRange(0, 40).Draw(t, "votes") {
			start := rapid.IntRange(0, 300).Draw(t, "start")
			votes = append(votes, ballot(
				rapid.IntRange(0, len(weights)-1).Draw(t, "processor"),
				start, start+rapid.IntRange(1, 100).Draw(t, "length"),
				rapid.IntRange(0, len(kinds)-1).Draw(t, "kind"),
				rapid.Float64Range(0, 1).Draw(t, "confidence"),
			))
		}
		end := 0
		for _, e := range defaultVoting.elect(votes, weights) {
			if e.start < end {
				t.Errorf("%v overlaps or is out of order", e)
			}
			end = e.end
			if e.consensus < defaultVoting.threshold-epsilon || e.consensus > 1 {
				t.Errorf("%v won with that consensus", e)
			}
			if e.confidence <= defaultVoting.cut || e.confidence > 1+epsilon {
				t.Errorf("%v: the mean of votes above the cut is not", e)
			}
		}
	})
}
