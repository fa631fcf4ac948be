// Package evidence says how strongly what was measured speaks for or against the new
// architecture. It is pure: it reads an [outcome.Window], fetches nothing and changes
// nothing.
//
// # Invariants
//
//   - Evidence is an e-value: a weighted mean of likelihood ratios whose mean is at
//     most 1 when there is no harm, whatever happens. It is kept as its logarithm.
//     By Ville's inequality it ever reaches 1/alpha with a probability of at most
//     alpha, so it may be looked at all the time: [Judge] is called at each look, and
//     whoever acts on "at least 1/alpha" once is wrong with at most that probability.
//   - A [outcome.Window] is one epoch: one stage, one split of users. Evidence begins
//     again at each stage, and the caller sees to that by passing that stage's window.
//     Users stay where they are, so the stages depend on each other and their e-values
//     are never multiplied; the alphas of the stages add up instead.
//   - Counts are compared within blocks of a minute and a region, so that neither a
//     change in time nor a change of the mix of regions looks like an effect.
//   - The user is the unit of randomisation. Variances come from sums over user-hash
//     buckets, never from counting requests as if they were independent.
//   - What was not measured is NO_DATA or nil. It is never taken for good.
//
// # What holds exactly, and what nearly
//
// The first errors of users (A2) are exact for the null "no effect for any user". The
// tests of counts (A1, B) hold exactly for independent requests and are tempered by
// the estimated design effect for dependent ones; the tests of means (C) rest on the
// central limit theorem, a variance floor and a start after 100 requests. How often
// they are wrong is not argued but measured: [Validate] simulates it, and the tests
// check that it finds out when a part is missing. docs/statistics.md has the table.
package evidence
