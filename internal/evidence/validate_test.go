package evidence

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// short is the validation as the tests run it: few trials of short rollouts.
var short = effort{trials: 1000, length: 40}

func validate(t *testing.T, config ValidationConfig) Validation {
	t.Helper()
	v, err := Validate(context.Background(), config)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range v.Rows {
		t.Logf("%-66s %-50s %-22s %6d %v", row.Case, row.Must, row.Measured, row.Trials, row.Passed)
	}
	return v
}

// A short form of 'nlpcanary validate-statistics'; its table in full is in
// docs/statistics.md.
func TestTheEngineShowsWhatItMust(t *testing.T) {
	if v := validate(t, ValidationConfig{Seed: 1, effort: short}); !v.Passed || len(v.Rows) < 20 {
		t.Errorf("%d rows, passed: %v", len(v.Rows), v.Passed)
	}
}

// Each part of the engine is there for a reason: without it, the validation fails.
func TestTheValidationFindsOutWhatIsMissing(t *testing.T) {
	for _, c := range []struct {
		name   string
		broken without
		only   string
		effort effort
		fails  string
	}{
		{"phi", without{phi: true}, "A/A, users of 20 requests, ICC .05, in bursts", effort{8, 20}, "A/A, users of 20 requests, ICC .05, in bursts"},
		{"variance floor", without{floor: true}, "latency +30 %, long tail, 5/95", effort{4, 10}, "advance at the boundary: mean time +30 %, long tail, 5/95"},
		{"stratification", without{strata: true}, "Simpson: 1 % base at stage 5 %, 4 % at stage 50 %, A/A", effort{1000, 20}, "Simpson: 1 % base at stage 5 %, 4 % at stage 50 %, A/A"},
	} {
		t.Run(c.name, func(t *testing.T) {
			failed := func(broken without) bool {
				v := validate(t, ValidationConfig{Seed: 1, effort: c.effort, only: []string{c.only}, broken: broken})
				for _, row := range v.Rows {
					if row.Case == c.fails {
						return !row.Passed
					}
				}
				t.Fatalf("there is no row %q", c.fails)
				return false
			}
			if failed(without{}) {
				t.Error("fails with everything in place")
			}
			if !failed(c.broken) {
				t.Error("passes without it")
			}
		})
	}
}

func TestTheSameSeedGivesTheSameTable(t *testing.T) {
	once := func(workers int) Validation {
		return validate(t, ValidationConfig{Seed: 7, Workers: workers, effort: effort{1000, 20}, only: []string{"Simpson: 1 % base at stage 5 %, 4 % at stage 50 %, A/A", "gold set, F1 -5 %"}})
	}
	if diff := cmp.Diff(once(1), once(3)); diff != "" {
		t.Error(diff)
	}
}

func TestValidationStopsWhenToldTo(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Validate(ctx, ValidationConfig{}); err == nil {
		t.Error("no error")
	}
}
