// Package demo runs a whole rollout on real input in under a minute: a server on
// an embedded database, prose sent through it as 2,000 users, every stage, a new
// architecture that starts to fail, and the rollback.
//
// Nothing is staged: every number shown was counted from answers of the server,
// which is asked over HTTP like any other. The demo checks its own claims (the
// cohorts' shares, that no user flapped, that every text was answered, that the
// rollback held) and fails if one does not hold.
package demo
