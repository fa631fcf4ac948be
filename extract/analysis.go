package extract

import (
	"context"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	snowball "github.com/blevesearch/snowballstem"
	"github.com/clipperhouse/uax29/v2/words"
)

const (
	// blockBytes bounds the part of a paragraph that is analysed at once, and so the
	// memory of an extraction and the work between two looks at the context.
	blockBytes = 64 << 10
	// sentenceBytes is more than the longest description can take: a sentence beyond
	// it is not read at all.
	sentenceBytes = maxRunes * utf8.UTFMax
	// stemBytes is the longest word that is looked up.
	stemBytes = 64
	// cachedWords bounds the words remembered from one block to the next.
	cachedWords = 4096
)

// word is a word of a block.
type word struct {
	start, end int32
	form       uint32 // the same for the same spelling within a block
	class      classes
	speech     bool // within direct speech
}

// sentence is a sentence of a block with what its narration holds: direct speech is
// counted in spoken only.
type sentence struct {
	span
	first, last int // words[first:last]
	runes       int
	narrated    int // words of narration
	spoken      int // words of direct speech
	tail        byte
	counts      counts
	lexical     evidence // of its words by themselves
}

// speechShare is the part of the words that is direct speech, 0..1.
func (s *sentence) speechShare() float64 {
	if s.narrated+s.spoken == 0 {
		return 1
	}
	return float64(s.spoken) / float64(s.narrated+s.spoken)
}

// block is an analysed part of a paragraph, at most blockBytes long unless a single
// sentence is longer. Processors only read it.
type block struct {
	text      string // of the whole document
	sentences []sentence
	words     []word
}

// wordsOf returns the words of a sentence.
func (b *block) wordsOf(s *sentence) []word { return b.words[s.first:s.last] }

// analyser turns text into blocks. It is reused from document to document; use
// newAnalyser and release.
type analyser struct {
	lexicon *lexicon
	env     *snowball.Env
	block   block
	spoken  []span

	known map[string]uint32 // spelling to index in infos
	infos []info
	names map[string]bool // stems of the names met so far
}

type info struct {
	class classes
	stem  string
}

var analysers = map[Language]*sync.Pool{Russian: {}, English: {}}

func newAnalyser(language Language) *analyser {
	if a, ok := analysers[language].Get().(*analyser); ok {
		return a
	}
	return &analyser{
		lexicon: lexiconOf(language),
		env:     snowball.NewEnv(""),
		known:   make(map[string]uint32),
		names:   make(map[string]bool),
	}
}

// release gives the analyser back without a trace of the text it has seen.
func (a *analyser) release() {
	a.forget()
	clear(a.names)
	a.block.text = ""
	a.env.SetCurrent("")
	analysers[a.lexicon.language].Put(a)
}

func (a *analyser) forget() {
	clear(a.known)
	clear(a.infos)
	a.infos = a.infos[:0]
}

// walk shows the blocks of a document to visit, which must not keep them. It stops at
// the first error, and with the context's error when that is done.
type walk func(ctx context.Context, visit func(*block) error) error

// streamed analyses a text block by block while it is walked over. Without a language
// there is nothing to see.
func streamed(language Language, text string) walk {
	return func(ctx context.Context, visit func(*block) error) error {
		if language == "" {
			return ctx.Err()
		}
		analyser := newAnalyser(language)
		defer analyser.release()
		return analyser.walk(ctx, text, visit)
	}
}

// walk analyses the text block by block and shows each to visit, which must not keep
// it. It stops at the first error, and with the context's error when that is done.
func (a *analyser) walk(ctx context.Context, text string, visit func(*block) error) error {
	a.block.text = text
	paragraphs := newParagraphs(text)
	for {
		paragraph, ok := paragraphs.next()
		if !ok {
			return ctx.Err()
		}
		a.spoken = speech(text, paragraph, a.spoken[:0])
		spoken := a.spoken
		sentences := sentences{text: text, pos: paragraph.start, end: paragraph.end}
		for more := true; more; {
			if err := ctx.Err(); err != nil {
				return err
			}
			spoken, more = a.fill(&sentences, spoken)
			if len(a.block.sentences) == 0 {
				continue
			}
			if err := visit(&a.block); err != nil {
				return err
			}
		}
	}
}

