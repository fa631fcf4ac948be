package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParagraphs(t *testing.T) {
	text := "\n\nOne\nline.\r\n\r\n  \n* * *\n\nДва.\n\n\n三。"
	if diff := cmp.Diff([]string{"One\nline.", "Два.", "三。"}, paragraphs(text)); diff != "" {
		t.Error(diff)
	}
}

func TestQuantileIsTheNearestRank(t *testing.T) {
	hundred := make([]float64, 100)
	for i := range hundred {
		hundred[i] = float64(i + 1)
	}
	for percent, want := range map[int]float64{50: 50, 95: 95, 99: 99, 100: 100} {
		if got := *quantile(hundred, percent); got != want {
			t.Errorf("p%d of 1 to 100 is %v; want %v", percent, got, want)
		}
	}
	if got := *quantile([]float64{7}, 50); got != 7 {
		t.Errorf("p50 of one value is %v; want it", got)
	}
}
