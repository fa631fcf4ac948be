// Package bound proves the promise about rollbacks on a real database: after a
// rollback committed, no instance decides for new for longer than the lease,
// whatever happens between it and the database.
//
// Several subjects decide without pause: instances with a store, a follower and (on
// PostgreSQL) a proxy of their own, and instances that are processes of their own, which
// can be stopped and continued, and clients of the SDK behind servers that are such
// instances. In each round every subject gets a fault that it can
// suffer, a rollback is made past the proxies at a random moment, and the last decision
// for new of each subject is compared with the moment of the rollback. To add a kind of
// subject is to implement the interface of that name.
//
// The times reported are never less than what was: from the moment at which the
// rollback was asked for to the moment after the decision was made. The promise
// counts as broken when it surely was: a decision for new was begun later than one
// lease after the rollback had been confirmed. A busy machine, which stops goroutines
// anywhere, can stretch the first and cannot cause the second.
//
// The proof works on state of its own: a schema of its own in the PostgreSQL
// database, a file of its own beside the SQLite one. Both are removed at the end.
package bound
