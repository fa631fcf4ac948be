package rollout

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Action names a kind of change, in the audit trail and everywhere else.
type Action string

// The actions.
const (
	ActionInitialise     Action = "initialise"
	ActionAdvance        Action = "advance"
	ActionRollback       Action = "rollback"
	ActionFlagCreate     Action = "flag.create"
	ActionFlagSet        Action = "flag.set"
	ActionFlagDirect     Action = "flag.direct" // typed into the database, found afterwards
	ActionOverrideAdd    Action = "override.add"
	ActionOverrideRemove Action = "override.remove"
	ActionTokenCreate    Action = "token.create"
	ActionTokenRevoke    Action = "token.revoke"
	ActionSettingSet     Action = "setting.set"
	ActionClearCache     Action = "cache.clear"
	ActionStart          Action = "rollout.start"
	ActionFinalise       Action = "rollout.finalise"
	ActionApprove        Action = "rollout.approve"

	ActionGuardianPause  Action = "guardian.pause"
	ActionGuardianResume Action = "guardian.resume"
	ActionAcceptRestore  Action = "restore.accept"
)

// Source says by which way a change came in.
type Source string

// The ways in.
const (
	SourceAPI      Source = "api"
	SourceCLI      Source = "cli"
	SourceGuardian Source = "guardian"
	SourceDatabase Source = "database"
	SourceSystem   Source = "system"
)

// Actor is who makes a change. Name is at most 255 characters.
type Actor struct {
	Name   string
	Role   Role
	Source Source
}

// Context is what a change is judged by, beside the state.
type Context struct {
	Actor Actor
	At    time.Time
	// Note says why: at most 2,000 characters.
	Note string
	// Base is the revision the change was based on; 0 if it names none. A rollback
	// and switching off the kill switch ignore it: they are right whatever came
	// before.
	Base int64
	// AuditBroken says that the audit trail does not verify. It blocks
	// advancing, starting and finalising, never making users safer.
	AuditBroken bool
}

// DoubleWindow is how long after somebody else's advance a bare one, which names
// no base revision, is refused as a probable double.
const DoubleWindow = 5 * time.Second

// Change is one change of the state. The set is closed: the implementations are
// the types of this package.
type Change interface {
	// Action names the kind of change.
	Action() Action
	// Needs is the permission its actor must have.
	Needs() Permission
	// apply changes the draft, which is a copy, or says why not.
	apply(draft *State, c Context) (effect, error)
}

// effect is what a change did, told by the change itself.
type effect struct {
	subject       string
	before, after any // JSON values of the subject; nil where it did not exist
	unchanged     bool
	stageEntry    bool
	warnings      []string
}

// Result is a change that was allowed.
type Result struct {
	State  State // the new state; the old one if Changed is false
	Action Action
	// Subject names the thing changed, such as "rollout/nlp" or "flag/NAME".
	Subject string
	// Before and After are the subject's JSON; null where it did not exist.
	Before, After json.RawMessage
	// Warnings are in words for the actor; they belong in the audit trail too.
	Warnings []string
	// Changed is false when the state already was as asked for: no new revision.
	Changed bool
	// StageEntry says that the change belongs in the history of stages.
	StageEntry bool
}

// Apply makes a change, or returns a [*Refusal] or [*ConflictError] that says why
// not. The receiver is never modified.
func (s State) Apply(change Change, c Context) (Result, error) {
	if need := change.Needs(); !c.Actor.Role.May(need) {
		return Result{}, refuse(CodeForbidden,
			fmt.Sprintf("%q needs the role %s, and %q has the role %q", change.Action(), LeastRole(need), clip(c.Actor.Name), clip(string(c.Actor.Role))),
			"ask somebody who has that role")
	}
	if err := c.check(); err != nil {
		return Result{}, err
	}
	if c.Base != 0 && c.Base != s.Revision && !takesBack(change) {
		return Result{}, s.conflict(c)
	}
	c.At = c.At.UTC().Truncate(time.Microsecond)

	draft := s.clone()
	draft.Revision++
	draft.Last = Last{change.Action(), c.Actor.Name, c.At}
	eff, err := change.apply(&draft, c)
	if err != nil {
		return Result{}, err
	}
	if draft.NewArchitectureEnabled() != s.NewArchitectureEnabled() {
		draft.Rollout.Epoch, draft.Rollout.EpochSince = draft.Revision, c.At
		draft.Approvals = []Approval{}
	}
	if !eff.unchanged {
		draft.noticePerson(change, c)
	}
	result := Result{State: draft, Action: change.Action(), Subject: eff.subject, Warnings: eff.warnings, Changed: !eff.unchanged, StageEntry: eff.stageEntry}
	if eff.unchanged {
		result.State, result.StageEntry = s, false
	}
	if result.Before, err = json.Marshal(eff.before); err != nil {
		return Result{}, fmt.Errorf("encoding what %s was: %w", eff.subject, err)
	}
	if result.After, err = json.Marshal(eff.after); err != nil {
		return Result{}, fmt.Errorf("encoding what %s is: %w", eff.subject, err)
	}
	return result, nil
}

