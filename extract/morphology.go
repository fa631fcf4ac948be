package extract

import (
	"strings"
	"unicode/utf8"
)

// pastRussian says whether a word looks like the past tense of a verb. The habitual
// «-ывал», «-ивал» are left out: they tell what was, not what happened.
func pastRussian(word string) bool {
	if len(word) < len("упала") {
		return false
	}
	for _, reflexive := range []string{"ся", "сь"} {
		word = strings.TrimSuffix(word, reflexive)
	}
	for _, ending := range []string{"а", "о", "и"} {
		if base, ok := strings.CutSuffix(word, ending); ok {
			word = base
			break
		}
	}
	stem, ok := strings.CutSuffix(word, "л")
	if !ok {
		return false
	}
	for _, habitual := range []string{"ыва", "ива"} {
		if strings.HasSuffix(stem, habitual) {
			return false
		}
	}
	for _, vowel := range []string{"а", "я", "и", "е", "у", "ы", "о"} {
		if strings.HasSuffix(stem, vowel) {
			return true
		}
	}
	return false
}

// tagRussian tells adjectives and full participles by their ending. Endings that
// nouns share («рукой», «здание») count only behind a suffix that makes adjectives.
func tagRussian(word string) classes {
	if len(word) < len("злой") {
		return 0
	}
	// Most words, verbs in the past above all, end in none of these letters.
	if last, _ := utf8.DecodeLastRuneInString(word); !strings.ContainsRune("йеяюхимоу", last) {
		return 0
	}
	for _, ending := range russianSure {
		if strings.HasSuffix(word, ending) {
			return adjective
		}
	}
	for _, ending := range russianShared {
		base, ok := strings.CutSuffix(word, ending)
		if !ok {
			continue
		}
		for _, suffix := range russianSuffixes {
			if strings.HasSuffix(base, suffix) && len(base) > len(suffix) {
				return adjective
			}
		}
		return 0
	}
	return 0
}

var (
	russianSure = []string{
		"ый", "ая", "яя", "ое", "ые", "ого", "ому", "ую", "юю", "ых", "ыми", "ящий", "ущий",
		"ющий", "ащий", "вший", "вшие", "вшее", "вшего", "вшим", "вшими", "вшем", "ский", "ские",
	}
	russianShared = []string{
		"ими", "его", "ему", "ий", "ее", "ие", "ой", "ей", "ым", "им", "ом", "ем", "их",
	}
	// Before «-ой», «-ом» and «-им» even these are shared with nouns («вершиной»), so
	// the list is short and the loss of some adjectives accepted.
	russianSuffixes = []string{
		"нн", "ск", "зк", "гк", "тк", "лк", "лив", "чив", "ист", "оват", "еват", "ящ", "ущ",
		"ющ", "ащ", "вш", "рн", "льн", "дн", "тн", "вн", "мн", "чн", "жн", "шн", "сн", "бн",
		"рок", "сок", "бок", "лок", "ш", "ин",
	}
)

// tagEnglish tells adjectives by their suffix. Participles are left to the lexicon:
// most words in -ed and -ing are verbs.
func tagEnglish(word string) classes {
	if len(word) < 6 {
		return 0
	}
	for _, suffix := range englishSuffixes {
		if strings.HasSuffix(word, suffix) {
			return adjective
		}
	}
	return 0
}

var englishSuffixes = []string{
	"ous", "ful", "less", "ish", "ive", "ical", "able", "ible", "esque", "like", "some", "ular",
}
