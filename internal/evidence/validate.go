package evidence

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// ValidationConfig says how to validate the engine.
type ValidationConfig struct {
	// Seed makes a validation reproducible: the same seed gives the same numbers, on any
	// number of cores.
	Seed uint64
	// Quick simulates a tenth of the trials, which finds only greater faults.
	Quick bool
	// Workers is how many trials run at once; all cores if 0.
	Workers int
	// Progress, if set, is called after each trial, from any goroutine.
	Progress func()

	// Only the package's tests set these.
	effort effort
	broken without
	only   []string // names of cases; all if empty
}

// effort divides the numbers of trials and how long each is.
type effort struct{ trials, length int }

func (c ValidationConfig) divided() effort {
	switch {
	case c.effort.trials > 0:
		return c.effort
	case c.Quick:
		return effort{10, 1}
	}
	return effort{1, 1}
}

// ValidationRow is one line of the table of what the engine must show.
type ValidationRow struct {
	Case string `json:"case"`
	Must string `json:"must"`
	// Value is what was measured, Limit what it may be at most: a share of trials, a
	// ratio or a number, as Measured says in words.
	Value    float64 `json:"value"`
	Limit    float64 `json:"limit"`
	Measured string  `json:"measured"`
	Trials   int     `json:"trials"`
	Passed   bool    `json:"passed"`
}

// Validation is the table, and whether every row passed.
type Validation struct {
	Seed   uint64          `json:"seed"`
	Quick  bool            `json:"quick"`
	Rows   []ValidationRow `json:"rows"`
	Passed bool            `json:"passed"`
}

// trialCase is one simulation, repeated, which may fill several rows.
type trialCase struct {
	name   string
	trials int
	// least is how many trials there are however short the validation is: more than
	// enoughTrials where a trial is cheap and its row needs precision.
	least int
	// trial gives one number for each row, or more where a row compares several.
	trial func(c chance) []float64
	rows  []rowRule
}

// enoughTrials is how many a case has at least.
const enoughTrials = 25

// rowRule makes a row out of all trials' numbers.
type rowRule struct {
	name, must string
	judge      func(trials [][]float64) (value, limit float64, measured string)
}

// atMost is a row for the share of trials in which something happened (number > 0) that
// may happen with probability alpha: it fails if the share exceeds
// alpha + 2 sqrt(alpha(1-alpha)/N).
func atMost(name, what string, column int, alpha float64) rowRule {
	return rowRule{name, fmt.Sprintf("%s <= %.3g %%", what, 100*alpha), func(trials [][]float64) (value, limit float64, measured string) {
		n := float64(len(trials))
		for _, t := range trials {
			if t[column] > 0 {
				value++
			}
		}
		value /= n
		return value, alpha + 2*math.Sqrt(alpha*(1-alpha)/n), fmt.Sprintf("%.1f %%", 100*value)
	}}
}

// meanAgainst is a row for the mean of a column over that of a reference.
func meanAgainst(name, what string, column, reference int, most float64) rowRule {
	return rowRule{name, fmt.Sprintf("mean <= %.3g x %s", most, what), func(trials [][]float64) (value, limit float64, measured string) {
		a, b := meanOf(trials, column), meanOf(trials, reference)
		return a / b, most, fmt.Sprintf("%.0f = %.2f x %.0f", a, a/b, b)
	}}
}

// median is a row for the median of a column; a trial that never got there is infinite.
func median(name, unit string, column int, most float64) rowRule {
	return rowRule{name, fmt.Sprintf("every time; median <= %.0f %s", most, unit), func(trials [][]float64) (value, limit float64, measured string) {
		all := make([]float64, len(trials))
		missed := 0
		for i, t := range trials {
			all[i] = t[column]
			if math.IsInf(all[i], 1) {
				missed++
			}
		}
		slices.Sort(all)
		value = all[len(all)/2]
		measured = fmt.Sprintf("median %.0f", value)
		if missed > 0 {
			return math.MaxFloat64, most, fmt.Sprintf("%s; not found in %d", measured, missed)
		}
		return value, most, measured
	}}
}

func meanOf(trials [][]float64, column int) float64 {
	var sum float64
	for _, t := range trials {
		sum += t[column]
	}
	return sum / float64(len(trials))
}

// Trials is how many trials a validation has, for a progress bar.
func (c ValidationConfig) Trials() int {
	n := 0
	for _, k := range c.cases() {
		n += k.trials
	}
	return n
}

func (c ValidationConfig) cases() []trialCase {
	s := simulation{plan: validationPlan(), effort: c.divided()}
	s.plan.broken = c.broken
	var list []trialCase
	for _, k := range s.cases() {
		if len(c.only) == 0 || slices.Contains(c.only, k.name) {
			k.trials = max(k.trials/s.effort.trials, k.least, enoughTrials)
			list = append(list, k)
		}
	}
	return list
}

// validationPlan is the default plan, with the alpha of a whole rollout for each test by
// itself.
func validationPlan() Plan {
	p := NewPlan(rollout.DefaultSettings(), rollout.EarlyTesting)
	p.Alpha = .05
	return p
}

// Validate simulates rollouts whose truth is known, looks at each after every few
// requests as a nervous human would, and compares how often and how fast the engine finds
// something with what it must show. Its error is the context's.
func Validate(ctx context.Context, config ValidationConfig) (Validation, error) {
	type job struct{ kase, trial int }
	cases := config.cases()
	results := make([][][]float64, len(cases))
	jobs := make(chan job)
	var wait sync.WaitGroup
	workers := config.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	for range workers {
		wait.Go(func() {
			for j := range jobs {
				k := &cases[j.kase]
				results[j.kase][j.trial] = k.trial(newChance(config.Seed, stream(k.name, j.trial)))
				if config.Progress != nil {
					config.Progress()
				}
			}
		})
	}
	var order []job
	for i := range cases {
		results[i] = make([][]float64, cases[i].trials)
		for t := range cases[i].trials {
			order = append(order, job{i, t})
		}
	}
	// All cases advance together, so that the progress so far tells how long the rest
	// takes.
	slices.SortStableFunc(order, func(a, b job) int {
		return cmp.Compare(a.trial*cases[b.kase].trials, b.trial*cases[a.kase].trials)
	})
	for _, j := range order {
		if ctx.Err() != nil {
			break
		}
		jobs <- j
	}
	close(jobs)
	wait.Wait()
	if err := ctx.Err(); err != nil {
		return Validation{}, err
	}
	v := Validation{Seed: config.Seed, Quick: config.Quick, Passed: true}
	for i, k := range cases {
		for _, rule := range k.rows {
			row := ValidationRow{Case: rule.name, Must: rule.must, Trials: k.trials}
			row.Value, row.Limit, row.Measured = rule.judge(results[i])
			row.Passed = row.Value <= row.Limit
			v.Passed = v.Passed && row.Passed
			v.Rows = append(v.Rows, row)
		}
	}
	return v, nil
}

// stream gives each trial of each case random numbers of its own (FNV-1a), whatever else
// is simulated.
func stream(name string, trial int) uint64 {
	h := uint64(14695981039346656037)
	for _, b := range []byte(name) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return h + uint64(trial)
}
