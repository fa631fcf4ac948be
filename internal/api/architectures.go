package api

import (
	"cmp"
	"fmt"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// addArchitectures tells what this instance runs, and warns of what is wrong with it.
// The first rollout's names are not anybody's choice, so they warn of nothing.
func (a *API) addArchitectures(s *Status, state rollout.State) {
	if a.config.Architectures == nil {
		return
	}
	running := a.config.Architectures()
	s.Architectures = &running
	s.OldName, s.NewName = a.names(state.Rollout)
	for _, one := range []struct {
		which, known string
		is           RunningArchitecture
	}{{"old", state.Rollout.OldName, running.Old}, {"new", state.Rollout.NewName, running.New}} {
		if one.is.NotReady != "" || cmp.Or(one.is.Breaker, "closed") != "closed" {
			s.Warnings = append(s.Warnings, fmt.Sprintf("the %s architecture, %s, gets no texts from this instance: %s", one.which, one.is.Name, cmp.Or(one.is.NotReady, "it failed several times in a row")))
		}
		if one.is.Name != one.known && state.Rollout.Name != rollout.DefaultName {
			s.Warnings = append(s.Warnings, fmt.Sprintf("this instance runs %s as the %s architecture, and the rollout was started with %s", one.is.Name, one.which, one.known))
		}
	}
}

// names are those of the architectures: what the rollout was started with, or, of the
// first rollout, which nobody started, what this instance runs.
func (a *API) names(r rollout.Rollout) (old, canary string) {
	if a.config.Architectures == nil || r.Name != rollout.DefaultName {
		return r.OldName, r.NewName
	}
	running := a.config.Architectures()
	return running.Old.Name, running.New.Name
}
