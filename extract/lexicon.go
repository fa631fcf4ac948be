package extract

import (
	"embed"
	"fmt"
	"strings"
	"sync"

	snowball "github.com/blevesearch/snowballstem"
	"github.com/blevesearch/snowballstem/english"
	"github.com/blevesearch/snowballstem/russian"
)

//go:embed lexicon/*.txt
var lexiconFiles embed.FS

// lexicon is what is known of the words of one language. It is immutable.
type lexicon struct {
	language Language
	stem     func(*snowball.Env) bool
	tag      func(word string) classes // coarse tags by suffix
	forms    map[string]classes        // exact forms, which hide what their stem says
	stems    map[string]classes
}

var russianLexicon = sync.OnceValue(func() *lexicon {
	return loadLexicon(Russian, russian.Stem, tagRussian)
})

var englishLexicon = sync.OnceValue(func() *lexicon {
	return loadLexicon(English, english.Stem, tagEnglish)
})

func lexiconOf(language Language) *lexicon {
	if language == Russian {
		return russianLexicon()
	}
	return englishLexicon()
}

var sections = map[string]classes{
	"place": place, "furnish": furnish, "nature": nature, "sky": sky, "atmo": atmo, "sounder": sounder, "atmoverb": atmoverb, "smell": smell,
	"position": position, "see": see, "covered": covered, "person": person, "body": body,
	"clothing": clothing, "look": look, "perceptual": perceptual, "mood": mood,
	"impersonal": impersonal, "spatial": spatial, "inside": inside, "third": third,
	"first": first, "second": second, "copula": copula, "like": like, "wear": wear,
	"with": with, "have": have, "age": age, "action": action, "speechverb": speechverb, "mental": mental,
	"abstract": abstract, "feeling": feeling, "generic": generic, "negation": negation,
	"function": function,
}

// loadLexicon reads an embedded file, so an error in it is a mistake in this
// package, which every test would hit: it panics.
func loadLexicon(language Language, stem func(*snowball.Env) bool, tag func(string) classes) *lexicon {
	path := "lexicon/" + string(language) + ".txt"
	data, err := lexiconFiles.ReadFile(path)
	if err != nil {
		panic(err)
	}
	l := &lexicon{language: language, stem: stem, tag: tag, forms: map[string]classes{}, stems: map[string]classes{}}
	env := snowball.NewEnv("")
	var section classes
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#':
		case line[0] == '[':
			var known bool
			section, known = sections[strings.Trim(line, "[]")]
			if !known {
				panic(fmt.Sprintf("%s:%d: unknown section %s", path, number, line))
			}
		default:
			for word := range strings.FieldsSeq(line) {
				l.add(env, word, section)
			}
		}
	}
	return l
}

func (l *lexicon) add(env *snowball.Env, word string, section classes) {
	if form, exact := strings.CutPrefix(word, "="); exact {
		l.forms[form] |= section
		return
	}
	for _, form := range pastTense(word) {
		env.SetCurrent(form)
		l.stem(env)
		l.stems[env.Current()] |= section
	}
}

// pastTense returns a word and, if it is a Russian infinitive, its past tense: the
// stemmer gives «висеть» and «висел» different stems.
func pastTense(word string) []string {
	forms := []string{word}
	if base, ok := strings.CutSuffix(word, "ться"); ok {
		return append(forms, base+"лся", base+"лась", base+"лось", base+"лись", base+"вшийся")
	}
	if base, ok := strings.CutSuffix(word, "ть"); ok {
		return append(forms, base+"л", base+"ла", base+"ло", base+"ли", base+"вший")
	}
	return forms
}

// lookUp classifies a word given in lower case, with ё as е, and returns its stem.
func (l *lexicon) lookUp(env *snowball.Env, word string) (classes, string) {
	if c, ok := l.forms[word]; ok {
		return c | l.adjectival(word, c), word
	}
	env.SetCurrent(word)
	l.stem(env)
	stem := env.Current()
	c := l.stems[stem]
	if c == 0 && l.language == Russian && pastRussian(word) {
		return verb, stem
	}
	return c | l.adjectival(word, c), stem
}

// adjectival adds the adjective tag. In English the lexicon tells; in Russian the
// ending does, since «темнота» and «темный» may share what the lexicon knows.
func (l *lexicon) adjectival(word string, c classes) classes {
	if c.has(referring | spatial | impersonal) {
		return 0
	}
	if l.language == English && c.has(sensory) && !c.has(scene|outward|person) {
		return adjective
	}
	return l.tag(word)
}
