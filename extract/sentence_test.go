package extract

import (
	"os"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// split returns the sentences of a text, paragraph by paragraph.
func split(text string) []string {
	var found []string
	paragraphs := newParagraphs(text)
	for {
		paragraph, ok := paragraphs.next()
		if !ok {
			return found
		}
		sentences := sentences{text: text, pos: paragraph.start, end: paragraph.end}
		for {
			s, ok := sentences.next()
			if !ok {
				break
			}
			found = append(found, text[s.start:s.end])
		}
	}
}

func TestSentences(t *testing.T) {
	// In want, | stands between sentences.
	tests := []struct{ name, text, want string }{
		{"empty", "", ""},
		{"white space only", " \n\t\u00a0\n ", ""},
		{"two statements", "Шёл снег. Было тихо.", "Шёл снег.|Было тихо."},
		{"no end mark", "Шёл снег", "Шёл снег"},
		{"question and exclamation", "Who? Me! Yes.", "Who?|Me!|Yes."},
		{"marks in a row", "Как?! Что... Зачем?..", "Как?!|Что...|Зачем?.."},
		{"ellipsis within", "Он шёл… и шёл… Потом упал.", "Он шёл… и шёл…|Потом упал."},
		{"three dots within", "He went on... and on. Then he fell.", "He went on... and on.|Then he fell."},
		{"speech with the author's words", "— Куда? — спросил он. — Домой.", "— Куда? — спросил он.|— Домой."},
		{"speech then narration", "— Пора! Он встал.", "— Пора!|Он встал."},
		{"lines of dialogue", "— Да.\n— Нет.", "— Да.|— Нет."},
		{"quoted speech with author", `"Stop!" he cried. "Who are you?"`, `"Stop!" he cried.|"Who are you?"`},
		{"curly quotes close with the sentence", "“I see.” He rose.", "“I see.”|He rose."},
		{"angle quotes", "Он крикнул: «Стой!» — и побежал. «Кто?» Тишина.", "Он крикнул: «Стой!» — и побежал.|«Кто?»|Тишина."},
		{"initials", "Пришёл А. С. Пушкин. Сел.", "Пришёл А. С. Пушкин.|Сел."},
		{"pronoun I is no initial", "So am I. He left.", "So am I.|He left."},
		{"titles", "Mr. Hale met Dr. Amory on St. James St. in May.", "Mr. Hale met Dr. Amory on St. James St. in May."},
		{"city", "Родился в г. Москве. Вырос там же.", "Родился в г. Москве.|Вырос там же."},
		{"year at the end", "Это было в 1812 г. Наполеон отступал.", "Это было в 1812 г.|Наполеон отступал."},
		{"that is", "Пошёл направо, т. е. Вверх по улице.", "Пошёл направо, т. е. Вверх по улице."},
		{"number of a page", "См. стр. 5 и рис. 3. Там всё есть.", "См. стр. 5 и рис. 3.|Там всё есть."},
		{"decimal", "It cost 3.14 pounds. Cheap.", "It cost 3.14 pounds.|Cheap."},
		{"list item", "1. Первый пункт. 2. Второй.", "1. Первый пункт.|2. Второй."},
		{"missing space", "Стоял дом.Потом сгорел.", "Стоял дом.|Потом сгорел."},
		{"host name", "Write to example.com. Soon.", "Write to example.com.|Soon."},
		{"lower case goes on", "Он сказал. и ушёл", "Он сказал. и ушёл"},
		{"parenthesis", "He left (at last.) She stayed.", "He left (at last.)|She stayed."},
		{"paragraph without full stop", "Глава первая\n\nШёл снег.", "Глава первая|Шёл снег."},
		{"one paragraph a line", "Шёл снег.\nБыло тихо", "Шёл снег.|Было тихо"},
		{
			"hard-wrapped lines",
			"The shop was below the level of the street, and one went\ndown to it by seven worn steps. It was dark down there and it\nsmelled of dust.",
			"The shop was below the level of the street, and one went\ndown to it by seven worn steps.|It was dark down there and it\nsmelled of dust.",
		},
		{
			"dialogue within hard-wrapped lines",
			"Он остановился у самой двери и долго смотрел на вывеску, потом\nусмехнулся и вошёл.\n— Есть кто-нибудь? — крикнул он.\n— Есть.",
			"Он остановился у самой двери и долго смотрел на вывеску, потом\nусмехнулся и вошёл.|— Есть кто-нибудь? — крикнул он.|— Есть.",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var want []string
			if test.want != "" {
				want = strings.Split(test.want, "|")
			}
			if diff := cmp.Diff(want, split(test.text)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func FuzzSentences(f *testing.F) {
	for _, text := range seeds() {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			t.Skip()
		}
		letters := func(s string) int {
			n := 0
			for _, r := range s {
				if !unicode.IsSpace(r) {
					n++
				}
			}
			return n
		}
		total := 0
		for _, s := range split(text) {
			if s == "" || strings.TrimSpace(s) != s || !utf8.ValidString(s) {
				t.Errorf("sentence %q is empty, has white space around it or cuts a rune", s)
			}
			total += letters(s)
		}
		if want := letters(text); total != want {
			t.Errorf("the sentences hold %d characters of %d", total, want)
		}
	})
}

// TestSentenceSplitterF1 measures the splitter on texts in which a person set a |
// behind each sentence. = stands between texts.
func TestSentenceSplitterF1(t *testing.T) {
	raw, err := os.ReadFile("testdata/sentences.txt")
	if err != nil {
		t.Fatal(err)
	}
	right, wrong, missed := 0, 0, 0
	for marked := range strings.SplitSeq(string(raw), "\n=\n") {
		marked = strings.TrimSpace(marked)
		text := strings.ReplaceAll(marked, "|", "")
		letters := func(s string) int { return len(strings.Join(strings.Fields(s), "")) }
		want := map[int]bool{}
		at := 0
		for sentence := range strings.SplitSeq(marked, "|") {
			at += letters(sentence)
			want[at] = true
		}
		delete(want, at) // the end of a text is no decision
		last, at := at, 0
		for _, sentence := range split(text) {
			if at += letters(sentence); at == last {
				break
			}
			if want[at] {
				right++
				delete(want, at)
				continue
			}
			wrong++
			t.Logf("wrong end: %q", sentence)
		}
		missed += len(want)
		if len(want) > 0 {
			t.Logf("missed an end in %q", text)
		}
	}
	f1 := 2 * float64(right) / float64(2*right+wrong+missed)
	t.Logf("F1 %.3f: %d right, %d wrong, %d missed", f1, right, wrong, missed)
	if f1 < 0.97 {
		t.Errorf("F1 %.3f, want at least 0.97", f1)
	}
}
