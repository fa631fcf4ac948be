package extract

import "iter"

// Sentences yields the byte offsets [start:end] of the sentences of a text, in order
// and without the white space around them. It is how the architectures of this
// package read, offered to those who score or adapt others.
func Sentences(text string) iter.Seq2[int, int] {
	return func(yield func(start, end int) bool) {
		paragraphs := newParagraphs(text)
		for p, more := paragraphs.next(); more; p, more = paragraphs.next() {
			in := sentences{text: text, pos: p.start, end: p.end}
			for s, more := in.next(); more; s, more = in.next() {
				if !yield(s.start, s.end) {
					return
				}
			}
		}
	}
}