func (s State) conflict(c Context) error {
	return &ConflictError{Base: c.Base, Current: s.Revision, LastBy: s.Last.By, LastAt: s.Last.At, LastDone: s.Last.Action}
}

// takesBack reports whether the change is an emergency stop, which always wins.
func takesBack(change Change) bool {
	switch c := change.(type) {
	case Rollback:
		return true
	case SetFlag:
		return c.Name == KillSwitch && !c.Enabled
	}
	return false
}

func (c Context) check() error {
	if err := checkText("actor", c.Actor.Name, 1, 255, false); err != nil {
		return err
	}
	return checkText("note", c.Note, 0, 2000, true)
}

// checkText checks a human-written value: valid UTF-8, a length in characters, no
// control characters (line breaks and tabs only where lines says so).
func checkText(field, text string, least, most int, lines bool) error {
	rule := fmt.Sprintf("%s is %d to %d characters of valid UTF-8 without control characters", field, least, most)
	if !utf8.ValidString(text) {
		return invalid(field, field+" is not valid UTF-8", rule)
	}
	if n := utf8.RuneCountInString(text); n < least || n > most {
		return invalid(field, fmt.Sprintf("%s is %d characters long", field, n), rule)
	}
	for _, r := range text {
		if unicode.IsControl(r) && (!lines || !strings.ContainsRune("\n\r\t", r)) {
			return invalid(field, field+" contains a control character", rule)
		}
	}
	return nil
}

// checkName checks an identifier: ASCII letters, digits, '-', '_' and '.', of which
// the last does not come first: "." and ".." mean something else in a path.
func checkName(field, text string, least, most int) error {
	rule := fmt.Sprintf("%s is %d to %d ASCII letters, digits, '-', '_' or '.'", field, least, most)
	if len(text) < least || len(text) > most {
		return invalid(field, fmt.Sprintf("%s is %d bytes long", field, len(text)), rule)
	}
	if strings.HasPrefix(text, ".") {
		return invalid(field, field+" begins with a full stop", rule+", and does not begin with '.'")
	}
	for _, r := range text {
		isLetter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !isLetter && (r < '0' || r > '9') && !strings.ContainsRune("-_.", r) {
			return invalid(field, fmt.Sprintf("%s contains %q", field, r), rule)
		}
	}
	return nil
}

// ParseRegion checks a region's name. The empty name is allowed: none was configured.
func ParseRegion(text string) (Region, error) {
	if err := checkName("region", text, 0, 64); err != nil {
		return "", err
	}
	return Region(text), nil
}

// The changes' own records for the audit trail.

type stageRecord struct {
	Stage      Stage   `json:"stage"`
	StageName  string  `json:"stage_name"`
	Percentage Percent `json:"percentage"`
	Latched    bool    `json:"latched,omitempty"`
	Finalised  bool    `json:"finalised,omitempty"`
}

func (r Rollout) record() stageRecord {
	return stageRecord{r.Stage, r.Stage.String(), r.Percentage, r.Latched, r.Finalised}
}

func (r Rollout) subject() string { return "rollout/" + r.Name }

// enter moves the rollout to a stage.
func (s *State) enter(stage Stage, action Action, c Context) {
	r := &s.Rollout
	if r.Stage != stage || action == ActionStart {
		r.Stage, r.Percentage, r.Epoch = stage, stage.Percentage(), s.Revision
		r.StageSince, r.EpochSince = c.At, c.At
	}
	r.UpdatedAt, r.UpdatedBy, r.Notes, r.LastAction = c.At, c.Actor.Name, c.Note, action
	s.Approvals = []Approval{}
}
