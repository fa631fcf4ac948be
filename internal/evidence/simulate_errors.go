package evidence

import (
	"fmt"
	"math"
)

// lone makes requests each of which comes from a user of its own.
type lone struct {
	chance
	errors *liveErrors
	// bytes are random ones that are left over.
	bytes uint64
	left  int
	// untilOld and untilNew count the requests up to the next error.
	untilOld, untilNew int
	oldRate, newRate   float64
}

func (s simulation) lone(c chance, share, oldRate, newRate float64) *lone {
	return &lone{
		chance: c, errors: newLiveErrors(s.plan, share, 1),
		untilOld: c.misses(oldRate), untilNew: c.misses(newRate), oldRate: oldRate, newRate: newRate,
	}
}

// byte is a random one: most of the time of a simulation goes into drawing buckets.
func (l *lone) byte() uint8 {
	if l.left == 0 {
		l.bytes, l.left = l.Uint64(), 8
	}
	b := uint8(l.bytes)
	l.bytes >>= 8
	l.left--
	return b
}

func (l *lone) request(onNew bool) {
	until, rate := &l.untilOld, l.oldRate
	if onNew {
		until, rate = &l.untilNew, l.newRate
	}
	failed := *until == 0
	*until--
	if failed {
		*until = l.misses(rate)
		l.errors.first.add(onNew, l.Uint64())
	}
	l.errors.request(onNew, l.byte(), 0, failed)
}

func splitName(share float64) string {
	return fmt.Sprintf("%.0f/%.0f", 100*share, 100-100*share)
}

// equalErrors: nothing is wrong, and one looks for long.
func (s simulation) equalErrors(share float64, trials int) trialCase {
	name := "A/A errors 2 %/2 %, 200k new requests, " + splitName(share)
	return trialCase{name: name, trials: trials, trial: func(c chance) []float64 {
		l := s.lone(c, share, .02, .02)
		found := false
		looker(c, share, s.length(200_000), l.request, l.errors.endMinute, func(int) bool {
			found = l.errors.logHarm() >= proof
			return found
		})
		return []float64{flag(found)}
	}, rows: []rowRule{atMost(name, "false rollback", 0, .05)}}
}

// moreErrors: how fast is harm found, against Wald's sequential probability ratio test
// that knows both the rate and how much worse it is?
func (s simulation) moreErrors(rate float64, trials, least int) trialCase {
	const share, base, patience = .05, .02, 100_000
	name := fmt.Sprintf("errors 2 %% to %.0f %%, 5/95: new requests to detect", 100*rate)
	return trialCase{name: name, trials: trials, least: least, trial: func(c chance) []float64 {
		l := s.lone(c, share, base, rate)
		ratio := rate / base
		ours, sprt := math.Inf(1), math.Inf(1)
		var onNew, all float64
		count := func(isNew bool) {
			failsNext := &l.untilOld
			if isNew {
				failsNext = &l.untilNew
			}
			if *failsNext == 0 {
				all++
				onNew += flag(isNew)
			}
			l.request(isNew)
		}
		looker(c, share, patience, count, l.errors.endMinute, func(n int) bool {
			if math.IsInf(ours, 1) && l.errors.logHarm() >= proof {
				ours = float64(n)
			}
			if math.IsInf(sprt, 1) && onNew*math.Log(ratio)-all*math.Log(1+(ratio-1)*share) >= proof {
				sprt = float64(n)
			}
			return !math.IsInf(ours+sprt, 1)
		})
		return []float64{ours, sprt}
	}, rows: []rowRule{meanAgainst(name, "the SPRT's that knows the ratio", 0, 1, 1.25)}}
}

