package gold

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/nlpcanary/nlpcanary/extract"
)

// ReadCoNLL reads a CoNLL file: on each line a token and, in the last column, its tag;
// an empty line between sentences. The tags are IOB, IOB2 or BIOES ("B-location"); a
// type that ends in "-partial" makes a partial span. An I- tag that continues nothing
// begins a span, as in IOB; one that opens a sentence continues the span that the
// sentence before it ended with, as a description may be longer than a sentence.
//
// "-DOCSTART-" or "# newdoc id = NAME" begins a document; without them the file is one,
// with the given id. Comments may say more: "# newpar" begins a paragraph, "# text = …"
// gives a sentence as it stands, in which the tokens must be found; "# lang = ru",
// "# style = …" and "# split = …" hold for the document. Without "# text" the tokens
// are joined by single spaces, which is not how the author wrote them: architectures
// that look at punctuation then read another text.
//
// Every error is a [*FormatError].
func ReadCoNLL(file, id string, raw []byte, labels Labels) ([]Document, error) {
	c := conll{out: newCollected(file), id: id, labels: labels, begin: 1}
	c.next = Document{ID: id}
	number := 0
	for line := range bytes.Lines(bytes.TrimPrefix(raw, []byte("\ufeff"))) {
		number++
		if err := c.line(number, strings.TrimRight(string(line), "\r\n")); err != nil {
			return nil, err
		}
	}
	if err := c.endDocument(); err != nil {
		return nil, err
	}
	return c.out.all()
}

// conll is a file in the course of being read.
type conll struct {
	out    *collected
	id     string // of the file
	labels Labels
	number int // of documents so far

	next  Document // the document being read
	begin int      // the line on which it began
	text  strings.Builder
	open  bool // the last span may go on

	sentence  []conllToken
	quote     string // the sentence's "# text"
	paragraph bool   // the sentence begins one
}

type conllToken struct {
	line      int
	form, tag string
}

func (c *conll) line(number int, line string) error {
	fields := strings.Fields(line)
	switch {
	case len(fields) == 0:
		return c.endSentence()
	case fields[0] == "-DOCSTART-":
		return c.newDocument(number, "")
	case line[0] == '#' && len(c.sentence) == 0 && !tagged(fields):
		return c.comment(number, strings.TrimSpace(line[1:]))
	case len(fields) < 2:
		return wrong(c.out.file, number, fmt.Errorf("%q is a token without a tag", clip(line)))
	}
	if !utf8.ValidString(line) {
		return wrong(c.out.file, number, fmt.Errorf("is not UTF-8"))
	}
	c.sentence = append(c.sentence, conllToken{number, fields[0], fields[len(fields)-1]})
	return nil
}

// tagged tells the token "#" from a comment.
func tagged(fields []string) bool {
	if len(fields) < 2 || fields[0] != "#" {
		return false
	}
	_, _, err := splitTag(fields[len(fields)-1])
	return err == nil
}

func (c *conll) comment(number int, text string) error {
	key, value, _ := strings.Cut(text, "=")
	value = strings.TrimSpace(value)
	switch strings.TrimSpace(key) {
	case "newdoc", "newdoc id":
		return c.newDocument(number, value)
	case "newpar", "newpar id":
		c.paragraph = true
	case "text":
		c.quote = value
	case "lang":
		c.next.Language = extract.Language(value)
	case "style":
		c.next.Style = value
	case "split":
		c.next.Split = Split(value)
	}
	return nil
}

func (c *conll) newDocument(number int, id string) error {
	if err := c.endDocument(); err != nil {
		return err
	}
	if id == "" {
		id = fmt.Sprintf("%s-%d", c.id, c.number+1)
	}
	c.next, c.begin = Document{ID: id}, number
	return nil
}

func (c *conll) endDocument() error {
	if err := c.endSentence(); err != nil {
		return err
	}
	if c.text.Len() == 0 { // nothing but the mark of its beginning
		return nil
	}
	c.next.Text = c.text.String()
	if err := c.out.add(c.begin, c.next); err != nil {
		return err
	}
	c.number++
	c.text.Reset()
	c.open = false
	return nil
}

func (c *conll) endSentence() error {
	if len(c.sentence) == 0 {
		return nil
	}
	if c.text.Len() > 0 {
		if c.paragraph {
			c.text.WriteByte('\n')
		} else {
			c.text.WriteByte(' ')
		}
	}
	base := c.text.Len()
	if c.quote == "" {
		forms := make([]string, len(c.sentence))
		for i, token := range c.sentence {
			forms[i] = token.form
		}
		c.quote = strings.Join(forms, " ")
	}
	c.text.WriteString(c.quote)
	at := 0
	for _, token := range c.sentence {
		gap := strings.Index(c.quote[at:], token.form)
		if gap < 0 || strings.TrimSpace(c.quote[at:at+gap]) != "" {
			return wrong(c.out.file, token.line, fmt.Errorf("the token %q does not come next in the sentence's text: %q", clip(token.form), clip(c.quote[at:])))
		}
		start := at + gap
		at = start + len(token.form)
		if err := c.tag(token, base+start, base+at); err != nil {
			return err
		}
	}
	if rest := strings.TrimSpace(c.quote[at:]); rest != "" {
		return wrong(c.out.file, c.sentence[0].line, fmt.Errorf("the sentence's text goes on after its tokens: %q", clip(rest)))
	}
	c.sentence, c.quote, c.paragraph = nil, "", false
	return nil
}

// tag takes a token's tag: it begins, continues or ends a span.
func (c *conll) tag(token conllToken, start, end int) error {
	prefix, label, err := splitTag(token.tag)
	if err != nil {
		return wrong(c.out.file, token.line, err)
	}
	if prefix == 'O' {
		c.open = false
		return nil
	}
	name, isPartial := strings.CutSuffix(label, "-partial")
	t, err := c.labels.typeOf(name)
	if err != nil {
		return wrong(c.out.file, token.line, err)
	}
	last := len(c.next.Spans) - 1
	goesOn := prefix == 'I' || prefix == 'E'
	if goesOn && c.open && c.next.Spans[last].Type == t && c.next.Spans[last].Partial == isPartial {
		c.next.Spans[last].End = end
	} else {
		c.next.Spans = append(c.next.Spans, Span{Start: start, End: end, Type: t, Partial: isPartial})
	}
	c.open = prefix == 'B' || prefix == 'I'
	return nil
}

// splitTag splits "B-location". L and U of the BILOU scheme are E and S.
func splitTag(tag string) (prefix byte, label string, err error) {
	if tag == "O" {
		return 'O', "", nil
	}
	if len(tag) > 2 && tag[1] == '-' {
		switch tag[0] {
		case 'B', 'I', 'E', 'S':
			return tag[0], tag[2:], nil
		case 'L':
			return 'E', tag[2:], nil
		case 'U':
			return 'S', tag[2:], nil
		}
	}
	return 0, "", fmt.Errorf("%q is not a tag of IOB or BIOES, such as O or B-location", clip(tag))
}
