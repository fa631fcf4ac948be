// Package client decides in the caller's own process which architecture a user gets, and
// reports what came of it.
//
// # The lease
//
// A client leases the state from a server, and decides from it without asking anybody.
// The server's answer says what is left of the server's own lease; the client counts it
// from the moment its request was sent. So a client's lease never outlasts its server's,
// and what holds of servers holds of clients: after a rollback has committed, no client
// decides for new for longer than the servers' lease, whatever the network does between
// it, the server and the database. News of a change comes by server-sent events, which
// only make it faster.
//
// # When things fail
//
//   - A server that does not answer, is overloaded or has no lease itself: the next one
//     is asked; when none will do, all are tried again in turn with full jitter.
//   - No lease: everyone gets old, reason STALE.
//   - New fails, panics, hangs or is too slow: old answers the same call ([Run]).
//   - A rollback comes while new works: its answer is dropped, old answers.
//   - Outcomes cannot be shipped: they wait in memory, within the bound of outcome.Set,
//     and count once when they can.
//
// What an answer from a cache says about the lease would not be true. Each request
// carries an id of its own, which the answer must repeat.
package client
