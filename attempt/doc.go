// Package attempt takes one call through the architecture of its user's cohort. Servers
// do it to texts (internal/dispatch), clients to whatever they call (client.Run).
//
// # Invariants
//
//   - Whatever the new architecture does (error, panic, timeout, hanging for ever),
//     old serves the same call within what is left of its time budget, and the outcome
//     is recorded against new.
//   - When new's answer arrives, the decision is made again: if the user would no
//     longer be sent to new (the lease ended, a rollback came), the answer is dropped
//     and old serves. So what is called must be free to be done twice.
//   - Every call that reached an architecture leaves exactly one outcome, with the
//     architecture that was decided for the user.
//   - A new architecture that hangs cannot starve old: what may run in it at once is
//     bounded, and beyond that old serves at once.
package attempt
