package evidence

import (
	"math"
	"testing"
)

func TestNothingIsNoData(t *testing.T) {
	r := Judge(Input{Window: &newBuilder().window, Share: .05}, testPlan())
	if len(r.Findings) != len(Metrics()) {
		t.Fatalf("%d findings", len(r.Findings))
	}
	for _, f := range r.Findings {
		if f.Verdict != NoData {
			t.Errorf("%s is %s without any data", f.Metric, f.Verdict)
		}
	}
	if r.Combined.Proven || r.Split.Mismatch || r.Risk != nil {
		t.Errorf("something was found in nothing: %+v %+v", r.Combined, r.Split)
	}
}

func TestManyErrorsAreHarm(t *testing.T) {
	r := Judge(Input{Window: &traffic(40_000, .02, .08).window, Share: .05}, testPlan())
	f := verdictOf(t, r, Errors)
	if f.Verdict != Harm || !r.Combined.Rollback || r.Combined.Trigger != Errors {
		t.Errorf("four times the errors: %s, combined %+v", f.Verdict, r.Combined)
	}
	if c := f.Change; !(c.Low > .5 && c.Low < c.Estimate && c.Estimate < c.High) || math.Abs(c.Estimate-3) > 1 {
		t.Errorf("change %+v, the truth is 3", *c)
	}
	if d := f.Difference; !(d.Low < .06 && .06 < d.High && d.Low > 0) {
		t.Errorf("difference %+v, the truth is .06", *d)
	}
	if *f.Risk < .95 || r.Decision == nil || !r.Decision.Harm || r.Decision.Median != 0 {
		t.Errorf("risk %v, decision %+v", *f.Risk, r.Decision)
	}
}

func TestEqualArchitecturesAreSafeInTime(t *testing.T) {
	r := Judge(Input{Window: &traffic(80_000, .08, .08).window, Share: .05}, testPlan())
	for _, m := range []Metric{Errors, Timeouts, ProcessingTime, MeanTime} {
		if f := verdictOf(t, r, m); f.Verdict != Safe {
			t.Errorf("%s is %s: %v", m, f.Verdict, f.Reasons)
		}
	}
	if r.Combined.Proven || r.Split.Mismatch {
		t.Errorf("false alarm: %+v %+v", r.Combined, r.Split)
	}
	if got := r.Unproven(); len(got) != 1 || got[0] != F1 {
		t.Errorf("unproven: %v; without labels it is F1", got)
	}
}

// One user makes half of the traffic and all of the errors.
func TestOneBusyUserIsNoProof(t *testing.T) {
	b := traffic(20_000, .01, .01)
	for i := range 1000 {
		b.add(one{user: 1 << 40, onNew: true, minute: int64(i / 50), failed: i%3 == 0})
	}
	r := Judge(Input{Window: &b.window, Share: .05}, testPlan())
	f := verdictOf(t, r, Errors)
	if f.Verdict != Undecided || r.Combined.Proven {
		t.Errorf("%s on one user's word: E1 %.1f, design effect %.1f", f.Verdict, f.LogHarm, f.DesignEffect)
	}
	if f.NewEffective >= startUsers {
		t.Errorf("%.0f effective users", f.NewEffective)
	}
}

func TestNoOldCohort(t *testing.T) {
	b := newBuilder()
	for i := range 5000 {
		b.add(one{user: uint64(i), onNew: true, minute: int64(i / 100), late: i%20 == 0, failed: i%5 == 1})
	}
	r := Judge(Input{Window: &b.window, Share: 1}, testPlan())
	if f := verdictOf(t, r, Errors); f.Verdict != NoData || f.New == nil || f.Old != nil {
		t.Errorf("errors without old: %s", f.Verdict)
	}
	if f := verdictOf(t, r, Timeouts); f.Verdict != Harm || !r.Combined.Rollback {
		t.Errorf("5 %% of timeouts: %s", f.Verdict)
	}
}

func TestTimeoutsOfOldToo(t *testing.T) {
	b := newBuilder()
	for i := range 20_000 {
		b.add(one{user: uint64(i), onNew: i%20 == 0, minute: int64(i / 100), late: i%15 == 0})
	}
	r := Judge(Input{Window: &b.window, Share: .05}, testPlan())
	if f := verdictOf(t, r, Timeouts); f.Verdict != Worse || r.Combined.Rollback {
		t.Errorf("timeouts everywhere: %s %v, combined %+v", f.Verdict, f.Reasons, r.Combined)
	}
}

// The formula of statistics.md, A, by hand: one block of 10 and 90 requests, 3 errors on
// new and 1 on old, and one alternative.
func TestRatioTestByHand(t *testing.T) {
	var only [alternatives]float64
	only[2] = 1
	test := newRatioTest(1, harmRatios, only)
	var s ratioSums
	test.add(&s, cell{10, 3, 90, 1})
	test.add(&s, cell{5, 5, 0, 0}) // old did not serve: says nothing
	want := 3*math.Log(2) - 4*math.Log(1.1)
	if got := test.logE(&s, 1); math.Abs(got-want) > 1e-12 {
		t.Errorf("L = %v, want %v", got, want)
	}
	if got := test.logE(&s, 2); math.Abs(got-want/2) > 1e-12 {
		t.Errorf("tempered L = %v, want %v", got, want/2)
	}
	if got := test.logFirst(firstErrors{3, 1}, .1); math.Abs(got-want) > 1e-12 {
		t.Errorf("first errors: L = %v, want %v", got, want)
	}
}

func TestFirstErrorsBelowTheCommonLimit(t *testing.T) {
	b := newBuilder()
	for i := range 30_000 {
		b.add(one{user: uint64(i), onNew: i%2 == 0, failed: i%4 < 2})
	}
	j := judge{share: .5, w: &b.window}
	f := j.firstErrors()
	if f.onNew < 3000 || f.onOld < 3000 || f.onNew > 4097 || f.onOld > 4097 {
		t.Errorf("%+v of 7,500 erring users each", f)
	}
	if j.share = 0; j.firstErrors() != (firstErrors{}) {
		t.Error("without a design split there is nothing to compare with")
	}
}
