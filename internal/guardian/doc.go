// Package guardian watches the rollout when nobody looks: it judges the evidence
// every few seconds, tells people what is wrong, rolls back on proven harm, and
// advances where it is told to.
//
// # Invariants
//
//   - One instance leads at a time, by a lease in the database; another takes over
//     within seconds. Two that both believe to lead do no harm: what they change
//     is based on the revision they judged, and a rollback is idempotent.
//   - It never fights a person: a rollback latches, a change of stage by hand pauses
//     advancing, and `guardian pause` pauses everything but the alerts.
//   - It rolls back only on proven harm past the limit that people set, within the
//     tick in which the evidence is there. Without data it holds.
//   - Whatever it changes goes through the store's gate, with its evidence in the
//     note, so that the audit trail tells why.
//
// # Failure
//
// A tick that fails is logged once and tried again at the next. While the database is
// away nothing is judged; each instance then tells of that by itself, and the leases
// end, so that everyone is on old.
package guardian
