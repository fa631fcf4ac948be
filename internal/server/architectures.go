package server

import (
	"fmt"

	"github.com/nlpcanary/nlpcanary/extract"
	"github.com/nlpcanary/nlpcanary/internal/config"
)

// Architecture makes the architecture that a configuration names.
func Architecture(c config.Architecture) (extract.Extractor, error) {
	switch c.Use {
	case config.BuiltinSingle:
		return extract.NewSingle(), nil
	case config.BuiltinEnsemble:
		return extract.NewEnsemble(), nil
	}
	return nil, fmt.Errorf("%q is not an architecture", c.Use)
}

// Architectures makes the old and the new architecture of a configuration; nil where
// it names none.
func Architectures(c config.Architectures) (old, canary extract.Extractor, err error) {
	if c.Old != nil {
		if old, err = Architecture(*c.Old); err != nil {
			return nil, nil, fmt.Errorf("making the old architecture: %w", err)
		}
	}
	if c.New != nil {
		if canary, err = Architecture(*c.New); err != nil {
			return nil, nil, fmt.Errorf("making the new architecture: %w", err)
		}
	}
	return old, canary, nil
}
