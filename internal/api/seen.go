package api

import (
	"slices"
	"sync"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// maxSeen is how many states are remembered.
const maxSeen = 64

// Seen remembers the last states, so that a report which names the revision that its
// user was decided at can be checked. The zero Seen has seen nothing; it is safe for
// concurrent use.
type Seen struct {
	mu     sync.Mutex
	states []rollout.State // by revision, ascending
	plans  map[seenPlan]*rollout.Plan
}

type seenPlan struct {
	revision int64
	region   rollout.Region
}

// Add remembers a state. It does not block for long.
func (s *Seen) Add(state rollout.State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.states); n > 0 && s.states[n-1].Revision >= state.Revision {
		if s.states[n-1].Revision == state.Revision {
			return
		}
		// The database went back, and people know.
		s.states, s.plans = nil, nil
	}
	s.states = append(s.states, state)
	if len(s.states) > maxSeen {
		s.states = slices.Delete(s.states, 0, 1)
		s.plans = nil
	}
}

// plan is how users were decided at a revision, 0 for the present one; nil if that is
// not known here.
func (s *Seen) plan(revision int64, region rollout.Region, keyer rollout.Keyer) *rollout.Plan {
	s.mu.Lock()
	defer s.mu.Unlock()
	state := s.at(revision)
	if state == nil {
		return nil
	}
	key := seenPlan{state.Revision, region}
	plan := s.plans[key]
	if plan == nil {
		if len(s.plans) >= 4*maxSeen || s.plans == nil {
			s.plans = map[seenPlan]*rollout.Plan{}
		}
		plan = state.Plan(region, keyer, nil)
		s.plans[key] = plan
	}
	return plan
}

func (s *Seen) at(revision int64) *rollout.State {
	if len(s.states) == 0 {
		return nil
	}
	last := &s.states[len(s.states)-1]
	if revision == 0 {
		return last
	}
	if revision > last.Revision {
		return nil
	}
	for i := len(s.states) - 1; i >= 0; i-- {
		if s.states[i].Revision > revision {
			continue
		}
		// States in between may have gone by unseen.
		if i+1 < len(s.states) && s.states[i+1].Rollout.Epoch <= revision {
			return &s.states[i+1]
		}
		return &s.states[i]
	}
	// Before the first that was seen, but of the same split of users.
	if first := &s.states[0]; revision >= first.Rollout.Epoch {
		return first
	}
	return nil
}

// newest is the present revision; 0 before the first state.
func (s *Seen) newest() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.states) == 0 {
		return 0
	}
	return s.states[len(s.states)-1].Revision
}
