package evidence

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// served is n requests of as many users at 25 %, each as make describes it.
func served(n int, limit time.Duration, make func(c chance, onNew bool) one) *builder {
	b := newBuilder()
	b.window.SlowOver = limit
	c := newChance(11, 4)
	for i := range n {
		onNew := c.happens(.25)
		o := make(c, onNew)
		o.user, o.onNew, o.minute = uint64(i), onNew, int64(i/100)
		b.add(o)
	}
	return b
}

// took makes lognormal times whose typical value on new is factor times 100 ms.
func took(factor, spread float64) func(c chance, onNew bool) one {
	return func(c chance, onNew bool) one {
		l := spread * c.NormFloat64()
		if onNew {
			l += math.Log(factor)
		}
		return one{took: time.Duration(1e5*math.Exp(l)) * time.Microsecond}
	}
}

// rated gives marks and labels to each text.
func rated(newQuality, newSkill float64) func(c chance, onNew bool) one {
	return func(c chance, onNew bool) one {
		quality, skill := .7, 1.0
		if onNew {
			quality, skill = newQuality, newSkill
		}
		l := outcome.Labels{}
		for range 4 {
			switch {
			case c.happens(.7 * skill):
				l.Correct++
			default:
				l.Missed++
			}
			if c.happens(.2 / skill) {
				l.Wrong++
			}
		}
		return one{took: time.Millisecond, marks: outcome.Marks{Quality: int64(1 + c.binomial(9, quality)), Rated: 1, Labels: l, Labelled: 1}}
	}
}

func TestVerdictsOfMeans(t *testing.T) {
	slow := outcome.SlowLimit(372 * time.Millisecond) // the 95th percentile of 100 ms with sigma .8
	for _, c := range []struct {
		name   string
		window *builder
		want   map[Metric]Verdict
	}{
		{"as fast", served(10_000, slow, took(1, .8)), map[Metric]Verdict{ProcessingTime: Safe, MeanTime: Safe, Slow: Undecided, Quality: NoData, F1: NoData}},
		{"a tenth slower", served(10_000, slow, took(1.1, .8)), map[Metric]Verdict{ProcessingTime: Worse, MeanTime: Worse}},
		{"twice as slow", served(4000, slow, took(2, .8)), map[Metric]Verdict{ProcessingTime: Harm, MeanTime: Harm, Slow: Harm}},
		{"too few", served(200, slow, took(3, .8)), map[Metric]Verdict{ProcessingTime: Undecided, MeanTime: Undecided}},
		{"worse marks and labels", served(4000, 0, rated(.5, .85)), map[Metric]Verdict{Quality: Harm, F1: Harm, Slow: NoData}},
		{"better marks and labels", served(4000, 0, rated(.75, 1.2)), map[Metric]Verdict{Quality: Safe, F1: Safe}},
		{"F1 is better, but by too little", served(20_000, 0, rated(.7, 1.03)), map[Metric]Verdict{F1: Undecided}},
	} {
		r := Judge(Input{Window: &c.window.window, Share: .25}, testPlan())
		for m, want := range c.want {
			if f := r.Finding(m); f.Verdict != want {
				t.Errorf("%s: %s is %s %v (harm %.1f of %.1f, safe %.1f of %.1f, change %+v), want %s",
					c.name, m, f.Verdict, f.Reasons, f.LogHarm, f.HarmLimit, f.LogSafe, f.SafeLimit, f.Change, want)
			}
		}
	}
}

// The slots of a plan come from the settings.
func TestPlanOfSettings(t *testing.T) {
	s := rollout.DefaultSettings()
	s.SafeF1Gain = 0
	if r := Judge(Input{Window: &served(8000, 0, rated(.7, 1)).window, Share: .25}, NewPlan(s, rollout.Expanded)); r.Finding(F1).Verdict != Safe {
		t.Errorf("F1 did not fall, and no gain is asked for: %+v", r.Finding(F1))
	}
	var sum float64
	for _, stage := range []rollout.Stage{1, 2, 3, 4} {
		sum += NewPlan(s, stage).Alpha
	}
	if math.Abs(sum-.05) > 1e-12 {
		t.Errorf("the stages' alphas add up to %v", sum)
	}
	var weights float64
	for _, m := range Metrics() {
		weights += testPlan().Weights[m]
	}
	if weights > 1+1e-12 {
		t.Errorf("the weights add up to %v", weights)
	}
}

