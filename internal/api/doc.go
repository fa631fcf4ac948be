// Package api is the HTTP face of nlpcanary: the admin API, the data plane, OFREP
// and the event stream.
//
// # Invariants
//
//   - Every error is an RFC 9457 problem (application/problem+json) that says what
//     was wrong and what would be right; OFREP's evaluations answer their own error
//     shape. problem.go is the one place where an error gets its status.
//   - Every route but the health checks, /metrics and the API's own description
//     names the permission it needs, and is refused without it.
//   - Requests are read strictly: unknown and duplicate fields, invalid UTF-8 and
//     anything after the body are refused, and then nothing has changed.
//   - User ids, texts and tokens are never logged: the access log names the route's
//     pattern, not the path or the query.
//
// # Failure
//
// Without a trusted state, decisions are still answered (old, reason STALE) and
// readiness fails. Without a database, changes answer 503 and nothing is half done.
// Extractions beyond what the instance can take answer 503 with Retry-After, while
// decisions go on.
package api
