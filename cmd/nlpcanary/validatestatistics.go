package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/nlpcanary/nlpcanary/internal/evidence"
)

type validateStatisticsCmd struct {
	Quick bool   `help:"Simulate a tenth of the trials: seconds instead of minutes, and only greater faults are found."`
	Seed  uint64 `default:"1" placeholder:"N" help:"Where the random numbers begin; the same seed gives the same table on any machine (default 1)."`
}

// Help is shown by --help.
func (validateStatisticsCmd) Help() string {
	return `Simulates thousands of rollouts whose truth is known, looks at each after every five requests, and shows how often the engine that the guardian acts on would have rolled back a healthy release, advanced a bad one, and how fast it finds harm. docs/statistics.md says what each row is.

It touches no database. A row fails if what was measured exceeds what is promised by more than chance explains. Exit code 0: every row passed.`
}

// Run simulates.
func (cmd validateStatisticsCmd) Run(ctx context.Context, s *session) error {
	config := evidence.ValidationConfig{Seed: cmd.Seed, Quick: cmd.Quick}
	bar := startProgress(s, config.Trials())
	config.Progress = bar.step
	v, err := evidence.Validate(ctx, config)
	bar.end()
	if err != nil {
		return err
	}
	return s.reportValidation(v)
}

// reportValidation prints the table; a row that failed is an error.
func (s *session) reportValidation(v evidence.Validation) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encoding the table: %w", err)
	}
	if err := s.answer(raw, func() { s.writeValidation(v) }); err != nil {
		return err
	}
	if !v.Passed {
		return failed("the statistics do not show what they must", "do not let automation act on them; tell the maintainers the seed and the version")
	}
	return nil
}

func (s *session) writeValidation(v evidence.Validation) {
	t := table{header: []string{"CASE", "MUST", "MEASURED", "TRIALS", ""}, right: map[int]bool{3: true}}
	for _, row := range v.Rows {
		verdict := s.style.good("pass")
		if !row.Passed {
			verdict = s.style.bad("FAIL")
		}
		t.add(row.Case, row.Must, row.Measured, fmt.Sprint(row.Trials), verdict)
	}
	t.write(s.stdout, s.style, "")
	how := "full"
	if v.Quick {
		how = "quick"
	}
	fmt.Fprintf(s.stdout, "\nSeed %d, %s. A share of trials passes up to alpha + 2 sqrt(alpha (1 - alpha) / trials).\n", v.Seed, how)
}
