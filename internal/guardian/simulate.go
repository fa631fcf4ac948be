package guardian

import (
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/advisor"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// Truth is how one architecture really is, which only a simulation knows.
type Truth struct {
	// Errors and Timeouts are shares of requests, 0 to 1.
	Errors, Timeouts float64
	// Time is the median processing time; times are lognormal with a sigma of 0.8.
	Time time.Duration
	// Recall and Precision of descriptions, 0 to 1, on labelled texts.
	Recall, Precision float64
}

// Simulation is a rollout in compressed time.
type Simulation struct {
	Old, New Truth
	// Users there are, and RequestsPerDay by all of them together.
	Users          int
	RequestsPerDay float64
	// Clustering is the intra-class correlation of errors within a user, 0 to less than
	// 1: 0 for independent requests, 0.05 for users who err together.
	Clustering float64
	// Labelled is the share of requests that get labels, 0 to 1.
	Labelled float64
	// GoldTexts is how many labelled texts both architectures read before stage 1.
	GoldTexts int
	// Settings are those of the installation: guardian's mode, limits, soak times.
	Settings rollout.Settings
	// Person advances when the soak is over and nothing advises against it, in modes in
	// which the guardian does not.
	Person bool
	// Days is how long it may take; Every the time between two looks.
	Days  int
	Every time.Duration
	Seed  uint64
}

// Event is something that happened in a simulation.
type Event struct {
	// After is how long after the beginning.
	After time.Duration
	// By is the guardian, a person, or nobody: then only the advice changed.
	By    string
	Stage rollout.Stage
	What  string
	Why   string
}

// Simulated is what came of it.
type Simulated struct {
	Events []Event
	// Stage is where the rollout stood at the end, after this time.
	Stage rollout.Stage
	After time.Duration
	// RolledBack says that the guardian took everyone back.
	RolledBack bool
	// Requests on old and new, and errors and timeouts on new that old would not have had.
	OldRequests, NewRequests int64
	Excess                   float64
}

// simulated is a simulation under way.
type simulated struct {
	Simulation
	random *rand.Rand
	start  time.Time
	now    time.Time
	state  rollout.State
	users  []simulatedUser
	window outcome.Window
	gold   []outcome.Pair
	out    Simulated
	advice advisor.Kind
}

// simulatedUser has an own rate of errors, where errors are clustered.
type simulatedUser struct {
	key    rollout.UserKey
	bucket rollout.Bucket
	erring float64 // quantile of the user's proneness to errors, 0 to 1
}

// Simulate plays a rollout from stage 0, with the same judgement, advice and rules as
// the real one. Progress, if not nil, is told of each day.
func Simulate(ctx context.Context, sim Simulation, progress func()) (Simulated, error) {
	s := &simulated{Simulation: sim, random: rand.New(rand.NewPCG(sim.Seed, 0x5eed)), start: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	s.now = s.start
	s.state = rollout.Initial(s.start.Add(-time.Hour))
	s.state.Settings = sim.Settings
	s.state.Rollout.Finalised = true // so that the next one may start
	s.change(rollout.Start{Name: "simulated", OldName: "old", NewName: "new", Salt: "simulation"}, simulatedPerson)
	s.populate()
	end := s.start.AddDate(0, 0, sim.Days)
	for day := s.start; s.now.Before(end); {
		if err := ctx.Err(); err != nil {
			return Simulated{}, err
		}
		s.serve()
		if done := s.look(); done {
			break
		}
		if s.now.Sub(day) >= 24*time.Hour {
			day = s.now
			if progress != nil {
				progress()
			}
		}
	}
	s.out.Stage, s.out.After = s.state.Rollout.Stage, s.now.Sub(s.start)
	return s.out, nil
}

var simulatedPerson = rollout.Actor{Name: "person", Role: rollout.RoleAdmin, Source: rollout.SourceCLI}

// populate makes the users and the labelled texts.
func (s *simulated) populate() {
	s.users = make([]simulatedUser, s.Users)
	for i := range s.users {
		u := &s.users[i]
		binary.BigEndian.PutUint64(u.key[:8], s.random.Uint64())
		binary.BigEndian.PutUint64(u.key[8:], s.random.Uint64())
		u.bucket = rollout.Bucket(s.random.IntN(100))
		u.erring = s.random.Float64()
	}
	for range s.GoldTexts {
		// The same text is as hard for both: what differs is what each finds of it.
		n := 3 + s.random.IntN(10)
		s.gold = append(s.gold, outcome.Pair{Old: s.labels(s.Old, n), New: s.labels(s.New, n)})
	}
	s.reset()
}

// labels of a text with that many descriptions.
func (s *simulated) labels(t Truth, n int) outcome.Labels {
	var l outcome.Labels
	for range n {
		if s.random.Float64() < t.Recall {
			l.Correct++
		} else {
			l.Missed++
		}
		// As many wrong ones that the precision comes out right on average.
		if t.Precision > 0 && s.random.Float64() < t.Recall*(1/t.Precision-1) {
			l.Wrong++
		}
	}
	return l
}

// reset begins an epoch: evidence is never carried from one to another. What is slow
// was frozen at the truth's 95th percentile.
func (s *simulated) reset() {
	s.window = outcome.Window{
		Old: outcome.Cohort{Tally: new(outcome.Tally)}, New: outcome.Cohort{Tally: new(outcome.Tally)},
		SlowOver: time.Duration(1.3 * float64(s.Old.Time) * math.Exp(1.645*spread)), SlowFrom: outcome.MinuteOf(s.now),
	}
}

// spread is the sigma of lognormal processing times.
const spread = .8

// serve is the requests until the next look.
func (s *simulated) serve() {
	for until := s.now.Add(s.Every); s.now.Before(until); s.now = s.now.Add(time.Minute) {
		block := outcome.Block{Minute: outcome.MinuteOf(s.now)}
		for range s.poisson(s.RequestsPerDay / (24 * 60)) {
			s.request(&block)
		}
		if block.Old.Requests+block.New.Requests > 0 {
			s.window.Blocks = append(s.window.Blocks, block)
		}
	}
}

func (s *simulated) request(block *outcome.Block) {
	u := &s.users[s.random.IntN(len(s.users))]
	truth, counts, cohort := s.Old, &block.Old, &s.window.Old
	s.out.OldRequests++
	if int(u.bucket) < int(s.state.EffectivePercentage()) {
		truth, counts, cohort = s.New, &block.New, &s.window.New
		s.out.OldRequests--
		s.out.NewRequests++
		s.out.Excess += s.New.Errors + s.New.Timeouts - s.Old.Errors - s.Old.Timeouts
	}
	o := outcome.Outcome{UserKey: u.key, Descriptions: 3}
	o.ProcessingTime = min(time.Duration(float64(truth.Time)*math.Exp(spread*s.random.NormFloat64())), outcome.MaxTime)
	switch roll := s.random.Float64(); {
	case roll < s.proneness(truth.Errors, u):
		o.Error = true
		counts.Errors++
	case s.random.Float64() < truth.Timeouts:
		o.Timeout = true
		counts.Timeouts++
	}
	counts.Requests++
	if o.ProcessingTime > s.window.SlowOver {
		counts.Slow++
	}
	cohort.Tally.Add(&o)
	if s.Labelled > 0 && s.random.Float64() < s.Labelled {
		cohort.Marks[u.key[0]].Add(outcome.Marks{Labels: s.labels(truth, 5), Labelled: 1})
	}
}

// proneness is the user's own rate of errors: two kinds of users, the few of whom make
// all the clustered errors. A share k of users errs at p + (1-p) r, the others at
// p (1 - r), with r = sqrt(clustering); with k = p both the mean p and the intra-class
// correlation come out right.
func (s *simulated) proneness(p float64, u *simulatedUser) float64 {
	r := math.Sqrt(s.Clustering)
	if u.erring < p {
		return p + (1-p)*r
	}
	return p * (1 - r)
}

// poisson draws a count with this mean; by the normal distribution where it is great.
func (s *simulated) poisson(mean float64) int {
	if mean > 50 {
		return max(0, int(math.Round(mean+math.Sqrt(mean)*s.random.NormFloat64())))
	}
	limit, n := math.Exp(-mean), 0
	for p := s.random.Float64(); p > limit; p *= s.random.Float64() {
		n++
	}
	return n
}

// look judges, and does what the guardian and the person do; true if all is over.
func (s *simulated) look() bool {
	in := advisor.Input{State: s.state, At: s.now, Window: s.window}
	in.Judge(nil, s.gold)
	advice := advisor.Recommend(in)
	if advice.Action != s.advice {
		s.advice = advice.Action
		s.tell("", "advice: "+string(advice.Action), advice.Why)
	}
	change := Decide(s.state, advice, s.now)
	switch {
	case change != nil:
		s.change(change, actor)
		s.tell(Name, string(change.Action()), advice.Why)
		if change.Action() == rollout.ActionRollback {
			s.out.RolledBack = true
			return true
		}
	case s.Person && s.personAdvances(advice):
		s.change(rollout.Advance{}, simulatedPerson)
		s.tell(simulatedPerson.Name, string(rollout.ActionAdvance), "the soak is over, and nothing advises against it")
	}
	return s.state.Rollout.Stage == rollout.FullRollout && s.now.Sub(s.state.Rollout.StageSince) >= 24*time.Hour
}

func (s *simulated) personAdvances(advice advisor.Advice) bool {
	return s.state.Rollout.Stage < rollout.FullRollout && !s.now.Before(s.state.SoakEndsAt()) &&
		advice.Action != advisor.KindHold && advice.Action != advisor.KindRollback
}

// change goes through the same rules as every change; a refused one changes nothing.
func (s *simulated) change(change rollout.Change, by rollout.Actor) {
	result, err := s.state.Apply(change, rollout.Context{Actor: by, At: s.now})
	if err != nil {
		s.tell(by.Name, "refused: "+string(change.Action()), err.Error())
		return
	}
	if result.State.Rollout.Epoch != s.state.Rollout.Epoch {
		s.state = result.State
		s.reset()
	}
	s.state = result.State
}

func (s *simulated) tell(by, what, why string) {
	s.out.Events = append(s.out.Events, Event{After: s.now.Sub(s.start), By: by, Stage: s.state.Rollout.Stage, What: what, Why: why})
}
