// Package shadow sends a share of old's requests to new as well, beside their users,
// and compares what the two made of them.
//
// # Invariants
//
//   - Nobody waits for a copy, and nobody gets its answer.
//   - Work is bounded: so many copies at once, so many waiting. What finds no room is
//     dropped and counted.
//   - No copy is made while the kill switch is off, the glass broken or the state stale:
//     then new is to have nothing at all.
package shadow
