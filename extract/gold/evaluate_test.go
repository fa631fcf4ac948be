package gold

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nlpcanary/nlpcanary/extract"
)

// coins are documents of one span each; an answer finds the span or nothing.
func coins(n int, hit func(i int) bool) ([]Document, Run) {
	var documents []Document
	run := Run{Architecture: "coin"}
	for i := range n {
		d := Document{ID: fmt.Sprint(i), Language: extract.Russian, Style: "landscape", Text: ruText, Spans: []Span{{Start: 0, End: 30, Type: extract.TypeLocation}}}
		documents = append(documents, d)
		var found []Span
		if hit(i) {
			found = d.Spans
		}
		run.Answers = append(run.Answers, Answer{Found: described(found), Took: 1000})
	}
	return documents, run
}

// The recall of coins is a mean of n independent draws: its interval is known.
func TestIntervalOfAMean(t *testing.T) {
	const n = 200
	documents, run := coins(n, func(i int) bool { return i%4 != 0 })
	recall := Evaluate(documents, []Run{run}).Architectures[0].Scores[MeasureSpans].Recall
	if *recall.Value != 0.75 {
		t.Errorf("recall %v, want 0.75", *recall.Value)
	}
	want := 1.96 * math.Sqrt(0.75*0.25/n)
	for side, off := range map[string]float64{"low": 0.75 - *recall.Low, "high": *recall.High - 0.75} {
		if math.Abs(off-want) > 0.15*want {
			t.Errorf("the %s end is %.4f away, want about %.4f", side, off, want)
		}
	}
}

// Two architectures that err on the same documents differ surely by what one of them
// finds besides, although each of them alone is known much less well.
func TestDifferenceIsPaired(t *testing.T) {
	documents, weak := coins(100, func(i int) bool { return i%2 == 0 })
	_, strong := coins(100, func(i int) bool { return i%2 == 0 || i%10 == 1 })
	report := Evaluate(documents, []Run{weak, strong})
	paired := report.Differences[0].Scores[MeasureSpans].Recall
	if math.Abs(*paired.Value-0.1) > 1e-12 || *paired.Low <= 0 {
		t.Errorf("the difference is %v from %v to %v", *paired.Value, *paired.Low, *paired.High)
	}
	a, b := report.Architectures[0].Scores[MeasureSpans].Recall, report.Architectures[1].Scores[MeasureSpans].Recall
	if *a.High < *b.Low {
		t.Errorf("unpaired, %v to %v and %v to %v would differ too", *a.Low, *a.High, *b.Low, *b.High)
	}
}

func TestEvaluate(t *testing.T) {
	documents, run := coins(10, func(i int) bool { return i < 5 })
	run.Answers[9] = Answer{Err: errors.New("it is down")}
	report := Evaluate(documents, []Run{run, run})
	if diff := cmp.Diff(report, Evaluate(documents, []Run{run, run})); diff != "" {
		t.Errorf("the second time it is different\n%s", diff)
	}
	if report.Documents != 10 || report.Spans != 10 || report.Partial != 0 || report.Characters != 620 {
		t.Errorf("%d documents, %d spans, %d partial, %d characters", report.Documents, report.Spans, report.Partial, report.Characters)
	}
	a := report.Architectures[0]
	if a.Failed != 1 || a.FirstFailure != "9: it is down" {
		t.Errorf("%d failed, %q", a.Failed, a.FirstFailure)
	}
	if want := 9 * 62 / (9000 / 1e9); *a.CharactersPerSecond != want {
		t.Errorf("%v characters/s, want %v", *a.CharactersPerSecond, want)
	}
	for _, name := range []string{"spans", "strict", "partial", "characters", "sentences", "type:location", "language:ru", "style:landscape"} {
		if s, there := a.Scores[name]; !there || *s.Recall.Value != 0.5 || *s.Precision.Value != 1 {
			t.Errorf("%s: %+v", name, s)
		}
		if d, there := report.Differences[0].Scores[name]; !there || *d.F1.Value != 0 || *d.F1.Low != 0 || *d.F1.High != 0 {
			t.Errorf("the difference from itself in %s: %+v", name, d)
		}
	}
	if len(a.Scores) != 8 {
		t.Errorf("%d measures, want 8", len(a.Scores))
	}
}

// What cannot be computed is nil.
func TestNothingToMeasure(t *testing.T) {
	d := Document{ID: "x", Text: ruText}
	s := Evaluate([]Document{d}, []Run{{Answers: []Answer{{}}}}).Architectures[0].Scores[MeasureSpans]
	if s.F1.Value != nil || s.Precision.Value != nil || s.Recall.Value != nil {
		t.Errorf("of nothing: %+v", s)
	}
	documents, run := coins(1, func(int) bool { return true })
	s = Evaluate(documents, []Run{run}).Architectures[0].Scores[MeasureSpans]
	if *s.F1.Value != 1 || s.F1.Low != nil || s.F1.High != nil {
		t.Errorf("of one document: %+v", s.F1)
	}
	if r := Evaluate(nil, []Run{{}}); r.Documents != 0 || r.Architectures[0].CharactersPerSecond != nil {
		t.Errorf("of no document: %+v", r)
	}
}

type panicking struct{}

func (panicking) Name() string { return "panicking" }
func (panicking) Extract(context.Context, extract.Document) (extract.Result, error) {
	panic("secret")
}

func TestAskSurvivesAPanic(t *testing.T) {
	documents, _ := coins(2, func(int) bool { return true })
	run, err := AskAll(t.Context(), panicking{}, documents, func() {})
	if err != nil || run.Answers[1].Err == nil || strings.Contains(run.Answers[1].Err.Error(), "secret") {
		t.Errorf("%+v, %v", run, err)
	}
}
