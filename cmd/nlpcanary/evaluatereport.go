package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/nlpcanary/nlpcanary/extract/gold"
)

// writeEvaluation shows the architectures side by side, and how each differs from the
// first.
func (s *session) writeEvaluation(r evaluation) {
	fmt.Fprintf(s.stdout, "%s, %s: %s, %s to find, %d partial, %s characters\n\n", s.style.strong("gold "+strings.Join(r.Gold, " ")), r.Split,
		plural(r.Documents, "document", "documents"), plural(r.Spans, "span", "spans"), r.Partial, countText(int64(r.Characters)))
	t := table{header: []string{""}, right: map[int]bool{}}
	for _, a := range r.Architectures {
		t.header = append(t.header, strings.ToUpper(a.Architecture))
	}
	for _, d := range r.Differences {
		t.header = append(t.header, strings.ToUpper(d.To+" − "+d.From))
	}
	row := func(name, measure string, of func(gold.Score) gold.Estimate, differs func(gold.Difference) gold.Estimate) {
		cells := []string{name}
		for _, a := range r.Architectures {
			cells = append(cells, estimateText(of(a.Scores[measure]), "%.3f"))
		}
		for _, d := range r.Differences {
			cells = append(cells, s.differenceText(differs(d.Scores[measure])))
		}
		t.add(cells...)
	}
	f1 := func(name, measure string) {
		row(name, measure, func(s gold.Score) gold.Estimate { return s.F1 }, func(d gold.Difference) gold.Estimate { return d.F1 })
	}
	f1("F1", gold.MeasureSpans)
	row("precision", gold.MeasureSpans, func(s gold.Score) gold.Estimate { return s.Precision }, func(d gold.Difference) gold.Estimate { return d.Precision })
	row("recall", gold.MeasureSpans, func(s gold.Score) gold.Estimate { return s.Recall }, func(d gold.Difference) gold.Estimate { return d.Recall })
	plain(&t, "right, wrong, missed", r, func(a gold.ArchitectureReport) string {
		all := a.Scores[gold.MeasureSpans]
		return fmt.Sprintf("%s, %s, %s", countText(all.Correct), countText(all.Wrong), countText(all.Missed))
	})
	f1("strict F1", gold.MeasureStrict)
	f1("partial F1", gold.MeasurePartial)
	f1("character F1", gold.MeasureCharacters)
	f1("sentence F1", gold.MeasureSentences)
	for _, prefix := range []string{gold.PrefixType, gold.PrefixLanguage, gold.PrefixStyle} {
		for _, measure := range slices.Sorted(maps.Keys(r.Architectures[0].Scores)) {
			if part, isPart := strings.CutPrefix(measure, prefix); isPart {
				f1("F1 "+printable(part), measure)
			}
		}
	}
	plain(&t, "characters/s", r, func(a gold.ArchitectureReport) string {
		if a.CharactersPerSecond == nil {
			return unmeasured
		}
		return countText(int64(*a.CharactersPerSecond))
	})
	t.write(s.stdout, s.style, "")
	fmt.Fprintln(s.stdout, s.style.quiet(fmt.Sprintf("\nIn brackets: %.0f %% intervals, of a bootstrap over documents.", 100*gold.Level)))
}

// plain adds a row without differences.
func plain(t *table, name string, r evaluation, of func(gold.ArchitectureReport) string) {
	cells := []string{name}
	for _, a := range r.Architectures {
		cells = append(cells, of(a))
	}
	t.add(cells...)
}

func estimateText(e gold.Estimate, format string) string {
	switch {
	case e.Value == nil:
		return unmeasured
	case e.Low == nil:
		return fmt.Sprintf(format, *e.Value)
	}
	return fmt.Sprintf(format+" ("+format+"…"+format+")", *e.Value, *e.Low, *e.High)
}

// differenceText is coloured where the interval excludes 0.
func (s *session) differenceText(e gold.Estimate) string {
	text := estimateText(e, "%+.3f")
	switch {
	case e.Low == nil:
		return text
	case *e.Low > 0:
		return s.style.good(text)
	case *e.High < 0:
		return s.style.bad(text)
	}
	return text
}
