// Package outcome says what happened to processed texts, and adds it up.
//
// # Invariants
//
//   - A [Tally] is a sum: any split, order or grouping of the same outcomes gives a
//     tally with the same bytes. Everything in it is an integer that adds up, a
//     maximum, or a set. Logarithms are rounded once, where an outcome is counted.
//   - A user is a [rollout.UserKey], a keyed hash; a user id never gets here.
//   - A [Set] numbers each version of a tally; a store that keeps, for each
//     producer and [Key], only the highest number counts every outcome once,
//     however often a version is sent or an acknowledgement is lost. A closed
//     minute never opens again: late outcomes count in the first open one.
//   - An outcome id has one spelling, so feedback kept by id counts once.
//   - What was not measured is kept apart from what was measured as 0.
//
// # Failure
//
// An outcome that cannot be true is refused with an [InvalidError] and changes
// nothing. Bytes that are not a tally give [ErrCorrupt], never a half-read tally.
// A Set that may not grow counts what it had to refuse; see [ErrFull].
package outcome
