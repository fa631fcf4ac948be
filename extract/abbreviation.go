package extract

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// openAbbreviations are followed by what they belong to, a name most often, and so
// never end a sentence.
var openAbbreviations = setOf(`
	mr mrs ms messrs dr prof rev fr st mt gen col capt lt sgt maj hon pres gov sen rep
	vs cf viz ca approx e.g i.e
	ул пл пер просп пр бул наб ст стр гл рис табл им св о-в оз р г-н г-жа г-на г-же
	тов гр проф акад доц инж кн граф ген полк кап лейт адм ред изд напр ср см
	т.е т.н`)

// numberAbbreviations stand before a number.
var numberAbbreviations = setOf(`no nos p pp vol ch fig art sec стр с гл т ч п ст рис табл д кв к корп оф рис руб №`)

// afterNumber are units and eras. Behind a number they may end a sentence; anywhere
// else they announce a name, as in «г. Москва».
var afterNumber = setOf(`г гг в вв р руб коп м км кг тыс млн млрд ч мин сек`)

// longestAbbreviation is more than any of the above takes, in bytes.
const longestAbbreviation = 12

func setOf(words string) map[string]bool {
	set := make(map[string]bool)
	for _, word := range strings.Fields(words) {
		set[word] = true
	}
	return set
}

// abbreviated says whether the full stop behind s belongs to an abbreviation or an
// initial, given that an upper-case word follows.
func abbreviated(s string) bool {
	word := lastWord(s)
	if word == "" || len(word) > longestAbbreviation {
		return false
	}
	before := s[:len(s)-len(word)]
	r, size := utf8.DecodeRuneInString(word)
	if size == len(word) && unicode.IsUpper(r) {
		// «А. С. Пушкин», but "taller than I. He", «это был я. Он».
		return r != 'I' && r != 'Я'
	}
	word = strings.ToLower(word)
	if afterNumber[word] {
		previous := lastWord(strings.TrimRightFunc(before, unicode.IsSpace))
		counted := previous != "" && strings.IndexFunc(previous, func(r rune) bool { return !unicode.IsDigit(r) }) < 0
		return !counted && len(word) == len("г")
	}
	head := strings.TrimRightFunc(before, unicode.IsSpace)
	if (word == "с" || word == "д") && !strings.HasSuffix(head, ".") {
		return true // «с. Бородино», «д. Выселки»; not «и т. д.»
	}
	// «т. е.», "e.g.", «о-в»: the part before belongs to it.
	if strings.HasSuffix(head, "-") || strings.HasSuffix(head, ".") {
		word = strings.ToLower(lastWord(head[:len(head)-1])) + head[len(head)-1:] + word
	}
	return openAbbreviations[word]
}

func precedesNumber(word string) bool {
	word = strings.ToLower(word)
	return numberAbbreviations[word] || openAbbreviations[word]
}
