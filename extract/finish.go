package extract

import (
	"slices"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"
)

// contextBytes bounds what Context adds on either side of a description.
const contextBytes = 300

// finisher turns elected passages of a block into descriptions.
type finisher struct {
	filter  filter
	sources []string // processor names by index
	forms   []uint32
}

// finish filters and scores passages and appends the descriptions to found.
func (f *finisher) finish(b *block, passages []elected, found []Description) []Description {
	for _, p := range passages {
		content := b.text[p.start:p.end]
		ws := b.within(p.span)
		runes := utf8.RuneCountInString(content)
		if !f.filter.passes(content, runes, len(ws), p.confidence) {
			continue
		}
		kind := kinds[p.kind]
		found = append(found, Description{
			Type:       kind,
			Start:      p.start,
			End:        p.end,
			Content:    content,
			Context:    b.context(p.span),
			Confidence: round(p.confidence),
			Priority:   priority(kind, p.confidence, runes, len(ws)),
			Quality:    quality(p.confidence, runes, len(ws), f.distinct(ws)),
			Sources:    f.namesOf(p.sources),
			Consensus:  round(p.consensus),
			Entities:   entities(b.text, ws),
		})
	}
	return found
}

func (f *finisher) distinct(ws []word) int {
	f.forms = f.forms[:0]
	for _, w := range ws {
		f.forms = append(f.forms, w.form)
	}
	slices.Sort(f.forms)
	return len(slices.Compact(f.forms))
}

func (f *finisher) namesOf(set uint64) []string {
	var names []string
	for i, source := range f.sources {
		if set&(1<<i) != 0 {
			names = append(names, source)
		}
	}
	slices.Sort(names)
	return names
}

// within returns the words of the block that lie in s.
func (b *block) within(s span) []word {
	first := sort.Search(len(b.words), func(i int) bool { return int(b.words[i].start) >= s.start })
	last := sort.Search(len(b.words), func(i int) bool { return int(b.words[i].start) >= s.end })
	return b.words[first:last]
}

// context returns a passage with the sentences before and after it.
func (b *block) context(s span) string {
	start, end := s.start, s.end
	i := sort.Search(len(b.sentences), func(i int) bool { return b.sentences[i].end > s.start })
	if i > 0 {
		start = max(b.sentences[i-1].start, s.start-contextBytes)
	}
	i = sort.Search(len(b.sentences), func(i int) bool { return b.sentences[i].start >= s.end })
	if i < len(b.sentences) {
		end = min(b.sentences[i].end, s.end+contextBytes)
	}
	for start < s.start && !utf8.RuneStart(b.text[start]) {
		start++
	}
	for end > s.end && end < len(b.text) && !utf8.RuneStart(b.text[end]) {
		end--
	}
	return b.text[start:end]
}

// entities returns the names among words, names of several words in one piece.
func entities(text string, ws []word) []string {
	var found []string
	for i := 0; i < len(ws); {
		if !ws[i].class.has(name) {
			i++
			continue
		}
		start, end := ws[i].start, ws[i].end
		if i > 0 && namesake(text, ws[i-1], ws[i]) {
			start = ws[i-1].start
		}
		for i++; i < len(ws) && ws[i].class.has(name) && strings.TrimSpace(text[end:ws[i].start]) == ""; i++ {
			end = ws[i].end
		}
		if entity := text[start:end]; !slices.Contains(found, entity) {
			found = append(found, entity)
		}
	}
	return found
}

// namesake says whether the word before a name is its first part, which at the
// beginning of a sentence could not be told from any other word.
func namesake(text string, before, name word) bool {
	r, _ := utf8.DecodeRuneInString(text[before.start:])
	return unicode.IsUpper(r) && before.class&^(adjective|verb) == 0 &&
		strings.TrimSpace(text[before.end:name.start]) == ""
}
