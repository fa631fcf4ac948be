package extract

import (
	"slices"
	"testing"
)

func TestSentenceSpans(t *testing.T) {
	text := "  Дом стоял на горе. Окна были темны!\n\n— Кто там? — спросил он.\n"
	var got []string
	for start, end := range Sentences(text) {
		got = append(got, text[start:end])
	}
	want := []string{"Дом стоял на горе.", "Окна были темны!", "— Кто там? — спросил он."}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	for range Sentences(text) {
		break // a caller may stop
	}
}
