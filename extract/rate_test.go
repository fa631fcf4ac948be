package extract

import (
	"math"
	"testing"

	"github.com/nlpcanary/nlpcanary/internal/prose"
)

// A description from elsewhere is rated as one's own is. The words are split in a
// simpler way, which may count one or another differently.
func TestRateAsOnesOwn(t *testing.T) {
	rated := 0
	for _, p := range prose.Passages() {
		result, err := NewEnsemble().Extract(t.Context(), Document{Language: Language(p.Language), Text: p.Text})
		if err != nil {
			t.Fatal(err)
		}
		for _, own := range result.Descriptions {
			d := Description{Type: own.Type, Content: own.Content, Confidence: own.Confidence}
			Rate(&d)
			if math.Abs(d.Priority-own.Priority) > 5 || math.Abs(d.Quality-own.Quality) > 0.2 {
				t.Errorf("%s: priority %v and quality %v, its own %v and %v", p.ID, d.Priority, d.Quality, own.Priority, own.Quality)
			}
			rated++
		}
	}
	if rated == 0 {
		t.Error("nothing was rated")
	}
}
