// Package rollout is the domain of nlpcanary: stages, buckets, decisions and
// the rules by which a rollout may change. It is pure: it imports only the
// standard library, reads no clock, draws no random numbers and does no I/O.
//
// # Invariants
//
//   - One user has one bucket, on every platform and for ever:
//     [BucketOf] is a function of the salt and the user id alone.
//   - Raising the percentage only ever moves users from old to new;
//     lowering it only ever moves users from new to old.
//   - Every change of a [State] goes through [State.Apply], which either
//     returns a complete new state or says why not and changes nothing.
//   - A rollback is never refused, whatever state the rollout is in; only a
//     target above the current stage is, because that is not a rollback.
//
// # When in doubt
//
// The old architecture serves. A bad user id decides old with reason
// [ReasonError]; a missing kill switch counts as switched off; a nil [Plan]
// decides old with reason [ReasonStale].
package rollout
