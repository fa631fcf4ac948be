package server

import (
	"context"
	"fmt"
	"sync"

	"github.com/nlpcanary/nlpcanary/extract"
	"github.com/nlpcanary/nlpcanary/extract/remote"
	"github.com/nlpcanary/nlpcanary/internal/api"
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
	service, err := c.Remote()
	if err != nil {
		return nil, err
	}
	return remote.New(service)
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

// probeServices probes the health of those architectures that are services, until the
// context ends. end waits for that, and closes their connections.
func probeServices(ctx context.Context, architectures ...extract.Extractor) (end func()) {
	var probing sync.WaitGroup
	for _, a := range architectures {
		if service, isService := a.(*remote.Service); isService {
			probing.Go(func() {
				service.Watch(ctx)
				<-ctx.Done()
				service.Close()
			})
		}
	}
	return probing.Wait
}

// describe tells of an architecture what status shows.
func describe(e extract.Extractor) api.RunningArchitecture {
	service, isService := e.(*remote.Service)
	if !isService {
		return api.RunningArchitecture{Name: e.Name()}
	}
	c := service.Condition()
	return api.RunningArchitecture{
		Name: e.Name(), URL: service.URL(), Protocol: string(service.Protocol()),
		Breaker: c.Breaker, NotReady: c.NotReady, UnderWay: &c.UnderWay,
	}
}
