package outcome

import "testing"

func TestSumPairs(t *testing.T) {
	old, canary := SumPairs([]Pair{
		{"a", Labels{Correct: 1, Wrong: 2, Missed: 3}, Labels{Correct: 4}},
		{"b", Labels{Correct: 10, Wrong: 20, Missed: 30}, Labels{Correct: 39, Wrong: 5, Missed: 1}},
	})
	if want := (Labels{Correct: 11, Wrong: 22, Missed: 33}); old != want {
		t.Errorf("old %+v, want %+v", old, want)
	}
	if want := (Labels{Correct: 43, Wrong: 5, Missed: 1}); canary != want {
		t.Errorf("new %+v, want %+v", canary, want)
	}
}
