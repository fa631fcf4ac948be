package config

// Architectures are the two ways to process a text.
type Architectures struct {
	Old *Architecture `yaml:"old"` // builtin:single if nil
	New *Architecture `yaml:"new"` // builtin:ensemble if nil
}

// The built-in architectures.
const (
	BuiltinSingle   = "builtin:single"
	BuiltinEnsemble = "builtin:ensemble"
)

// Architecture is one way to process a text. In the file it is a mapping, or just
// the value of "use".
type Architecture struct {
	// Use is [BuiltinSingle] or [BuiltinEnsemble].
	Use string `yaml:"use"`
}

// UnmarshalYAML takes the short form as well.
func (a *Architecture) UnmarshalYAML(decode func(any) error) error {
	if err := decode(&a.Use); err == nil {
		return nil
	}
	type plain Architecture
	return decode((*plain)(a))
}

func (a Architectures) check(at place) error {
	if a.Old != nil {
		if err := a.Old.check(at.field("old")); err != nil {
			return err
		}
	}
	if a.New != nil {
		return a.New.check(at.field("new"))
	}
	return nil
}

func (a Architecture) check(at place) error {
	switch a.Use {
	case BuiltinSingle, BuiltinEnsemble:
		return nil
	}
	return at.refuse("%q is not an architecture: use %s or %s", a.Use, BuiltinSingle, BuiltinEnsemble)
}