// busyUsers: users of 20 requests whose own rates of errors differ, active side by side
// or each in one go.
func (s simulation) busyUsers(bursts bool, trials int) trialCase {
	const share, rate, correlation, each = .05, .02, .05, 20 // so old has 19 times the users
	name, together := "A/A, users of 20 requests, ICC .05", 40
	if bursts {
		name, together = name+", in bursts", 1
	}
	type user struct {
		rate    float64
		left    int
		bucket  uint8
		errored bool
	}
	return trialCase{name: name, trials: trials, trial: func(c chance) []float64 {
		e := newLiveErrors(s.plan, share, 1)
		fresh := func() user { return user{c.rate(rate, correlation), each, c.bucket(), false} }
		pool := func(n int) []user {
			list := make([]user, n)
			for i := range list {
				list[i] = fresh()
			}
			return list
		}
		pools := map[bool][]user{true: pool(together), false: pool(19 * together)}
		request := func(onNew bool) {
			active := pools[onNew]
			u := &active[c.IntN(len(active))]
			failed := c.happens(u.rate)
			if failed && !u.errored {
				u.errored = true
				e.first.add(onNew, c.Uint64())
			}
			e.request(onNew, u.bucket, 0, failed)
			if u.left--; u.left == 0 {
				*u = fresh()
			}
		}
		var both, counts bool
		looker(c, share, s.length(50_000), request, e.endMinute, func(int) bool {
			both = both || e.logHarm() >= proof
			counts = counts || e.logCounts() >= proof
			return both && counts
		})
		return []float64{flag(both), flag(counts)}
	}, rows: []rowRule{
		atMost(name, "false rollback", 0, .05),
		atMost(name+": A1 alone", "false rollback", 1, .05),
	}}
}

// errorsAtMargin: new is exactly as bad as the margin of safety allows it not to be.
func (s simulation) errorsAtMargin(share float64, trials int) trialCase {
	name := "advance at the boundary: errors x 1.25, " + splitName(share)
	return trialCase{name: name, trials: trials, trial: func(c chance) []float64 {
		l := s.lone(c, share, .02, .02*s.plan.SafeErrors)
		found := false
		looker(c, share, s.length(100_000), l.request, l.errors.endMinute, func(int) bool {
			found = l.errors.logSafe() >= proof
			return found
		})
		return []float64{flag(found)}
	}, rows: []rowRule{atMost(name, "falsely advanced", 0, .05)}}
}

// timeoutsAtLimit: new times out exactly as often as it may at most.
func (s simulation) timeoutsAtLimit(trials int) trialCase {
	const name = "timeouts at exactly 1 %"
	return trialCase{name: name, trials: trials, trial: func(c chance) []float64 {
		l := newLiveTimeouts(s.plan)
		until := c.misses(s.plan.TimeoutRate)
		var harm, safe bool
		for n := 1; n <= s.length(200_000) && (!harm || !safe); n++ {
			x := 0.0
			if until == 0 {
				x, until = 1, c.misses(s.plan.TimeoutRate)
			} else {
				until--
			}
			l.onNew.count(c.bucket(), x, 1)
			if n%lookEvery == 0 {
				harm = harm || l.logHarm() >= proof
				safe = safe || l.logSafe() >= proof
			}
		}
		return []float64{flag(harm), flag(safe)}
	}, rows: []rowRule{
		atMost(name, "false rollback", 0, .05),
		atMost("advance at the boundary: timeouts 1 %", "falsely advanced", 1, .05),
	}}
}

// simpson: errors get four times as frequent for both when new's share grows tenfold, all
// in one window. Counts that are not kept apart show new at fault.
func (s simulation) simpson(trials int) trialCase {
	const name = "Simpson: 1 % base at stage 5 %, 4 % at stage 50 %, A/A"
	return trialCase{name: name, trials: trials, trial: func(c chance) []float64 {
		found := false
		l := s.lone(c, 0, .01, .01) // no single design split: A1 alone
		look := func(int) bool {
			found = found || l.errors.logCounts() >= proof
			return found
		}
		looker(c, .05, s.length(20_000), l.request, l.errors.endMinute, look)
		l.errors.endMinute()
		l.oldRate, l.newRate = .04, .04
		l.untilOld, l.untilNew = c.misses(.04), c.misses(.04)
		looker(c, .5, s.length(100_000), l.request, l.errors.endMinute, look)
		return []float64{flag(found)}
	}, rows: []rowRule{atMost(name, "false rollback", 0, .05)}}
}
