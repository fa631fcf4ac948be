// Package bench compares nlpcanary with what a team would use instead, in one run on
// one machine: decisions in process with go-feature-flag, Unleash and GrowthBook,
// evaluations over OFREP with go-feature-flag's relay proxy, and what happens to each
// when it is cut off from its source of truth.
//
// It is a module of its own, so that nobody who uses nlpcanary gets these
// dependencies. go.mod names the exact versions. Run it with
//
//	make bench-peers
//
// which prints the table and fails if a goal is missed. wrk (Debian's package) makes
// the load, PostgreSQL's server programs a throwaway cluster.
package bench
