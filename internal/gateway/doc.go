// Package gateway stands in front of two existing HTTP services, the old and the
// new architecture, and sends each user's requests to the one of his cohort. Neither
// service needs a change.
//
// # Invariants
//
//   - Upstreams come from the configuration alone; nothing in a request chooses one.
//   - Each request of a client is one request to the upstream that serves it. What
//     the two ends could take apart differently (see framing.go) is refused, or the
//     connection ends after it.
//   - A request whose user is ambiguous (a header twice or under another spelling, a
//     cookie or a JSON field twice) is refused: the gateway and the service might
//     take it for different users. A request without a user is served by old.
//   - When new's answer arrives, and before anything of it goes to the client, the
//     decision is made again. If the user would no longer be sent to new (the lease
//     ended, a rollback came), the answer is dropped and old serves, if the request
//     can be repeated (see [FallbackRule]). WebSockets and event streams that run
//     longer end when their user is taken back.
//   - Every request that was decided leaves one outcome, with the architecture that
//     was decided; requests that their client gave up leave none.
//   - A new service that hangs cannot starve old: each upstream has its own
//     connections and its own bound on what is under way in it.
//   - Nothing on a request's path waits for the database. User ids reach neither
//     logs nor metrics nor the client.
//
// # When things fail
//
//   - new: connection error, timeout, saturation, status 500 or above: counted
//     against new, and old serves the same request within what is left of its time,
//     if it can be repeated; else the client gets new's answer, or 502, 503 or 504.
//   - old: the client gets old's answer, or 502, 503 or 504.
//   - no valid lease: old serves, reason STALE.
package gateway
