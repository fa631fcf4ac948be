package server_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/extract"
	"github.com/nlpcanary/nlpcanary/extract/gold"
	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/internal/server"
)

// finder finds the first of the words that it knows, and fails on "broken".
type finder struct {
	name  string
	words []string
}

func (f finder) Name() string { return f.name }

func (f finder) Extract(_ context.Context, doc extract.Document) (extract.Result, error) {
	if strings.Contains(doc.Text, "broken") {
		return extract.Result{}, errors.New("it is broken")
	}
	for _, w := range f.words {
		if at := strings.Index(doc.Text, w); at >= 0 {
			return extract.Result{Descriptions: []extract.Description{{Type: extract.TypeLocation, Start: at, End: at + len(w), Content: w, Sources: []string{f.name}}}}, nil
		}
	}
	return extract.Result{}, nil
}

// The gold set is run at stage 0 as well, by one of two instances, and shows apart from
// what users' texts gave.
func TestGoldRuns(t *testing.T) {
	databases(t, func(t *testing.T, url string) {
		var documents []gold.Document
		for i, word := range []string{"house", "garden", "river", "broken"} {
			documents = append(documents, gold.Document{ID: fmt.Sprint(i), Text: "The " + word, Spans: []gold.Span{{Start: 4, End: 4 + len(word), Type: extract.TypeLocation}}})
		}
		change := func(c *server.Config) {
			c.Old, c.New = finder{"blind", []string{"house"}}, finder{"seeing", []string{"house", "garden", "The"}}
			c.Gold = &server.Gold{Documents: documents, Name: "four words", Every: 400 * time.Millisecond}
		}
		r := run(t, url, change)
		run(t, url, change)
		r.call(t, "POST", canaryAPI+"rollback", map[string]int{"stage": 0}, 200, nil)
		var runs api.GoldRuns
		waitFor(t, "two gold runs", func() bool {
			r.call(t, "GET", canaryAPI+"gold", nil, 200, &runs)
			return len(runs.Runs) >= 2
		})
		first := runs.Runs[0]
		if first.Gold != "four words" || first.Documents != 3 || first.Failed != 1 ||
			first.Old.Name != "blind" || first.Old.Correct != 1 || first.Old.Wrong != 0 || first.Old.Missed != 2 ||
			first.New.Name != "seeing" || first.New.Correct != 2 || first.New.Wrong != 1 || first.New.Missed != 1 || *first.New.F1Score != 2.0/3 {
			t.Errorf("%+v", first)
		}
		for i := 1; i < len(runs.Runs); i++ {
			if apart := runs.Runs[i-1].At.Sub(runs.Runs[i].At); apart < 400*time.Millisecond {
				t.Errorf("two runs are %s apart: both instances ran", apart)
			}
		}
		var metrics api.Metrics
		r.call(t, "GET", canaryAPI+"metrics", nil, 200, &metrics)
		n := metrics.NewArchitecture
		if n.F1Source == nil || *n.F1Source != "gold" || *n.F1Score != 2.0/3 || n.Labelled != 0 || n.TotalProcessed != 0 {
			t.Errorf("%+v", n)
		}
	})
}
