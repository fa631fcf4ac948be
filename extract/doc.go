// Package extract finds descriptions in literary prose, Russian and English:
// the passages that let a reader see a location, a character or an atmosphere.
//
// Two architectures share one interface, [Extractor]. [Single] is the old one: a
// single rule-based processor. [Ensemble] is the new one: three processors of
// different kinds that vote, and whose agreement is merged, filtered and scored.
//
// # How a text becomes descriptions
//
//	text -> blocks of a paragraph -> sentences -> words with classes, direct speech marked
//	          |                                      (analysed once, shared by all processors)
//	          +-> density, gazetteer, constructions -> candidates
//	                -> vote (share of weight >= 0.6) -> merge neighbours -> filter -> score
//
// A text is streamed block by block (at most 64 KiB of one paragraph), so memory
// does not grow with the text apart from the descriptions found, and a cancelled
// context stops the work within one block.
//
// # Invariants
//
//   - Offsets are bytes of the text as it was given; nothing is cleaned before they
//     are taken: Text[Start:End] == Content, and both ends lie between runes.
//     [RuneSpans] converts them to runes.
//   - Descriptions are sorted by Start and never overlap.
//   - Confidence and Consensus lie in 0..1, Quality in 1..10.
//   - The same document gives the same result, byte for byte.
//   - Time is linear in the length of the text, whatever the text holds.
//
// # Failures
//
// Bad input is an error before any work: [ErrInvalidText], [ErrUnsupportedLanguage],
// [*TooLongError]. A processor that panics or fails is named in Result.Degraded, and
// the result is what the remaining processors give for the whole text: no vote of a
// failed processor counts. When none remains the error is a [*FailedError], never an
// empty list. A cancelled context is an error that wraps the context's own.
package extract
