package extract

import (
	"context"
	"fmt"
	"slices"
)

// Span is a byte range of a text.
type Span struct{ Start, End int }

// Analysis is what every processor reads of a document: its paragraphs, sentences and
// words, which of them are spoken, and what the words are. It is made once and can be
// given to several extractors (see [Ensemble.ExtractAnalysed]); Extract makes and drops
// it block by block instead, so as not to hold all of a long text. Offsets are bytes
// of the text.
//
// It is read-only, and so safe for concurrent use.
type Analysis struct {
	// Text of the document and the Language it was read in; no language without a
	// letter in the text.
	Text     string
	Language Language
	// Paragraphs, without the white space around them.
	Paragraphs []Span
	// Sentences in the order of the text. One too long to describe anything (more than
	// 4,000 bytes) is left out.
	Sentences []Sentence
	// Tokens are the words of the sentences.
	Tokens []Token
	// Speech is where somebody speaks.
	Speech []Span

	blocks []block
}

// Sentence is a sentence of an [Analysis].
type Sentence struct {
	Span
	// First and Last are the range of its words: Tokens[First:Last].
	First, Last int
	// SpeechShare is the part of its words that is spoken, 0..1; 1 if it has none.
	SpeechShare float64
}

// Token is a word of an [Analysis].
type Token struct {
	Span
	// Stem by Snowball's algorithm; empty for words longer than 64 bytes.
	Stem string
	// Tags are the classes of the word: sections of the lexicon, and adjective, verb and
	// name by its form. Sorted by name; shared, so do not change them.
	Tags []string
	// Speech says that the word is spoken, not told.
	Speech bool
}

// Analyse reads a document. The errors are those of an [Extractor]'s Extract.
func Analyse(ctx context.Context, doc Document) (*Analysis, error) {
	language, err := doc.language()
	if err != nil {
		return nil, fmt.Errorf("analysing: %w", err)
	}
	a := &Analysis{Text: doc.Text, Language: language}
	if language == "" {
		return a, ctx.Err()
	}
	analyser := newAnalyser(language)
	defer analyser.release()
	tags := map[classes][]string{}
	err = analyser.walk(ctx, doc.Text, func(b *block) error {
		first := len(a.Tokens)
		for i := range b.words {
			w := &b.words[i]
			known, ok := tags[w.class]
			if !ok {
				known = tagsOf(w.class)
				tags[w.class] = known
			}
			a.Tokens = append(a.Tokens, Token{
				Span: Span{int(w.start), int(w.end)}, Stem: analyser.infos[w.form].stem, Tags: known, Speech: w.speech,
			})
		}
		for i := range b.sentences {
			s := &b.sentences[i]
			a.Sentences = append(a.Sentences, Sentence{
				Span: Span{s.start, s.end}, First: first + s.first, Last: first + s.last, SpeechShare: s.speechShare(),
			})
		}
		a.blocks = append(a.blocks, block{text: b.text, sentences: slices.Clone(b.sentences), words: slices.Clone(b.words)})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("analysing: %w", err)
	}
	a.divide()
	return a, nil
}

// divide finds the paragraphs and the direct speech.
func (a *Analysis) divide() {
	paragraphs := newParagraphs(a.Text)
	var spoken []span
	for {
		p, ok := paragraphs.next()
		if !ok {
			return
		}
		a.Paragraphs = append(a.Paragraphs, Span{p.start, p.end})
		spoken = speech(a.Text, p, spoken[:0])
		for _, s := range spoken {
			a.Speech = append(a.Speech, Span{s.start, s.end})
		}
	}
}

// walk shows the blocks of the analysis to visit, as an analyser does those of a text.
func (a *Analysis) walk(ctx context.Context, visit func(*block) error) error {
	for i := range a.blocks {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := visit(&a.blocks[i]); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func tagsOf(c classes) []string {
	var tags []string
	for section, class := range sections {
		if c.has(class) {
			tags = append(tags, section)
		}
	}
	for _, g := range byForm {
		if c.has(g.of) {
			tags = append(tags, g.name)
		}
	}
	slices.Sort(tags)
	return tags
}

// Features returns what each processor of the ensemble weighs in the sentences of an
// analysis that it would judge, for those who train it: by processor, the values in
// the order of [FeatureNames].
func (a *Analysis) Features() []SentenceFeatures {
	var all []SentenceFeatures
	for i := range a.blocks {
		b := &a.blocks[i]
		for j := range b.sentences {
			s := &b.sentences[j]
			if !s.judged() {
				continue
			}
			f := SentenceFeatures{Span: Span{s.start, s.end}, Values: map[string][]float64{}}
			for _, p := range learnedProcessors {
				f.Values[p.name()] = p.features(b, j, nil)
			}
			all = append(all, f)
		}
	}
	return all
}

// SentenceFeatures are the features of a sentence, by processor.
type SentenceFeatures struct {
	Span
	Values map[string][]float64
}

// FeatureNames returns the names of the features of each processor.
func FeatureNames() map[string][]string {
	names := map[string][]string{}
	for _, p := range learnedProcessors {
		names[p.name()] = p.featureNames()
	}
	return names
}
