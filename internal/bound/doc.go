// Package bound proves the promise about rollbacks on a real database: after a
// rollback committed, no instance decides for new for longer than the lease,
// whatever happens between it and the database.
//
// Several instances, each with a store, a follower and (on PostgreSQL) a proxy of
// its own, decide without pause. In each round every instance gets a fault of its
// own, a rollback is made past the proxies at a random moment, and the last decision
// for new of each instance is compared with the moment of the rollback.
//
// The measure is taken against the promise: the rollback's moment is when it was
// asked for, not when it was committed, and a decision's moment is after it was
// made. What is reported is never less than what was.
//
// The proof works on state of its own: a schema of its own in the PostgreSQL
// database, a file of its own beside the SQLite one. Both are removed at the end.
package bound
