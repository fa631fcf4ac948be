package advisor_test

import (
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/advisor"
	"github.com/nlpcanary/nlpcanary/internal/evidence"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

var began = time.Date(2030, 1, 2, 3, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// at is a rollout that entered a stage when the tests' time began.
func at(stage rollout.Stage, change func(*rollout.State)) rollout.State {
	s := rollout.Initial(began)
	s.Rollout.Stage, s.Rollout.Percentage = stage, stage.Percentage()
	s.Rollout.UpdatedBy = "olga@example.com"
	if change != nil {
		change(&s)
	}
	return s
}

// like is what requests are like on one architecture.
type like struct {
	errors, timeouts float64
	took             time.Duration
	labels           float64 // of the descriptions of each text, the share found; 0 for no labels
	oneUser          bool    // makes half of the requests
}

// window is what n requests leave, split by share.
func window(n int, share float64, old, canary like) outcome.Window {
	w := outcome.Window{Old: outcome.Cohort{Tally: new(outcome.Tally)}, New: outcome.Cohort{Tally: new(outcome.Tally)}}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		minute := outcome.MinuteOf(began.Add(time.Duration(i) * time.Second))
		if len(w.Blocks) == 0 || w.Blocks[len(w.Blocks)-1].Minute != minute {
			w.Blocks = append(w.Blocks, outcome.Block{Minute: minute})
		}
		block := &w.Blocks[len(w.Blocks)-1]
		cohort, counts, of := &w.Old, &block.Old, old
		if r.Float64() < share {
			cohort, counts, of = &w.New, &block.New, canary
		}
		o := outcome.Outcome{ProcessingTime: of.took + time.Duration(r.Int64N(int64(of.took))), Descriptions: 3}
		if !of.oneUser || r.IntN(2) == 0 {
			binary.BigEndian.PutUint64(o.UserKey[:8], r.Uint64())
		}
		switch roll := r.Float64(); {
		case roll < of.errors:
			o.Error = true
		case roll < of.errors+of.timeouts:
			o.Timeout = true
		}
		var one outcome.Tally
		one.Add(&o)
		cohort.Tally.Add(&o)
		counts.Add(outcome.CountsOf(&one, 0))
		if of.labels > 0 {
			var l outcome.Labels
			for range 10 {
				if r.Float64() < of.labels {
					l.Correct++
				} else {
					l.Missed++
				}
			}
			cohort.Marks[o.UserKey[0]].Add(outcome.Marks{Labels: l, Labelled: 1})
		}
	}
	return w
}

func advise(state rollout.State, after time.Duration, w outcome.Window) advisor.Advice {
	in := advisor.Input{State: state, At: began.Add(after), Window: w}
	in.Judge(nil, nil)
	return advisor.Recommend(in)
}

var (
	usual  = like{errors: .02, took: 20 * time.Millisecond, labels: .7}
	better = like{errors: .005, took: 15 * time.Millisecond, labels: .9}
	bad    = like{errors: .2, took: 20 * time.Millisecond, labels: .7}
	silent = like{errors: .02, took: 20 * time.Millisecond}
	none   = outcome.Window{Old: outcome.Cohort{Tally: new(outcome.Tally)}, New: outcome.Cohort{Tally: new(outcome.Tally)}}
)

// Every stage, no data, no labels, no control, one user who makes half of the
// traffic: there is one sensible action, and words for it.
func TestAdvice(t *testing.T) {
	t.Parallel()
	killed := func(s *rollout.State) { s.Flags[0].Enabled = false }
	latched := func(s *rollout.State) { s.Rollout.Latched = true }
	for name, c := range map[string]struct {
		state  rollout.State
		after  time.Duration
		window outcome.Window
		action advisor.Kind
		risk   advisor.Risk // any if empty
		says   []string     // each in some message
	}{
		"disabled, soaking":        {at(rollout.Disabled, nil), time.Hour, none, advisor.KindWait, advisor.RiskUnknown, []string{"23h are left", "nobody is on new yet"}},
		"disabled, soak over":      {at(rollout.Disabled, nil), 2 * day, window(500, 0, usual, usual), advisor.KindWait, advisor.RiskUnknown, []string{"nobody is on new yet", "a person may advance"}},
		"early, nothing measured":  {at(rollout.EarlyTesting, nil), 3 * day, none, advisor.KindHold, advisor.RiskUnknown, []string{"nothing was measured since"}},
		"early, new not measured":  {at(rollout.EarlyTesting, nil), 3 * day, window(500, 0, usual, usual), advisor.KindHold, advisor.RiskUnknown, []string{"nothing was measured on the new architecture, although 5 %"}},
		"half, old not measured":   {at(rollout.HalfRollout, nil), day, window(500, 1, usual, usual), advisor.KindHold, "", []string{"nothing to compare the new one with"}},
		"early, little":            {at(rollout.EarlyTesting, nil), time.Hour, window(200, .05, usual, usual), advisor.KindWait, "", []string{"not yet proven safe: the error rate", "1d 23h are left"}},
		"half, all proven":         {at(rollout.HalfRollout, nil), 8 * day, window(6000, .5, usual, better), advisor.KindAdvance, "", []string{"Advance to stage 4 FULL_ROLLOUT (100 %)", "proven safe"}},
		"half, all proven, early":  {at(rollout.HalfRollout, nil), 2 * day, window(6000, .5, usual, better), advisor.KindWait, "", []string{"5d are left"}},
		"half, approvals":          {at(rollout.HalfRollout, func(s *rollout.State) { s.Settings.Approvals = 2 }), 8 * day, window(6000, .5, usual, better), advisor.KindAdvance, "", []string{"0 of 2 people have approved"}},
		"half, no labels":          {at(rollout.HalfRollout, nil), 8 * day, window(6000, .5, silent, like{errors: .005, took: 15 * time.Millisecond}), advisor.KindWait, "", []string{"not yet proven safe: the F1 score", "send feedback"}},
		"half, the same":           {at(rollout.HalfRollout, nil), 8 * day, window(3000, .5, usual, usual), advisor.KindWait, "", nil},
		"half, errors":             {at(rollout.HalfRollout, nil), time.Hour, window(2000, .5, usual, bad), advisor.KindRollback, advisor.RiskCritical, []string{"Roll back. Harm is proven. The error rate is 2", "on new against"}},
		"half, errors, soak over":  {at(rollout.HalfRollout, nil), 30 * day, window(2000, .5, usual, bad), advisor.KindRollback, advisor.RiskCritical, nil},
		"half, errors, inside":     {at(rollout.HalfRollout, func(s *rollout.State) { s.Settings.RollbackErrorIncrease = 10 }), 8 * day, window(4000, .5, usual, like{errors: .1, took: 20 * time.Millisecond}), advisor.KindHold, "", []string{"not by as much as the rollback limit"}},
		"half, errors, wrong way":  {at(rollout.HalfRollout, nil), 8 * day, window(2000, .9, usual, bad), advisor.KindRollback, "", nil},
		"half, wrong split":        {at(rollout.HalfRollout, nil), 8 * day, window(4000, .3, usual, usual), advisor.KindHold, "", []string{"users are not split as designed"}},
		"half, timeouts":           {at(rollout.HalfRollout, nil), day, window(2000, .5, silent, like{timeouts: .05, took: 20 * time.Millisecond}), advisor.KindRollback, advisor.RiskCritical, []string{"The timeout rate on new is"}},
		"half, timeouts on both":   {at(rollout.HalfRollout, nil), day, window(2000, .5, like{timeouts: .05, took: 20 * time.Millisecond}, like{timeouts: .05, took: 20 * time.Millisecond}), advisor.KindHold, "", []string{"on old as well, so rolling back would not help"}},
		"half, fewer descriptions": {at(rollout.HalfRollout, nil), 8 * day, window(3000, .5, like{errors: .02, took: 20 * time.Millisecond, labels: .9}, like{errors: .02, took: 20 * time.Millisecond, labels: .6}), advisor.KindRollback, "", []string{"The F1 score is"}},
		"half, one busy user":      {at(rollout.HalfRollout, nil), 8 * day, window(1500, .5, like{errors: .02, took: 20 * time.Millisecond, oneUser: true}, like{errors: .02, took: 20 * time.Millisecond, oneUser: true}), advisor.KindWait, "", []string{"too few independent users"}},
		"full, no data":            {at(rollout.FullRollout, nil), 9 * day, none, advisor.KindHold, advisor.RiskUnknown, []string{"nothing was measured"}},
		"full, all well":           {at(rollout.FullRollout, nil), 9 * day, window(500, 1, silent, silent), advisor.KindWait, "", []string{"The rollout is complete", "At 100 % there is no control cohort", "Nothing compares the architectures now"}},
		"full, timeouts":           {at(rollout.FullRollout, nil), 9 * day, window(1000, 1, silent, like{timeouts: .2, took: time.Millisecond}), advisor.KindRollback, advisor.RiskCritical, []string{"The timeout rate on new is"}},
		"finalised":                {at(rollout.FullRollout, func(s *rollout.State) { s.Rollout.Finalised = true }), 9 * day, window(500, 1, silent, silent), advisor.KindHold, "", []string{"is finalised"}},
		"kill switch is off":       {at(rollout.HalfRollout, killed), 9 * day, window(2000, .5, usual, bad), advisor.KindHold, "", []string{"The kill switch"}},
		"latched":                  {at(rollout.Disabled, latched), 2 * day, none, advisor.KindHold, advisor.RiskUnknown, []string{"olga@example.com rolled back", "until a person does"}},
		"guardian paused":          {at(rollout.HalfRollout, func(s *rollout.State) { s.Guardian = rollout.Guardian{Paused: rollout.PauseAll, By: "ann"} }), day, window(500, .5, usual, usual), advisor.KindWait, "", []string{"ann paused the guardian"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := advise(c.state, c.after, c.window)
			var all strings.Builder
			for _, item := range a.Items {
				all.WriteString(string(item.Kind) + " " + string(item.Priority) + ": " + item.Message + "\n")
			}
			if a.Action != c.action || a.Items[0].Kind != c.action || a.Why == "" {
				t.Errorf("the action is %s, want %s:\n%s", a.Action, c.action, &all)
			}
			if c.risk != "" && a.Risk != c.risk {
				t.Errorf("risk %s, want %s", a.Risk, c.risk)
			}
			if (a.Risk == advisor.RiskUnknown) != (a.Probability == nil) {
				t.Errorf("risk %s with probability %v", a.Risk, a.Probability)
			}
			for _, part := range c.says {
				if !strings.Contains(all.String(), part) {
					t.Errorf("no advice says %q:\n%s", part, &all)
				}
			}
			if final := c.state.Rollout.Stage == rollout.FullRollout; final != (a.NextStage == nil) {
				t.Errorf("next stage %v", a.NextStage)
			}
			if !strings.Contains(a.Caveat, "default assumptions") {
				t.Errorf("caveat %q", a.Caveat)
			}
		})
	}
}

// The forecast comes in time as well, and shrinks as evidence comes.
func TestPrediction(t *testing.T) {
	t.Parallel()
	state := at(rollout.HalfRollout, nil)
	few := advise(state, 1000*time.Second, window(1000, .5, usual, better)).Prediction
	more := advise(state, 2000*time.Second, window(2000, .5, usual, better)).Prediction
	if few == nil || more == nil || few.Harm || few.Metric == "" {
		t.Fatalf("few %+v, more %+v", few, more)
	}
	if few.Median <= 0 || few.Low > few.Median || few.High != 0 && few.High < few.Median || few.Requests <= 0 {
		t.Errorf("prediction %+v", few)
	}
	// One request each second, half of them on new.
	if want := time.Duration(2*few.Requests) * time.Second; (few.Median - want).Abs() > want/10 {
		t.Errorf("%.0f requests take %s, want about %s", few.Requests, few.Median, want)
	}
	if more.Requests >= few.Requests {
		t.Errorf("after more evidence %.0f requests are left, before %.0f", more.Requests, few.Requests)
	}
}

// What finished rollouts taught is used, and said.
func TestLearned(t *testing.T) {
	t.Parallel()
	var past []evidence.PastEffect
	for i := range 12 {
		past = append(past, evidence.PastEffect{LogRatio: .01 * float64(i%3-1), StdErr: .02})
	}
	in := advisor.Input{State: at(rollout.HalfRollout, nil), At: began.Add(day), Window: window(300, .5, usual, usual)}
	in.Judge(map[evidence.Metric][]evidence.PastEffect{evidence.Errors: past}, nil)
	a := advisor.Recommend(in)
	if a.Learned != 12 || !strings.Contains(a.Caveat, "12 finished rollouts") {
		t.Errorf("learned from %d: %s", a.Learned, a.Caveat)
	}
	in.Judge(map[evidence.Metric][]evidence.PastEffect{evidence.Errors: past[:3]}, nil)
	if a := advisor.Recommend(in); a.Learned != 0 {
		t.Errorf("learned from %d of 3", a.Learned)
	}
}

func TestEvidenceFitsTheAuditTrail(t *testing.T) {
	t.Parallel()
	in := advisor.Input{State: at(rollout.HalfRollout, nil), At: began.Add(day), Window: window(2000, .5, usual, bad)}
	in.Judge(nil, nil)
	a := advisor.Recommend(in)
	text := in.Evidence()
	if len(a.Why)+len(text) > 2000 || !strings.Contains(text, "errors HARM") || !strings.Contains(text, "combined ln E") {
		t.Errorf("%d bytes: %s", len(text), text)
	}
}
