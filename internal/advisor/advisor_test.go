package advisor_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/advisor"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

var began = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// at is a rollout that entered a stage when the tests' time began.
func at(stage rollout.Stage, change func(*rollout.State)) rollout.State {
	s := rollout.Initial(began)
	s.Rollout.Stage, s.Rollout.Percentage = stage, stage.Percentage()
	if change != nil {
		change(&s)
	}
	return s
}

func measured(total int64, errorRate, timeoutRate float64) advisor.Measured {
	return advisor.Measured{Summary: outcome.Summary{Total: total, ErrorRate: &errorRate, TimeoutRate: &timeoutRate}}
}

func labelled(m advisor.Measured, texts int64, l outcome.Labels) advisor.Measured {
	m.Labelled, m.Labels = texts, l
	return m
}

func TestAdviceFollowsTheStateAndWhatWasMeasured(t *testing.T) {
	t.Parallel()
	none := advisor.Measured{}
	good := measured(1000, 0.01, 0)
	const day = 24 * time.Hour
	tests := map[string]struct {
		state           rollout.State
		after           time.Duration
		control, canary advisor.Measured
		risk            advisor.Risk
		first           advisor.Kind
		says            []string // each in some message
	}{
		"disabled, no data":            {at(rollout.Disabled, nil), time.Hour, none, none, advisor.RiskUnknown, advisor.KindInfo, []string{"Nothing was measured", "23h"}},
		"disabled, soak over":          {at(rollout.Disabled, nil), 2 * day, good, none, advisor.RiskUnknown, advisor.KindInfo, []string{"A person may advance to stage 1", "not judged yet"}},
		"early, nothing measured":      {at(rollout.EarlyTesting, nil), 3 * day, none, none, advisor.RiskUnknown, advisor.KindHold, []string{"nothing to judge by"}},
		"early, new not measured":      {at(rollout.EarlyTesting, nil), 3 * day, good, none, advisor.RiskUnknown, advisor.KindHold, []string{"Nothing was measured on the new architecture, although 5 %"}},
		"early, old not measured":      {at(rollout.EarlyTesting, nil), time.Hour, none, good, advisor.RiskMedium, advisor.KindHold, []string{"nothing to compare", "1d 23h"}},
		"half, soak left":              {at(rollout.HalfRollout, nil), day, good, good, advisor.RiskMedium, advisor.KindWait, []string{"6d are left"}},
		"half, soak over":              {at(rollout.HalfRollout, nil), 8 * day, good, good, advisor.RiskMedium, advisor.KindInfo, []string{"stage 4 FULL_ROLLOUT (100 %)"}},
		"half, more errors":            {at(rollout.HalfRollout, nil), 8 * day, good, measured(1200, 0.016, 0), advisor.RiskHigh, advisor.KindHold, []string{"1.60 % on new (1200 texts) against 1.00 % on old (1000 texts): +60 %", "not a proof"}},
		"half, errors where none were": {at(rollout.HalfRollout, nil), 8 * day, measured(10, 0, 0), measured(10, 0.1, 0), advisor.RiskHigh, advisor.KindHold, []string{"from none"}},
		"half, exactly at threshold":   {at(rollout.HalfRollout, nil), 8 * day, measured(1000, 0.5, 0), measured(1000, 0.75, 0.01), advisor.RiskMedium, advisor.KindInfo, nil},
		"half, timeouts":               {at(rollout.HalfRollout, nil), day, good, measured(1000, 0.01, 0.02), advisor.RiskHigh, advisor.KindHold, []string{"2.00 % of 1000 texts timed out"}},
		"half, worse F1": {
			at(rollout.HalfRollout, nil), 8 * day,
			labelled(good, 50, outcome.Labels{Correct: 90, Wrong: 10, Missed: 10}), labelled(good, 60, outcome.Labels{Correct: 80, Wrong: 20, Missed: 20}),
			advisor.RiskHigh, advisor.KindHold, []string{"F1 is 0.800 on new (60 labelled texts) against 0.900 on old (50 labelled texts)"},
		},
		"full, no data":      {at(rollout.FullRollout, nil), 9 * day, none, none, advisor.RiskUnknown, advisor.KindInfo, []string{"Finalise it once"}},
		"full, no control":   {at(rollout.FullRollout, nil), 9 * day, none, good, advisor.RiskMedium, advisor.KindInfo, []string{"no control cohort", "Finalise"}},
		"full, many errors":  {at(rollout.FullRollout, nil), 9 * day, none, measured(100, 0.4, 0.3), advisor.RiskHigh, advisor.KindHold, []string{"30.00 % of 100 texts timed out", "finalise it only once"}},
		"finalised":          {at(rollout.FullRollout, func(s *rollout.State) { s.Rollout.Finalised = true }), 9 * day, none, good, advisor.RiskMedium, advisor.KindInfo, []string{"is finalised"}},
		"kill switch is off": {at(rollout.HalfRollout, func(s *rollout.State) { s.Flags[0].Enabled = false }), 9 * day, good, good, advisor.RiskLow, advisor.KindHold, []string{"kill switch"}},
		"latched":            {at(rollout.Disabled, func(s *rollout.State) { s.Rollout.Latched = true }), 2 * day, good, none, advisor.RiskUnknown, advisor.KindHold, []string{"until a person does"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := advisor.Recommend(tt.state, began.Add(tt.after), tt.control, tt.canary)
			if a.Risk != tt.risk {
				t.Errorf("risk %s, want %s", a.Risk, tt.risk)
			}
			if len(a.Items) == 0 {
				t.Fatal("no advice")
			}
			if a.Items[0].Kind != tt.first {
				t.Errorf("the first advice is %+v, want %s", a.Items[0], tt.first)
			}
			var all strings.Builder
			for _, item := range a.Items {
				if item.Kind == advisor.KindAdvance {
					t.Errorf("advises to advance on numbers alone: %s", item.Message)
				}
				all.WriteString(item.Message + "\n")
			}
			for _, part := range tt.says {
				if !strings.Contains(all.String(), part) {
					t.Errorf("does not say %q:\n%s", part, all.String())
				}
			}
		})
	}
}