// fill analyses the next sentences of a paragraph, and returns the direct speech
// still ahead and whether the paragraph goes on.
func (a *analyser) fill(next *sentences, spoken []span) ([]span, bool) {
	if len(a.infos) > cachedWords {
		a.forget()
	}
	b := &a.block
	b.sentences, b.words = b.sentences[:0], b.words[:0]
	for from := next.pos; next.pos-from < blockBytes; {
		at, ok := next.next()
		if !ok {
			return nil, false
		}
		if at.end-at.start > sentenceBytes {
			// It splits the block, so that its neighbours do not look adjacent.
			return spoken, true
		}
		spoken = a.read(at, spoken)
	}
	return spoken, true
}

// read appends a sentence and its words to the block.
func (a *analyser) read(at span, spoken []span) []span {
	b := &a.block
	s := sentence{
		span:  at,
		first: len(b.words),
		runes: utf8.RuneCountInString(b.text[at.start:at.end]),
		tail:  b.text[at.end-1],
	}
	previous := -1 // end of the previous word of this sentence
	for it := words.FromString(b.text[at.start:at.end]); it.Next(); {
		spelling := it.Value()
		if r, _ := utf8.DecodeRuneInString(spelling); !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			continue
		}
		start, end := at.start+it.Start(), at.start+it.End()
		for len(spoken) > 0 && spoken[0].end <= start {
			spoken = spoken[1:]
		}
		form := a.classify(spelling)
		w := word{
			start: int32(start), end: int32(end), form: form, class: a.infos[form].class,
			speech: len(spoken) > 0 && spoken[0].start <= start,
		}
		if a.isName(form, spelling, previous, start) {
			w.class |= name
		}
		if w.speech {
			s.spoken++
		} else {
			s.narrated++
			s.counts.add(w.class)
		}
		previous = end
		b.words = append(b.words, w)
	}
	s.last = len(b.words)
	s.lexical = lexicalEvidence(&s.counts)
	b.sentences = append(b.sentences, s)
	return spoken
}

// classify returns the number of a spelling in infos.
func (a *analyser) classify(spelling string) uint32 {
	if form, ok := a.known[spelling]; ok {
		return form
	}
	var i info
	if len(spelling) <= stemBytes {
		i.class, i.stem = a.lexicon.lookUp(a.env, fold(spelling))
	}
	form := uint32(len(a.infos))
	a.infos = append(a.infos, i)
	a.known[spelling] = form
	return form
}

// fold brings a spelling to the form that the lexicon lists.
func fold(spelling string) string {
	if folded(spelling) {
		return spelling
	}
	spelling = strings.ToLower(spelling)
	if strings.Contains(spelling, "ё") {
		spelling = strings.ReplaceAll(spelling, "ё", "е")
	}
	if strings.Contains(spelling, "’") {
		spelling = strings.ReplaceAll(spelling, "’", "'")
	}
	return spelling
}

// folded says whether fold has nothing to do, which holds for most words and is
// cheaper to see than to do: ASCII and the basic Cyrillic letters in lower case.
func folded(spelling string) bool {
	for i := 0; i < len(spelling); i++ {
		c := spelling[i]
		switch {
		case c < utf8.RuneSelf:
			if 'A' <= c && c <= 'Z' {
				return false
			}
		case i+1 == len(spelling):
			return false
		case c == 0xd0 && spelling[i+1] >= 0xb0, c == 0xd1 && spelling[i+1] < 0x90:
			i++ // а-п, р-я
		default:
			return false
		}
	}
	return true
}

// isName says whether a word is a proper name: one without a class of its own that
// is capitalised within a sentence, here or earlier in the document. Where a sentence
// begins, a capital tells nothing.
func (a *analyser) isName(form uint32, spelling string, previous, start int) bool {
	first, size := utf8.DecodeRuneInString(spelling)
	if !unicode.IsUpper(first) || size == len(spelling) {
		return false
	}
	i := a.infos[form]
	if i.stem == "" || i.class&^(adjective|verb) != 0 {
		return false
	}
	if previous >= 0 && strings.Trim(a.block.text[previous:start], " ,-\u00a0\n\r") == "" {
		if len(a.names) < cachedWords {
			a.names[i.stem] = true
		}
		return true
	}
	return a.names[i.stem]
}
