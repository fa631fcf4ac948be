// Package store keeps all state in SQLite or PostgreSQL, behind one set of queries.
//
// # Invariants
//
//   - [Store.Apply] is the only way to change state. It authorises the actor, runs
//     the rule, writes the state and its history row, appends the audit entry and
//     raises the revision in one transaction, which the revision's row serialises.
//   - The state is one JSON document, in nlpcanary_clock. The mission's tables
//     nlp_rollout_config and feature_flags are written in the same transaction.
//     feature_flags.enabled is authoritative: SQL typed into the database holds, and
//     reaches the audit trail with the next Apply or Reconcile.
//   - An audit entry is never updated or deleted. Entries form a Merkle log; see
//     audit.go for its encoding and verify.go for what a verification finds.
//   - A renewal is one statement that writes and answers from one snapshot; see
//     queries/state.sql for why its answer bounds staleness.
//   - The queries in queries/ run on both databases as they are; what differs stands
//     in migrations/, sqlite.go, postgres.go, watch.go and doctor.go.
//   - A user id never reaches the database.
//
// # Failure
//
// A failed transaction leaves nothing behind. An error of the database itself,
// as opposed to a refusal, matches [ErrDatabase].
package store

import (
	"encoding/json"
	"errors"
	"time"

	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// Errors to branch on. A change that the rules refuse is a *rollout.Refusal or a
// *rollout.ConflictError instead.
var (
	// ErrDatabase: the database could not be reached, or failed.
	ErrDatabase = errors.New("database error")
	// ErrNotMigrated: the database has no nlpcanary schema, or an older one.
	ErrNotMigrated = errors.New("the database has not been migrated")
	// ErrNewerSchema: the database was migrated by a newer nlpcanary.
	ErrNewerSchema = errors.New("the database belongs to a newer version of nlpcanary")
	// ErrUnknownOutcome: the connection broke while a change was being committed, and
	// the database could not be asked whether it was.
	ErrUnknownOutcome = errors.New("it is not known whether the change was made")
	// ErrKeyReused: an idempotency key came back with a different request.
	ErrKeyReused = errors.New("this idempotency key was used for a different request")
	// ErrFeedbackExists: the outcome has had feedback that says something else.
	ErrFeedbackExists = errors.New("this outcome has feedback already")
)

// Options says how to open a store.
type Options struct {
	// Migrate creates or upgrades the schema. Without it an unmigrated database
	// gives ErrNotMigrated, and nothing is written or created: a command at 3 a.m.
	// must not change a schema.
	Migrate bool
	// Now is the clock; time.Now if nil.
	Now func() time.Time
}

// Request is one change to make.
type Request struct {
	Change rollout.Change
	Actor  rollout.Actor
	Note   string
	// Base is the revision the change was based on; 0 for none.
	Base int64
	// IdempotencyKey, if set, makes a repetition of the request by the same actor
	// return the first answer: 1 to 255 printable ASCII characters, remembered for
	// 24 hours.
	IdempotencyKey string
	// DryRun runs the rule and writes nothing.
	DryRun bool
}

// Applied is a change that was made, or would be made by a dry run.
type Applied struct {
	rollout.Result
	// Was is the state before.
	Was rollout.State
	// At is when the change was made.
	At time.Time
	// Replayed is true when an idempotency key brought back the first answer.
	// State is then the state that the first answer left.
	Replayed bool
}

// HistoryEntry is one row of nlp_rollout_config.
type HistoryEntry struct {
	ID         int64
	Rollout    string
	Stage      rollout.Stage
	Percentage rollout.Percent
	UpdatedAt  time.Time
	UpdatedBy  string
	Notes      string
	Revision   int64
}

// Instance is what is known of a running instance from its heartbeats.
type Instance struct {
	ID         string
	Region     rollout.Region
	Version    string
	Address    string
	StartedAt  time.Time
	SeenAt     time.Time // by the instance's clock
	Revision   int64     // that it honours
	Lease      time.Duration
	BreakGlass bool
	CacheSize  int
}

// AuditEntry is one change, for ever.
type AuditEntry struct {
	Revision int64           `json:"revision"`
	At       time.Time       `json:"at"`
	Actor    string          `json:"actor"`
	Role     rollout.Role    `json:"role"`
	Action   rollout.Action  `json:"action"`
	Subject  string          `json:"subject"`
	Before   json.RawMessage `json:"before"`
	After    json.RawMessage `json:"after"`
	Note     string          `json:"note"`
	Warnings []string        `json:"warnings"`
	Source   rollout.Source  `json:"source"`
	// StateDigest is the SHA-256, in hexadecimal, of the state document after the
	// change, so that a document changed behind the log's back shows.
	StateDigest string `json:"state_digest"`
}

// AuditQuery selects audit entries, newest first.
type AuditQuery struct {
	Limit  int   // 1 to 1,000; 0 means 50
	Before int64 // only revisions below; 0 for no bound
	After  int64 // only revisions above
	Action rollout.Action
	Actor  string
	// Oldest turns the order round: oldest first.
	Oldest bool
}

// AuditReport is the result of a verification.
type AuditReport struct {
	OK      bool   `json:"ok"`
	Entries int64  `json:"entries"`
	Root    string `json:"root_hash"` // of the Merkle tree over all entries, base64
	// FirstBad is the revision of the first entry that is wrong; 0 if none is.
	FirstBad int64 `json:"first_bad_revision,omitempty"`
	// Problem says what is wrong with it, in words.
	Problem string `json:"problem,omitempty"`
	// Extends says that the log extends the signed head it was checked against.
	Extends bool `json:"extends_head,omitempty"`
}

// Secrets are the installation's keys, drawn when the database is created.
type Secrets struct {
	UserKey   []byte // for rollout.Keyer, 32 bytes
	OutcomeID []byte // for outcome.Sealer, 32 bytes
}

// Feedback is what somebody said about one outcome.
type Feedback struct {
	OutcomeID string
	Ticket    outcome.Ticket
	Feedback  outcome.Feedback
	Actor     string
}

// OutcomeQuery selects tallies and feedback.
type OutcomeQuery struct {
	Rollout string // required
	Epoch   int64  // 0 for all epochs of the rollout
	Region  *rollout.Region
	From    time.Time // inclusive; zero for no bound
	To      time.Time // exclusive
}
