package gold

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"github.com/nlpcanary/nlpcanary/extract"
	"github.com/nlpcanary/nlpcanary/outcome"
)

// Counts says how what was found in one document compares with its gold, by several
// measures. See the package's documentation for what each of them counts.
type Counts struct {
	Spans      outcome.Labels // the main measure: typed spans with an IoU of at least 0.5
	Strict     outcome.Labels // spans with the same type and the same ends
	Partial    outcome.Labels // in half spans: 2 for the same ends, 1 for any overlap
	Characters outcome.Labels
	Sentences  outcome.Labels
	ByType     map[extract.Type]outcome.Labels // Spans of each type
}

// Compare counts what was found in a document.
func Compare(d Document, found []extract.Description) Counts {
	whole, partial, answers, sentences := d.extents(found)
	counts := Counts{ByType: map[extract.Type]outcome.Labels{}}
	for _, t := range typesIn(whole, partial, answers) {
		w, p, f := whole[t], partial[t], answers[t]
		slices.SortFunc(f, byStart)
		spans := labels(w, f, 1)(match(w, p, f, alike, alike))
		counts.ByType[t] = spans
		counts.Spans.Add(spans)
		counts.Strict.Add(labels(w, f, 1)(match(w, p, f, same, alike)))
		counts.Partial.Add(halves(w, p, f))
		characters, in := surfaces(w, p, f, sentences)
		counts.Characters.Add(characters)
		counts.Sentences.Add(in)
	}
	return counts
}

// labels turns the sizes of a matching into counts, each span worth so many.
func labels(whole, found []extent, worth int64) func(correct, excused int) outcome.Labels {
	return func(correct, excused int) outcome.Labels {
		return outcome.Labels{
			Correct: worth * int64(correct),
			Wrong:   worth * int64(len(found)-correct-excused),
			Missed:  worth * int64(len(whole)-correct),
		}
	}
}

// halves counts as MUC-5 did: a pair with the same ends is worth 1, one that only
// overlaps 1/2; all counts are doubled. Pairing those with the same ends first loses
// nothing: such a pair is worth what the two pairs are that its spans could be in.
// The found spans are sorted.
func halves(whole, partial, found []extent) outcome.Labels {
	found = slices.Clone(found)
	var rest []extent
	exact := 0
	for _, w := range whole {
		if i, same := slices.BinarySearchFunc(found, w, byStart); same {
			exact++
			found = slices.Delete(found, i, i+1)
			continue
		}
		rest = append(rest, w)
	}
	overlapping, excused := match(rest, partial, found, touching, touching)
	return outcome.Labels{
		Correct: int64(2*exact + overlapping),
		Wrong:   int64(2*(len(found)-excused) - overlapping),
		Missed:  int64(2*len(rest) - overlapping),
	}
}

// surfaces counts characters and sentences of one type. A sentence is of a type if at
// least half of its characters are.
func surfaces(whole, partial, found, sentences []extent) (characters, in outcome.Labels) {
	g, f := united(whole), united(found)
	either := united(append(slices.Clone(whole), partial...))
	right := shared(f, g)
	characters = outcome.Labels{
		Correct: int64(right),
		Wrong:   int64(total(f) - shared(f, either)),
		Missed:  int64(total(g) - right),
	}
	wanted, allowed, given := coverage(sentences, g), coverage(sentences, either), coverage(sentences, f)
	for i, s := range sentences {
		half := func(covered int) bool { return 2*covered >= s.length() }
		switch {
		case half(wanted[i]) && half(given[i]):
			in.Correct++
		case half(wanted[i]):
			in.Missed++
		case half(given[i]) && !half(allowed[i]):
			in.Wrong++
		}
	}
	return characters, in
}

// extents are the spans of the gold and of what was found, by type, and the sentences:
// all in runes, and without white space at the ends.
func (d Document) extents(found []extract.Description) (whole, partial, answers map[extract.Type][]extent, sentences []extent) {
	var all []extract.Description
	add := func(t extract.Type, start, end int) {
		start, end = trimmed(d.Text, start, end)
		all = append(all, extract.Description{Type: t, Start: start, End: end})
	}
	for _, s := range d.Spans {
		add(s.Type, s.Start, s.End)
	}
	for _, f := range found {
		add(f.Type, f.Start, f.End)
	}
	for start, end := range extract.Sentences(d.Text) {
		add("", start, end)
	}
	whole, partial, answers = map[extract.Type][]extent{}, map[extract.Type][]extent{}, map[extract.Type][]extent{}
	for i, r := range extract.RuneSpans(d.Text, all) {
		e, t := extent{r.Start, r.End}, all[i].Type
		switch {
		case i >= len(d.Spans)+len(found):
			sentences = append(sentences, e)
		case i >= len(d.Spans):
			answers[t] = append(answers[t], e)
		case d.Spans[i].Partial:
			partial[t] = append(partial[t], e)
		default:
			whole[t] = append(whole[t], e)
		}
	}
	return whole, partial, answers, sentences
}

// trimmed takes the white space off the ends of a span. Offsets outside of the text
// count as its nearest end.
func trimmed(text string, start, end int) (int, int) {
	start = max(0, min(start, len(text)))
	end = max(start, min(end, len(text)))
	inner := strings.TrimLeftFunc(text[start:end], unicode.IsSpace)
	start = end - len(inner)
	return start, start + len(strings.TrimRightFunc(inner, unicode.IsSpace))
}

func byStart(a, b extent) int {
	return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end))
}

// typesIn lists the types that occur, sorted.
func typesIn(groups ...map[extract.Type][]extent) []extract.Type {
	var found []extract.Type
	for _, g := range groups {
		for t := range g {
			found = append(found, t)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}