// Harm in several metrics at once, none of which proves it alone.
func TestProofTogether(t *testing.T) {
	plan := testPlan()
	r := Report{}
	for _, m := range Metrics() {
		r.Findings = append(r.Findings, Finding{Metric: m, Verdict: Undecided, LogHarm: -5})
	}
	e := math.Log(.6 / plan.Alpha)
	r.Finding(Errors).LogHarm = e - math.Log(.5)
	r.Finding(Timeouts).LogHarm = e - math.Log(.2)
	r.Finding(Errors).Past = true
	r.combine(plan)
	if !r.Combined.Rollback || r.Combined.Trigger != Errors && r.Combined.Trigger != Timeouts {
		t.Fatalf("%+v", r.Combined)
	}
	f := r.Finding(r.Combined.Trigger)
	if f.Metric == Errors && !slices.Contains(f.Reasons, ProvenTogether) {
		t.Errorf("%+v", f)
	}
}

// Minutes that were merged into hours change no verdict of equal traffic, and hardly the
// evidence.
func TestHoursSayWhatMinutesSay(t *testing.T) {
	b := traffic(60_000, .02, .05)
	minutes := Judge(Input{Window: &b.window, Share: .05}, testPlan())
	var hours []outcome.Block
	for _, block := range b.window.Blocks {
		hour := block.Minute / 60
		if n := len(hours); n == 0 || hours[n-1].Minute != hour {
			hours = append(hours, outcome.Block{Minute: hour})
		}
		hours[len(hours)-1].Old.Add(block.Old)
		hours[len(hours)-1].New.Add(block.New)
	}
	b.window.Blocks = hours
	merged := Judge(Input{Window: &b.window, Share: .05}, testPlan())
	for i, f := range minutes.Findings {
		if g := merged.Findings[i]; f.Verdict != g.Verdict || math.Abs(f.LogHarm-g.LogHarm) > .05*(1+math.Abs(f.LogHarm)) {
			t.Errorf("%s: %s %.2f by minutes, %s %.2f by hours", f.Metric, f.Verdict, f.LogHarm, g.Verdict, g.LogHarm)
		}
	}
}

// A look at 90 days: two of minutes, the rest of hours, in three regions.
func BenchmarkJudge(b *testing.B) {
	w := traffic(20_000, .02, .02).window
	c := newChance(1, 1)
	w.Blocks = nil
	w.SlowOver = time.Second
	for i := range outcome.Minute(2*1440 + 88*24) {
		for _, region := range []rollout.Region{"a", "b", "c"} {
			n := int64(1 + c.IntN(20))
			w.Blocks = append(w.Blocks, outcome.Block{
				Minute: i, Region: region,
				Old: outcome.Counts{Requests: 19 * n, Errors: int64(c.IntN(3)), Slow: int64(c.IntN(5))},
				New: outcome.Counts{Requests: n, Errors: int64(c.IntN(2)), Slow: int64(c.IntN(2))},
			})
		}
	}
	plan := testPlan()
	b.ReportAllocs()
	for b.Loop() {
		Judge(Input{Window: &w, Share: .05}, plan)
	}
}

// Few requests without a timeout are no sign of danger, and many are one of safety.
func TestRiskOfTimeouts(t *testing.T) {
	for n, most := range map[int]float64{500: .4, 40_000: .05} {
		b := traffic(n, 0, 0)
		f := verdictOf(t, Judge(Input{Window: &b.window, Share: .05}, testPlan()), Timeouts)
		if f.Risk == nil || *f.Risk > most {
			t.Errorf("after %d requests on new the risk is %v, want at most %v", f.NewRequests, *f.Risk, most)
		}
	}
}
