// Package gold scores architectures against texts in which people marked what is to
// be found.
//
// # Measures
//
// Every measure counts what is right, what is wrong and what was missed, and gives
// precision = right/(right+wrong), recall = right/(right+missed) and F1 = their
// harmonic mean. The sums go over all documents (micro average). White space at the
// ends of a span does not count, and lengths are in characters (runes).
//
//   - Spans, the main measure. A found span is right if it can be paired, one to one,
//     with a gold span of its type with which its intersection over union is at least
//     0.5. The pairing is a largest one, not a greedy one.
//   - Strict: the same type and the same ends.
//   - Partial, as in MUC-5: a pair of one type with the same ends is worth 1, one that
//     only overlaps 1/2. The counts are therefore in half spans.
//   - Characters: those that a found and a gold span of one type both cover.
//   - Sentences: a sentence is of a type if at least half of its characters are covered
//     by spans of that type.
//
// # Partial gold spans
//
// A gold span marked partial describes in part only, and people differ on it. It is
// neither a reward nor a trap: a found span that gets no whole gold span but can be
// paired with a partial one of its type (IoU at least 0.5; any overlap in the Partial
// measure) is neither right nor wrong, and a partial span that nobody finds is not
// missed. Characters and sentences that only partial spans of the type cover count for
// nothing either.
//
// # Intervals
//
// An interval is the middle 95 % of a bootstrap over documents: the documents are
// drawn with replacement, as many as there are, [Replicates] times. The draws are
// seeded, so the same documents give the same interval, and shared by all
// architectures, so the interval of a difference is that of paired differences.
//
// # Invariants and failures
//
//   - A file is read as a whole or refused with a [*FormatError] that names file, line
//     and reason. An offset that does not reproduce the text that the file quotes is
//     refused: a gold set that is off by one would measure nothing.
//   - A document that an architecture fails on counts as one where it found nothing.
//   - What cannot be computed, such as precision where nothing was found, is nil.
package gold
