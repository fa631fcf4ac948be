package extract

import (
	"slices"
	"testing"
	"unicode/utf8"
)

// tester is what testing.T and rapid.T share.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
}

// checkInvariants checks what the package promises of every result.
func checkInvariants(t tester, text string, result Result) {
	t.Helper()
	end := 0
	for i, d := range result.Descriptions {
		if d.Start < end || d.End <= d.Start || d.End > len(text) {
			t.Errorf("description %d at [%d:%d] is empty, outside of the text or before %d, where the last one ended", i, d.Start, d.End, end)
			return
		}
		end = d.End
		if text[d.Start:d.End] != d.Content {
			t.Errorf("description %d: text[%d:%d] = %q, content %q", i, d.Start, d.End, text[d.Start:d.End], d.Content)
		}
		if !utf8.ValidString(d.Content) || !utf8.ValidString(d.Context) {
			t.Errorf("description %d cuts a rune", i)
		}
		if n := utf8.RuneCountInString(d.Content); n < minRunes || n > maxRunes {
			t.Errorf("description %d has %d characters", i, n)
		}
		if d.Confidence < minConfidence || d.Confidence > 1 {
			t.Errorf("description %d: confidence %v", i, d.Confidence)
		}
		if d.Quality < 1 || d.Quality > 10 {
			t.Errorf("description %d: quality %v", i, d.Quality)
		}
		if d.Consensus <= 0 || d.Consensus > 1 {
			t.Errorf("description %d: consensus %v", i, d.Consensus)
		}
		if d.Priority < 30 || d.Priority > 110 {
			t.Errorf("description %d: priority %v", i, d.Priority)
		}
		if len(d.Sources) == 0 || !slices.IsSorted(d.Sources) {
			t.Errorf("description %d: sources %v", i, d.Sources)
		}
		for _, source := range d.Sources {
			if !slices.Contains(result.Processors, source) {
				t.Errorf("description %d: source %q did not run, only %v did", i, source, result.Processors)
			}
		}
	}
}

var _ tester = (*testing.T)(nil)
