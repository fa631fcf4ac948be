package guardian

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/rollout"
)

func simulation(mode rollout.GuardianMode) Simulation {
	s := rollout.DefaultSettings()
	s.Guardian = mode
	s.SoakStage0, s.SoakStage1 = rollout.Period(2*time.Hour), rollout.Period(4*time.Hour)
	s.SoakStage2, s.SoakStage3 = rollout.Period(4*time.Hour), rollout.Period(4*time.Hour)
	good := Truth{Errors: .02, Time: 50 * time.Millisecond, Recall: .6, Precision: .7}
	return Simulation{
		Old: good, New: good, Users: 4000, RequestsPerDay: 60_000, Labelled: .1, GoldTexts: 300,
		Settings: s, Person: true, Days: 3, Every: 10 * time.Minute, Seed: 1,
	}
}

func (s Simulated) text() string {
	var b strings.Builder
	for _, e := range s.Events {
		b.WriteString(e.After.String() + " " + e.By + " " + e.Stage.String() + " " + e.What + ": " + e.Why + "\n")
	}
	return b.String()
}

func simulate(t *testing.T, sim Simulation) Simulated {
	t.Helper()
	out, err := Simulate(t.Context(), sim, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A bad release is taken back at the first stage that shows it.
func TestSimulatedBadRelease(t *testing.T) {
	t.Parallel()
	sim := simulation(rollout.GuardianGuard)
	sim.New.Errors, sim.GoldTexts = .12, 0
	out := simulate(t, sim)
	last := out.Events[len(out.Events)-1]
	if !out.RolledBack || out.Stage != rollout.Disabled || last.By != Name || !strings.Contains(last.Why, "The error rate") {
		t.Errorf("stage %s:\n%s", out.Stage, out.text())
	}
	if out.NewRequests == 0 || out.NewRequests > 3000 || out.Excess <= 0 || out.Excess > 300 {
		t.Errorf("%d requests on new, %.0f errors too many", out.NewRequests, out.Excess)
	}
}

// A good one goes all the way by itself, if automation may.
func TestSimulatedGoodRelease(t *testing.T) {
	t.Parallel()
	sim := simulation(rollout.GuardianAuto)
	sim.Person, sim.Days = false, 1
	sim.New = Truth{Errors: .01, Time: 45 * time.Millisecond, Recall: .85, Precision: .85}
	out := simulate(t, sim)
	if out.RolledBack || out.Stage != rollout.FullRollout {
		t.Errorf("stage %s after %s:\n%s", out.Stage, out.After, out.text())
	}
}

// Nothing moves where nothing can be proven and nobody pushes.
func TestSimulatedWithoutEvidence(t *testing.T) {
	t.Parallel()
	sim := simulation(rollout.GuardianAuto)
	sim.Person, sim.Labelled, sim.GoldTexts, sim.Days = false, 0, 0, 1
	if out := simulate(t, sim); out.Stage != rollout.Disabled || out.NewRequests != 0 {
		t.Errorf("stage %s:\n%s", out.Stage, out.text())
	}
}

// The same seed tells the same story.
func TestSimulationIsReproducible(t *testing.T) {
	t.Parallel()
	sim := simulation(rollout.GuardianGuard)
	sim.Days, sim.Clustering = 1, .05
	if first, second := simulate(t, sim), simulate(t, sim); first.text() != second.text() || first.NewRequests != second.NewRequests {
		t.Errorf("two stories:\n%s\n%s", first.text(), second.text())
	}
}

// Clustered errors have the rate and the intra-class correlation that were asked for.
func TestClustering(t *testing.T) {
	t.Parallel()
	const p, users, icc = .1, 200_000, .2
	s := &simulated{Simulation: Simulation{Clustering: icc}, random: rand.New(rand.NewPCG(1, 2))}
	var sum, pairs float64
	for range users {
		u := &simulatedUser{erring: s.random.Float64()}
		rate := s.proneness(p, u)
		sum += rate
		pairs += rate * rate // both of two requests of one user
	}
	mean := sum / users
	if got := (pairs/users - mean*mean) / (mean * (1 - mean)); math.Abs(mean-p) > .005 || math.Abs(got-icc) > .01 {
		t.Errorf("rate %.3f, intra-class correlation %.3f", mean, got)
	}
}
