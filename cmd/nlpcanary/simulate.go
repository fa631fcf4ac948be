package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/guardian"
	"github.com/nlpcanary/nlpcanary/rollout"
)

type simulateCmd struct {
	OldErrors   float64       `default:"0.02" placeholder:"SHARE" help:"Old's true error rate."`
	NewErrors   float64       `default:"0.02" placeholder:"SHARE" help:"New's true error rate."`
	OldTimeouts float64       `default:"0" placeholder:"SHARE" help:"Old's true timeout rate."`
	NewTimeouts float64       `default:"0" placeholder:"SHARE" help:"New's true timeout rate."`
	OldTime     time.Duration `default:"50ms" placeholder:"TIME" help:"Old's median processing time."`
	NewTime     time.Duration `default:"50ms" placeholder:"TIME" help:"New's median processing time."`
	OldQuality  float64       `default:"0.65" placeholder:"SHARE" help:"Old's true precision and recall, which is its F1 score."`
	NewQuality  float64       `default:"0.75" placeholder:"SHARE" help:"New's."`
	Users       int           `default:"20000" placeholder:"N" help:"How many users there are."`
	Requests    float64       `default:"100000" placeholder:"N" help:"Requests a day, of all users together."`
	Clustering  float64       `default:"0" placeholder:"SHARE" help:"Intra-class correlation of a user's errors: 0 if requests are independent, 0.05 if some users err far more."`
	Labelled    float64       `default:"0.02" placeholder:"SHARE" help:"Share of requests that get labels."`
	Gold        int           `default:"300" placeholder:"N" help:"Labelled texts that both architectures read."`
	Mode        string        `enum:"observe,guard,auto" default:"guard" placeholder:"NAME" help:"The guardian's mode: observe, guard or auto."`
	Set         []string      `placeholder:"KEY=VALUE" help:"A setting, as for 'setting set'; may be repeated."`
	Nobody      bool          `help:"No person advances when the soak is over."`
	Days        int           `default:"30" placeholder:"N" help:"The longest time."`
	Every       time.Duration `default:"10m" placeholder:"TIME" help:"Simulated time between two looks, in whole minutes."`
	Seed        uint64        `default:"1" placeholder:"N" help:"Where the random numbers begin."`
}

// Help is shown by --help.
func (simulateCmd) Help() string {
	return `Plays a whole rollout in compressed time, with users whose truth you choose, by the same judgement and rules as the real one, and prints what the guardian did and when. It touches no database. A share is 0.02 for 2 %.`
}

// Run plays the rollout.
func (cmd simulateCmd) Run(ctx context.Context, s *session) error {
	sim, err := cmd.simulation()
	if err != nil {
		return err
	}
	bar := startProgress(s, sim.Days)
	out, err := guardian.Simulate(ctx, sim, bar.step)
	bar.end()
	if err != nil {
		return err
	}
	raw, err := json.Marshal(simulatedJSON(out))
	if err != nil {
		return fmt.Errorf("encoding what happened: %w", err)
	}
	return s.answer(raw, func() { s.writeSimulated(out) })
}

