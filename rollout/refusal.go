package rollout

import (
	"fmt"
	"time"
)

// Code says, for programs, why a change was refused.
type Code string

// The reasons for which a change is refused.
const (
	CodeInvalid       Code = "invalid"         // a value breaks a rule; Field names it
	CodeNotFound      Code = "not_found"       // what the change names does not exist
	CodeAlreadyExists Code = "already_exists"  // what the change would create exists
	CodeAtFullRollout Code = "at_full_rollout" // there is no stage after 4
	CodeNotARollback  Code = "not_a_rollback"  // the target is above the current stage
	CodeUnapproved    Code = "not_approved"    // too few people approved the next stage
	CodePaused        Code = "paused"          // automation is paused
	CodeSoak          Code = "soak_not_over"   // the stage has not stood long enough
	CodeLatched       Code = "latched"         // automation may not advance after a rollback
	CodeFinalised     Code = "finalised"       // the rollout is over
	CodeNotFinished   Code = "not_finished"    // the rollout is still under way
	CodeAuditBroken   Code = "audit_broken"    // the audit trail does not verify
	CodeForbidden     Code = "forbidden"       // the actor's role may not do this
	CodeConflict      Code = "conflict"        // somebody else changed the state first
)

// Refusal is why a change was not made. Nothing has changed when it is
// returned. Match on its code with [RefusedAs].
type Refusal struct {
	Code    Code
	Field   string // the offending field, if one is
	Message string // what was wrong
	Hint    string // what would be right, or what to do next
}

func (r *Refusal) Error() string {
	if r.Hint == "" {
		return r.Message
	}
	return r.Message + "; " + r.Hint
}

// ConflictError is the refusal of a change that was based on an older revision,
// or that looks like a double of one just made. It names who was first.
type ConflictError struct {
	Base     int64 // the revision the change was based on; 0 if it named none
	Current  int64 // the revision that stands
	LastBy   string
	LastAt   time.Time
	LastDone Action
}

func (e *ConflictError) Error() string {
	first := fmt.Sprintf("%s did %q at %s (revision %d stands now)",
		e.LastBy, e.LastDone, e.LastAt.UTC().Format(time.RFC3339), e.Current)
	if e.Base == 0 {
		return "a moment ago " + first + "; look at the status and repeat the request with the revision you saw"
	}
	return fmt.Sprintf("the change was based on revision %d, but %s; look at the status and decide again", e.Base, first)
}

func refuse(code Code, message, hint string) error {
	return &Refusal{Code: code, Message: message, Hint: hint}
}

func invalid(field, message, hint string) error {
	return &Refusal{Code: CodeInvalid, Field: field, Message: message, Hint: hint}
}
