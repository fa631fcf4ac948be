package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Flag is a feature flag. The kill switch [KillSwitch] is one.
type Flag struct {
	Name         string    `json:"name"`
	Enabled      bool      `json:"enabled"`
	Category     string    `json:"category"`
	Description  string    `json:"description"`
	DefaultValue bool      `json:"default_value"`
	CreatedAt    time.Time `json:"created_at"`
	UpdatedAt    time.Time `json:"updated_at"`
}

func flagName(f Flag) string { return f.Name }

// equal reports whether the flags are the same; times may be in different zones.
func (f Flag) equal(g Flag) bool {
	sameTimes := f.CreatedAt.Equal(g.CreatedAt) && f.UpdatedAt.Equal(g.UpdatedAt)
	f.CreatedAt, f.UpdatedAt = g.CreatedAt, g.UpdatedAt
	return sameTimes && f == g
}

// SetFlag switches a flag. Switching the kill switch off makes users safer and
// needs operator; everything else needs admin.
type SetFlag struct {
	Name    string
	Enabled bool
}

// Action is "flag.set".
func (SetFlag) Action() Action { return ActionFlagSet }

// Needs operator to kill, admin otherwise.
func (f SetFlag) Needs() Permission {
	if f.Name == KillSwitch && !f.Enabled {
		return Operate
	}
	return Administer
}

func (f SetFlag) apply(s *State, c Context) (effect, error) {
	old, ok := s.Flag(f.Name)
	if !ok && takesBack(f) {
		// The row was deleted in the database; a missing kill switch counts as off.
		return effect{subject: "flag/" + f.Name, unchanged: true}, nil
	}
	if !ok {
		return effect{}, &Refusal{Code: CodeNotFound, Field: "name", Message: "there is no flag " + strconv.Quote(clip(f.Name)), Hint: "list the flags to see which there are"}
	}
	eff := effect{subject: "flag/" + f.Name, before: old, after: old}
	if old.Enabled == f.Enabled {
		eff.unchanged = true
		return eff, nil
	}
	changed := old
	changed.Enabled, changed.UpdatedAt = f.Enabled, c.At
	s.Flags = put(s.Flags, changed, flagName)
	eff.after = changed
	return eff, nil
}

// CreateFlag adds a flag, which starts at its default value.
type CreateFlag struct {
	Name         string
	Category     string // at most 100 characters
	Description  string // at most 1,000 characters
	DefaultValue bool
	// Enabled is the value to start with, if it is not the default one.
	Enabled *bool
}

// Action is "flag.create".
func (CreateFlag) Action() Action { return ActionFlagCreate }

// Needs admin.
func (CreateFlag) Needs() Permission { return Administer }

// MaxFlags is how many flags there may be.
const MaxFlags = 1000

func (f CreateFlag) apply(s *State, c Context) (effect, error) {
	if err := checkName("name", f.Name, 1, 100); err != nil {
		return effect{}, err
	}
	if err := checkText("category", f.Category, 0, 100, false); err != nil {
		return effect{}, err
	}
	if err := checkText("description", f.Description, 0, 1000, true); err != nil {
		return effect{}, err
	}
	if _, exists := s.Flag(f.Name); exists {
		return effect{}, &Refusal{Code: CodeAlreadyExists, Field: "name", Message: fmt.Sprintf("the flag %s exists already", f.Name), Hint: "set it instead"}
	}
	if len(s.Flags) >= MaxFlags {
		return effect{}, invalid("name", fmt.Sprintf("there are %d flags already", len(s.Flags)), "reuse one of them")
	}
	flag := Flag{Name: f.Name, Enabled: f.DefaultValue, Category: f.Category, Description: f.Description, DefaultValue: f.DefaultValue, CreatedAt: c.At, UpdatedAt: c.At}
	if f.Enabled != nil {
		flag.Enabled = *f.Enabled
	}
	s.Flags = put(s.Flags, flag, flagName)
	return effect{subject: "flag/" + f.Name, after: flag}, nil
}

// DirectFlags records that the flags were changed in the database itself, by SQL,
// so that such a change is in the audit trail as well. Only the store makes it.
type DirectFlags struct {
	Found []Flag // all flags as they stand in the database, in any order
}

// Action is "flag.direct".
func (DirectFlags) Action() Action { return ActionFlagDirect }

// Needs nothing beyond reading: the change has happened already.
func (DirectFlags) Needs() Permission { return View }

func (f DirectFlags) apply(s *State, _ Context) (effect, error) {
	// The database sorts by its own collation, and Flag searches by bytes.
	found := append([]Flag{}, f.Found...)
	slices.SortFunc(found, func(a, b Flag) int { return cmp.Compare(a.Name, b.Name) })

	was, is := map[string]bool{}, map[string]bool{} // only the flags that were switched
	for _, flag := range s.Flags {
		was[flag.Name] = flag.Enabled
	}
	switched := map[string]struct{}{}
	for _, flag := range found {
		enabled, existed := was[flag.Name]
		if existed && enabled == flag.Enabled {
			delete(was, flag.Name)
			continue
		}
		is[flag.Name] = flag.Enabled
		switched[flag.Name] = struct{}{}
	}
	for name := range was {
		switched[name] = struct{}{}
	}
	eff := effect{subject: "flags", before: was, after: is, unchanged: slices.EqualFunc(s.Flags, found, Flag.equal)}
	if len(switched) == 1 {
		for name := range switched {
			eff.subject = "flag/" + name
		}
	}
	s.Flags = found
	return eff, nil
}
