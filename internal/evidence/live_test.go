package evidence

import (
	"encoding/binary"
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
		requests := rapid.IntRange(1, 3000).Draw(t, "requests")
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
			var single outcome.Tally
			single.Add(&outcome.Outcome{UserKey: key, ProcessingTime: o.took, Descriptions: o.descriptions})
			for _, m := range means {
				x, d := m.rule.quantity(single.Total(), o.marks)
				m.count(o.onNew, key[0], x, d)
				if _, n := labelledTexts(single.Total(), o.marks); n > 0 {
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
	})
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