// simulation checks what was asked for.
func (cmd simulateCmd) simulation() (guardian.Simulation, error) {
	for name, share := range map[string]float64{
		"old-errors": cmd.OldErrors, "new-errors": cmd.NewErrors, "old-timeouts": cmd.OldTimeouts, "new-timeouts": cmd.NewTimeouts,
		"old-quality": cmd.OldQuality, "new-quality": cmd.NewQuality, "labelled": cmd.Labelled,
	} {
		if math.IsNaN(share) || share < 0 || share > 1 {
			return guardian.Simulation{}, usage(fmt.Sprintf("--%s %v is not a share", name, share), "give a number from 0 to 1")
		}
	}
	for name, wrong := range map[string]bool{
		"users": cmd.Users < 1 || cmd.Users > 10_000_000, "requests": !(cmd.Requests > 0) || cmd.Requests > 1e8,
		"clustering": !(cmd.Clustering >= 0 && cmd.Clustering < 1), "gold": cmd.Gold < 0 || cmd.Gold > 100_000,
		"days": cmd.Days < 1 || cmd.Days > 3650, "every": cmd.Every < time.Minute || cmd.Every%time.Minute != 0,
		"old-time": cmd.OldTime <= 0 || cmd.OldTime > time.Hour, "new-time": cmd.NewTime <= 0 || cmd.NewTime > time.Hour,
	} {
		if wrong {
			return guardian.Simulation{}, usage("--"+name+" is out of range", "'nlpcanary simulate --help' shows what it is")
		}
	}
	settings, err := settingsFrom(append([]string{"guardian=" + cmd.Mode}, cmd.Set...))
	if err != nil {
		return guardian.Simulation{}, err
	}
	truth := func(errors, timeouts float64, took time.Duration, quality float64) guardian.Truth {
		return guardian.Truth{Errors: errors, Timeouts: timeouts, Time: took, Recall: quality, Precision: quality}
	}
	return guardian.Simulation{
		Old: truth(cmd.OldErrors, cmd.OldTimeouts, cmd.OldTime, cmd.OldQuality), New: truth(cmd.NewErrors, cmd.NewTimeouts, cmd.NewTime, cmd.NewQuality),
		Users: cmd.Users, RequestsPerDay: cmd.Requests, Clustering: cmd.Clustering, Labelled: cmd.Labelled, GoldTexts: cmd.Gold,
		Settings: settings, Person: !cmd.Nobody, Days: cmd.Days, Every: cmd.Every, Seed: cmd.Seed,
	}, nil
}

// settingsFrom changes the default settings by the rules of a real change.
func settingsFrom(list []string) (rollout.Settings, error) {
	state := rollout.Initial(time.Now())
	for _, one := range list {
		key, value, ok := strings.Cut(one, "=")
		if !ok {
			return rollout.Settings{}, usage(fmt.Sprintf("%q is not KEY=VALUE", one), "for example --set rollback_error_increase=100%")
		}
		result, err := state.Apply(rollout.SetSetting{Key: key, Value: value}, rollout.Context{
			Actor: rollout.Actor{Name: "simulation", Role: rollout.RoleAdmin, Source: rollout.SourceCLI}, At: time.Now(),
		})
		if err != nil {
			return rollout.Settings{}, usage(err.Error(), "'nlpcanary setting list' shows the settings")
		}
		state = result.State
	}
	return state.Settings, nil
}

func (s *session) writeSimulated(out guardian.Simulated) {
	t := table{header: []string{"AFTER", "BY", "STAGE", "WHAT", "WHY"}}
	for _, e := range out.Events {
		what := e.What
		if e.By != "" {
			what = s.style.strong(what)
		}
		t.add(rollout.Span(e.After), orDash(e.By), stageText(int(e.Stage), int(e.Stage.Percentage())), what, e.Why)
	}
	t.write(s.stdout, s.style, "")
	fmt.Fprintf(s.stdout, "\nAfter %s at stage %s. %s texts on old, %s on new; on new about %.0f more failed or timed out than would have on old.\n",
		rollout.Span(out.After), stageText(int(out.Stage), int(out.Stage.Percentage())), countText(out.OldRequests), countText(out.NewRequests), math.Max(0, out.Excess))
}

type simulatedEventBody struct {
	AfterSeconds float64 `json:"after_seconds"`
	By           string  `json:"by"`
	Stage        int     `json:"stage"`
	What         string  `json:"what"`
	Why          string  `json:"why"`
}

type simulatedBody struct {
	Events       []simulatedEventBody `json:"events"`
	Stage        int                  `json:"stage"`
	AfterSeconds float64              `json:"after_seconds"`
	RolledBack   bool                 `json:"rolled_back"`
	OldRequests  int64                `json:"old_requests"`
	NewRequests  int64                `json:"new_requests"`
	Excess       float64              `json:"excess_failures"`
}

func simulatedJSON(out guardian.Simulated) simulatedBody {
	body := simulatedBody{
		Events: []simulatedEventBody{}, Stage: int(out.Stage), AfterSeconds: out.After.Seconds(), RolledBack: out.RolledBack,
		OldRequests: out.OldRequests, NewRequests: out.NewRequests, Excess: out.Excess,
	}
	for _, e := range out.Events {
		body.Events = append(body.Events, simulatedEventBody{e.After.Seconds(), e.By, int(e.Stage), e.What, e.Why})
	}
	return body
}
