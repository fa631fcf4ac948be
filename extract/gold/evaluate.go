package gold

import (
	"maps"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/nlpcanary/nlpcanary/outcome"
)

// Evaluate compares runs over the same documents.
func Evaluate(documents []Document, runs []Run) Report {
	report := Report{Documents: len(documents), Differences: []DifferenceReport{}}
	for _, d := range documents {
		report.Characters += utf8.RuneCountInString(d.Text)
		for _, s := range d.Spans {
			if s.Partial {
				report.Partial++
			} else {
				report.Spans++
			}
		}
	}
	counted := make([][]map[string]outcome.Labels, len(runs))
	for r, run := range runs {
		for i, d := range documents {
			counted[r] = append(counted[r], d.measure(Compare(d, run.Answers[i].Found)))
		}
	}
	names := namesOf(counted)
	estimates := estimateAll(tableOf(counted, names), len(documents), len(names))
	for r, run := range runs {
		a := speedAndFailures(documents, run)
		a.Scores = map[string]Score{}
		for m, name := range names {
			a.Scores[name] = estimates.scores[r][m]
		}
		report.Architectures = append(report.Architectures, a)
		if r == 0 {
			continue
		}
		difference := DifferenceReport{From: runs[0].Architecture, To: run.Architecture, Scores: map[string]Difference{}}
		for m, name := range names {
			difference.Scores[name] = estimates.differences[r][m]
		}
		report.Differences = append(report.Differences, difference)
	}
	return report
}

// measure gives the counts of a document by the names of the measures that it is in.
func (d Document) measure(c Counts) map[string]outcome.Labels {
	m := map[string]outcome.Labels{
		MeasureSpans: c.Spans, MeasureStrict: c.Strict, MeasurePartial: c.Partial,
		MeasureCharacters: c.Characters, MeasureSentences: c.Sentences,
	}
	for t, l := range c.ByType {
		m[PrefixType+string(t)] = l
	}
	if d.Language != "" {
		m[PrefixLanguage+string(d.Language)] = c.Spans
	}
	if d.Style != "" {
		m[PrefixStyle+d.Style] = c.Spans
	}
	return m
}

// namesOf lists all measures that occur, sorted.
func namesOf(counted [][]map[string]outcome.Labels) []string {
	all := map[string]bool{}
	for _, run := range counted {
		for _, document := range run {
			for name := range document {
				all[name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

func tableOf(counted [][]map[string]outcome.Labels, names []string) table {
	t := make(table, len(counted))
	for r, run := range counted {
		for _, document := range run {
			row := make([]outcome.Labels, len(names))
			for m, name := range names {
				row[m] = document[name]
			}
			t[r] = append(t[r], row)
		}
	}
	return t
}

func speedAndFailures(documents []Document, run Run) ArchitectureReport {
	a := ArchitectureReport{Architecture: run.Architecture}
	var took time.Duration
	characters := 0
	for i, answer := range run.Answers {
		if answer.Err != nil {
			if a.Failed++; a.Failed == 1 {
				a.FirstFailure = documents[i].ID + ": " + answer.Err.Error()
			}
			continue
		}
		took += answer.Took
		characters += utf8.RuneCountInString(documents[i].Text)
	}
	if took > 0 {
		speed := float64(characters) / took.Seconds()
		a.CharactersPerSecond = &speed
	}
	return a
}
