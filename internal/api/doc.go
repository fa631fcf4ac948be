// Package api is the HTTP face of nlpcanary: the admin API, the data plane, OFREP
// and the event stream.
//
// # Invariants
//
//   - Every request passes one gate (middleware.go, routes.go): request id, limits,
//     token, role, body. What registers a route also describes it, so that nothing is
//     served that is not in the OpenAPI document.
//   - Every change goes through store.Apply (change.go); this package has no other
//     way to change anything.
//   - Every error is a problem (RFC 9457), made in one place (problem.go), except
//     under /ofrep/, where the protocol gives errors a shape of its own.
//   - A user id, a text and a token's secret never reach a log or a URL that this
//     package makes. The path of a request is logged as its route's pattern.
//
// # When things fail
//
//   - No valid lease: decisions are old with reason STALE, /readyz says so, and
//     tokens still work, from the state that was held last.
//   - The database is down: changes and reports answer 503 database_unavailable with
//     Retry-After; decisions go on.
//   - Overload: what waits is bounded; 503 with Retry-After beyond.
//   - A panic in a handler: 500, logged once with its stack; the process lives.
//
// # Two ways of registering
//
// Admin endpoints are typed functions; huma reads parameters and bodies, checks
// them against the schema, and documents them. Decisions and OFREP are direct
// handlers with a decoder of their own, because reflection would cost more there than
// the decision; so is what is not JSON. They are described by hand.
package api
