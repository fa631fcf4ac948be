package extract

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestMerge(t *testing.T) {
	long := strings.Repeat("а", 600)
	tests := []struct {
		name  string
		text  string
		given []elected
		want  []elected
	}{
		{
			"neighbours of one type",
			"Aaaa. Bbbb.",
			[]elected{{span{0, 5}, location, 0.4, 0.6, 1}, {span{6, 11}, location, 0.8, 1, 6}},
			[]elected{{span{0, 11}, location, 0.6, 0.8, 7}},
		},
		{
			"the mean is weighted by length",
			"Aaaaaaaaa. Bbbb.",
			[]elected{{span{0, 10}, location, 0.9, 1, 1}, {span{11, 16}, location, 0.6, 1, 1}},
			[]elected{{span{0, 16}, location, 0.8, 1, 1}},
		},
		{
			"neighbours of two types",
			"Aaaa. Bbbb.",
			[]elected{{span{0, 5}, location, 0.4, 1, 1}, {span{6, 11}, character, 0.8, 1, 1}},
			[]elected{{span{0, 5}, location, 0.4, 1, 1}, {span{6, 11}, character, 0.8, 1, 1}},
		},
		{
			"something in between",
			"Aaaa. No. Bbbb.",
			[]elected{{span{0, 5}, location, 0.4, 1, 1}, {span{10, 15}, location, 0.8, 1, 1}},
			[]elected{{span{0, 5}, location, 0.4, 1, 1}, {span{10, 15}, location, 0.8, 1, 1}},
		},
		{
			"not beyond the longest description",
			long + " " + long,
			[]elected{{span{0, 1200}, location, 0.4, 1, 1}, {span{1201, 2401}, location, 0.8, 1, 1}},
			[]elected{{span{0, 1200}, location, 0.4, 1, 1}, {span{1201, 2401}, location, 0.8, 1, 1}},
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := merge(test.text, test.given)
			if diff := cmp.Diff(test.want, got, unexported, cmpopts.EquateApprox(0, 1e-9)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestFilter(t *testing.T) {
	tests := []struct {
		name         string
		runes, words int
		confidence   float64
		want         bool
	}{
		{"good", 80, 12, 0.5, true},
		{"shortest", 50, 12, 0.5, true},
		{"too short", 49, 12, 0.5, false},
		{"longest", 1000, 150, 0.5, true},
		{"too long", 1001, 150, 0.5, false},
		{"fewest words", 80, 10, 0.5, true},
		{"too few words", 80, 9, 0.5, false},
		{"least sure", 80, 12, 0.3, true},
		{"too unsure", 80, 12, 0.2999, false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var f filter
			if got := f.passes("text", test.runes, test.words, test.confidence); got != test.want {
				t.Errorf("passes is %v, want %v", got, test.want)
			}
		})
	}
	t.Run("duplicates", func(t *testing.T) {
		var f filter
		for i, step := range []struct {
			content string
			want    bool
		}{{"a b", true}, {"a b", false}, {"a\n  b", false}, {"ab", true}} {
			if got := f.passes(step.content, 80, 12, 0.5); got != step.want {
				t.Errorf("step %d: passes is %v, want %v", i, got, step.want)
			}
		}
	})
}

func TestPriority(t *testing.T) {
	tests := []struct {
		name         string
		kind         Type
		confidence   float64
		runes, words int
		want         float64
	}{
		{"location with everything", TypeLocation, 1, 50, 10, 110},
		{"character", TypeCharacter, 0.5, 400, 50, 85},
		{"atmosphere, long", TypeAtmosphere, 0.5, 401, 51, 55},
		{"object, few words", TypeObject, 0, 50, 9, 50},
		{"action, short", TypeAction, 0, 49, 10, 35},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if got := priority(test.kind, test.confidence, test.runes, test.words); got != test.want {
				t.Errorf("priority is %v, want %v", got, test.want)
			}
		})
	}
}

func TestQuality(t *testing.T) {
	tests := []struct {
		name                   string
		confidence             float64
		runes, words, distinct int
		want                   float64
	}{
		{"best", 1, 200, 30, 30, 10},
		{"longer is not better", 1, 900, 30, 30, 10},
		{"half as long", 1, 100, 30, 30, 1 + 9*0.85},
		{"unsure", 0.5, 200, 30, 30, 1 + 9*0.75},
		{"repetitive", 1, 200, 30, 15, 1 + 9*0.9},
		{"nothing", 0, 0, 0, 0, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := quality(test.confidence, test.runes, test.words, test.distinct)
			if math.Abs(got-test.want) > 1e-3 {
				t.Errorf("quality is %v, want %v", got, test.want)
			}
		})
	}
}
