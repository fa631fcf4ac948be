// Package remote lets an HTTP service be an architecture.
//
// Three protocols are spoken: plain JSON, the Open Inference Protocol v2 over REST
// (KServe, Triton, MLServer) and the JSON of spaCy's Doc.to_json. See [Protocol] for
// what each sends and expects.
//
// # Invariants
//
//   - A [Service] shares nothing with another: connections, the bound on what is
//     under way, and the circuit breaker are its own. One that hangs cannot starve
//     another.
//   - A request takes at most Config.Timeout, reads at most Config.MaxResponse bytes,
//     and goes to the configured address only: redirects are not followed, proxies of
//     the environment not used.
//   - Every offset of an answer is checked against the text before anybody sees it. An
//     answer with one that is wrong is an error, and none of it is used.
//   - Errors quote nothing of the text or of the answer, so they may be logged.
//
// # Failures
//
// A wrong answer is an [*AnswerError] that says what was wrong; a status other than 200
// a [*StatusError]. After several failures the breaker opens, and requests fail at once
// with [ErrOpen] until a trial request succeeds. While the health probe fails they
// fail with [ErrNotReady]. When the context ends first the error wraps the context's.
package remote
