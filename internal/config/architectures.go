package config

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/nlpcanary/nlpcanary/extract"
	"github.com/nlpcanary/nlpcanary/extract/gold"
	"github.com/nlpcanary/nlpcanary/extract/remote"
)

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
// the value of "use". All but Use are for a service, see [remote.Config].
type Architecture struct {
	// Use is [BuiltinSingle], [BuiltinEnsemble] or the URL of a service.
	Use         string            `yaml:"use"`
	Name        string            `yaml:"name"`
	Protocol    string            `yaml:"protocol"` // json, v2 or spacy
	Model       string            `yaml:"model"`
	Unit        string            `yaml:"unit"`   // rune, byte or utf16
	Labels      map[string]string `yaml:"labels"` // of spaCy, to types
	Timeout     string            `yaml:"timeout"`
	MaxResponse int64             `yaml:"max_response"` // bytes
	Concurrency int               `yaml:"concurrency"`
	Health      string            `yaml:"health"`
	HealthEvery string            `yaml:"health_every"`
}

// UnmarshalYAML takes the short form as well.
func (a *Architecture) UnmarshalYAML(decode func(any) error) error {
	if err := decode(&a.Use); err == nil {
		return nil
	}
	type plain Architecture
	return decode((*plain)(a))
}

// Builtin says whether the architecture is no service.
func (a Architecture) Builtin() bool { return a.Use == BuiltinSingle || a.Use == BuiltinEnsemble }

// Remote is the configuration of the service. The error is of the kind that the file's
// reader refuses with.
func (a Architecture) Remote() (remote.Config, error) {
	c, _, err := a.remote()
	return c, err
}

// remote also names the field that an error is about; empty if it is about all.
func (a Architecture) remote() (c remote.Config, field string, err error) {
	c = remote.Config{
		Name: a.Name, URL: a.Use, Protocol: remote.Protocol(a.Protocol), Model: a.Model, Unit: extract.Unit(a.Unit),
		MaxResponse: a.MaxResponse, Concurrency: a.Concurrency, Health: a.Health,
	}
	switch c.Unit {
	case "", extract.UnitRune, extract.UnitByte, extract.UnitUTF16:
	default:
		return c, "unit", fmt.Errorf("%q is not a unit: rune, byte or utf16", a.Unit)
	}
	if a.MaxResponse < 0 {
		return c, "max_response", fmt.Errorf("%d is not a number of bytes above 0", a.MaxResponse)
	}
	if a.Concurrency < 0 || a.Concurrency > maxConcurrency {
		return c, "concurrency", fmt.Errorf("%d is not from 1 to %d", a.Concurrency, maxConcurrency)
	}
	for _, t := range []struct {
		field, text string
		into        *time.Duration
	}{{"timeout", a.Timeout, &c.Timeout}, {"health_every", a.HealthEvery, &c.HealthEvery}} {
		if t.text == "" {
			continue
		}
		d, err := time.ParseDuration(t.text)
		if err != nil || d < minTime || d > maxTime {
			return c, t.field, fmt.Errorf("%q is not a time from %s to %s, such as 2s", t.text, minTime, maxTime)
		}
		*t.into = d
	}
	if a.Labels != nil {
		if c.Protocol != remote.SpaCy {
			return c, "labels", fmt.Errorf("only the protocol spacy has labels")
		}
		labels := gold.Labels{}
		for label, t := range a.Labels {
			if err := labels.ParseLabel(label + "=" + t); err != nil {
				return c, "labels", fmt.Errorf("%q is not a type: location, character, atmosphere, object or action", t)
			}
		}
		c.Labels = labels
	}
	if _, err := remote.New(c); err != nil {
		return c, "", err
	}
	return c, "", nil
}

// Bounds of what a service's configuration may say.
const (
	minTime        = time.Millisecond
	maxTime        = time.Hour
	maxConcurrency = 10_000
)

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
	if a.Builtin() {
		if only := (Architecture{Use: a.Use}); !reflect.DeepEqual(a, only) {
			return at.refuse("%s takes no other keys: they are for a service", a.Use)
		}
		return nil
	}
	if !strings.HasPrefix(a.Use, "http://") && !strings.HasPrefix(a.Use, "https://") {
		return at.refuse("%q is not an architecture: use %s, %s or an http or https URL", a.Use, BuiltinSingle, BuiltinEnsemble)
	}
	if _, field, err := a.remote(); err != nil {
		if field != "" {
			at = at.field(field)
		}
		return at.refuse("%v", err)
	}
	return nil
}
