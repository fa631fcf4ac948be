package evidence

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nlpcanary/nlpcanary/outcome"
)

// near allows for sums in another order.
func near(a, b float64) bool { return math.Abs(a-b) <= 1e-6*(1+math.Abs(a)+math.Abs(b)) }

// The simulation says of the same requests what Judge says of their window, at any
// moment: so what the validation shows holds for what production runs.
func TestSimulationSeesWhatJudgeSees(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newChance(rapid.Uint64().Draw(t, "seed"), 0)
		share := rapid.SampledFrom([]float64{.05, .25, .5}).Draw(t, "share")
		users := rapid.SampledFrom([]int{3, 40, 500, 100_000}).Draw(t, "users")
		requests := rapid.IntRange(1, 1500).Draw(t, "requests")
		perMinute := rapid.IntRange(1, 400).Draw(t, "requests per minute")
		regions := rapid.IntRange(1, 3).Draw(t, "regions")
		errorRate := rapid.SampledFrom([]float64{0, .02, .3}).Draw(t, "errors")

		plan := testPlan()
		b := newBuilder()
		errors, late := newLiveErrors(plan, share, regions), newLiveTimeouts(plan)
		means := map[Metric]*liveMean{}
		for _, m := range []Metric{ProcessingTime, MeanTime, Quality, F1, Descriptions} {
			means[m] = newLiveMean(plan, m)
		}
		erred := map[uint64]bool{}
		for i := range requests {
			if i > 0 && i%perMinute == 0 {
				errors.endMinute()
			}
			user := uint64(c.IntN(users))
			key := keyOf(user)
			o := one{
				user: user, minute: int64(i / perMinute), region: int64(c.IntN(regions)), descriptions: c.IntN(5),
				// The user's place, from bytes that nothing else is taken from.
				onNew: float64(binary.BigEndian.Uint16(key[2:4]))/65536 < share,
				took:  time.Duration(math.Exp(10+c.NormFloat64())) * time.Microsecond,
			}
			if o.failed = c.happens(errorRate); !o.failed {
				o.late = c.happens(.01)
			}
			if c.happens(.3) {
				o.marks = outcome.Marks{Quality: int64(1 + c.IntN(10)), Rated: 1, Labelled: 1, Labels: outcome.Labels{Correct: int64(c.IntN(4)), Wrong: int64(c.IntN(2)), Missed: int64(c.IntN(2))}}
			}
			b.add(o)

			errors.request(o.onNew, key[0], int(o.region), o.failed)
			if o.failed && !erred[user] {
				erred[user] = true
				errors.first.add(o.onNew, binary.BigEndian.Uint64(key[8:]))
			}
			if o.onNew {
				late.onNew.count(key[0], flag(o.late), 1)
			}
			single := outcome.Sums{Requests: 1, Descriptions: int64(o.descriptions), Micros: o.took.Microseconds()}
			single.LogMicros = int64(math.Round(math.Log1p(float64(single.Micros)) * 1e6)) // as a tally rounds it
			for _, m := range means {
				x, d := m.rule.quantity(single, o.marks)
				m.count(o.onNew, key[0], x, d)
				if _, n := labelledTexts(single, o.marks); n > 0 {
					m.countText(o.onNew, key[0])
				}
			}
		}

		r := Judge(Input{Window: &b.window, Share: share}, plan)
		same := func(m Metric, harm, safe float64) {
			f := r.Finding(m)
			if f.Verdict == NoData {
				return
			}
			if !near(f.LogHarm, harm) || !near(f.LogSafe, safe) {
				t.Errorf("%s: Judge says harm %v, safe %v; the simulation %v, %v", m, f.LogHarm, f.LogSafe, harm, safe)
			}
		}
		same(Errors, errors.logHarm(), errors.logSafe())
		same(Timeouts, late.logHarm(), late.logSafe())
		for m, l := range means {
			same(m, l.logHarm(), l.logSafe())
		}
		checkReport(t, &r)
	})
}

// checkReport is what holds of any report.
func checkReport(t *rapid.T, r *Report) {
	if _, err := json.Marshal(r); err != nil {
		t.Error(err)
	}
	for _, f := range r.Findings {
		if finite(f.LogHarm) == nil || finite(f.LogSafe) == nil || finite(f.DesignEffect) == nil || f.DesignEffect < 1 {
			t.Errorf("%s: harm %v, safe %v, design effect %v", f.Metric, f.LogHarm, f.LogSafe, f.DesignEffect)
		}
		if f.Verdict == Harm && !f.Past {
			t.Errorf("%s is HARM inside its limit", f.Metric)
		}
		for name, i := range map[string]*Interval{"old": f.Old, "new": f.New, "difference": f.Difference, "change": f.Change} {
			if i != nil && !math.IsNaN(i.Estimate) && !(i.Low <= i.Estimate && i.Estimate <= i.High) {
				t.Errorf("%s, %s: %+v", f.Metric, name, *i)
			}
		}
		if f.Risk != nil && !(*f.Risk >= 0 && *f.Risk <= 1) {
			t.Errorf("%s: risk %v", f.Metric, *f.Risk)
		}
		for _, c := range []*Forecast{f.ToHarm, f.ToSafe} {
			if c != nil && !(0 <= c.Low && c.Low <= c.Median && c.Median <= c.High && c.Chance >= 0 && c.Chance <= 1) {
				t.Errorf("%s: forecast %+v", f.Metric, *c)
			}
		}
	}
}

// Beyond what a tally names, the simulation samples the users with errors as tallies do.
func TestSimulationSamplesErringUsersAsTalliesDo(t *testing.T) {
	b := newBuilder()
	live := newErringUsers()
	for i := range 30_000 {
		o := one{user: uint64(i), onNew: i%4 == 0, failed: i%3 > 0}
		b.add(o)
		if key := keyOf(o.user); o.failed {
			live.add(o.onNew, binary.BigEndian.Uint64(key[8:]))
		}
		if i%5000 == 4999 {
			j := judge{share: .25, w: &b.window}
			if want := j.firstErrors(); live.counts() != want {
				t.Errorf("after %d users: %+v, tallies have %+v", i+1, live.counts(), want)
			}
		}
	}
}
