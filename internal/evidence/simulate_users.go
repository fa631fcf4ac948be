package evidence

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// wholeRollout: the same users go through all four stages, each user with a temper of
// its own in everything that is measured, and nothing is wrong. The evidence begins again
// at each stage and is judged by that stage's alpha.
func (s simulation) wholeRollout(trials int) trialCase {
	const name = "whole rollout, 4 stages, 4 metrics, sticky users, A/A"
	type user struct {
		place       float64 // below a stage's share: on new
		bucket      uint8
		hash        uint64
		errors      float64
		slowness    float64
		skill       float64
		erredAt     rollout.Stage
		busy        float64
		timeoutRate float64
	}
	weights := map[Metric]float64{Errors: .5, Timeouts: .2, F1: .2, ProcessingTime: .1}
	people, each := s.length(10_000), s.length(20_000)
	return trialCase{name: name, trials: trials, trial: func(c chance) []float64 {
		users := make([]user, people)
		// Busy users come more often: requests are drawn from the running sum.
		var sum float64
		for i := range users {
			sum += math.Exp(.8 * c.NormFloat64())
			users[i] = user{
				place: c.Float64(), bucket: c.bucket(), hash: c.Uint64(), busy: sum,
				errors: c.rate(.02, .05), timeoutRate: c.rate(.004, .02),
				slowness: .4 * c.NormFloat64(), skill: math.Exp(.05 * c.NormFloat64()),
			}
		}
		index := guide(people, func(i int) float64 { return users[i].busy / sum })
		found := false
		for stage := rollout.EarlyTesting; stage <= rollout.FullRollout && !found; stage++ {
			share := float64(stage.Percentage()) / 100
			p := NewPlan(rollout.DefaultSettings(), stage)
			p.broken, p.Weights = s.plan.broken, weights
			errors, late := newLiveErrors(p, share, 1), newLiveTimeouts(p)
			took, score := newLiveMean(p, ProcessingTime), newLiveMean(p, F1)
			list, rest := p.weighted()
			limit := -math.Log(p.Alpha)
			for n, looks := 0, 0; n < each && !found; {
				u := &users[index(c.Float64())]
				onNew := u.place < share
				timeout := c.happens(u.timeoutRate)
				failed := !timeout && c.happens(u.errors)
				if failed && u.erredAt != stage {
					u.erredAt = stage
					errors.first.add(onNew, u.hash)
				}
				errors.request(onNew, u.bucket, 0, failed)
				took.count(onNew, u.bucket, 12+u.slowness+.7*c.NormFloat64(), 1)
				if c.happens(.05) {
					x, d := c.read(c.text(), u.skill)
					score.count(onNew, u.bucket, x, d)
					score.countText(onNew, u.bucket)
				}
				if !onNew {
					continue
				}
				late.onNew.count(u.bucket, flag(timeout), 1)
				if n++; n%lookEvery != 0 {
					continue
				}
				logs := make([]float64, 0, len(list)+1)
				for _, w := range list {
					switch w.metric {
					case Errors:
						logs = append(logs, errors.logHarm())
					case Timeouts:
						logs = append(logs, late.logHarm())
					case F1:
						logs = append(logs, score.logHarm())
					default:
						logs = append(logs, took.logHarm())
					}
				}
				found = combineLogs(list, rest, logs) >= limit
				if looks++; looks%looksPerMinute == 0 {
					errors.endMinute()
				}
			}
		}
		return []float64{flag(found)}
	}, rows: []rowRule{atMost(name, "false rollback", 0, .05)}}
}

// guide looks up which of n steps of a rising curve from 0 to 1 a number falls into, by a
// table of where to begin (Chen and Asau, 1974).
func guide(n int, upTo func(i int) float64) func(u float64) int {
	begin := make([]int, n)
	for slot, i := 0, 0; slot < n; slot++ {
		for upTo(i) < float64(slot)/float64(n) {
			i++
		}
		begin[slot] = i
	}
	return func(u float64) int {
		i := begin[int(u*float64(n))]
		for i < n-1 && upTo(i) <= u {
			i++
		}
		return i
	}
}

// splitAsDesigned: users come one by one and are split as they should be. They are
// counted by the sketches of real tallies.
func (s simulation) splitAsDesigned(trials int) trialCase {
	const name = "SRM at the true split, users"
	const share = .05
	return trialCase{name: name, trials: trials, trial: func(c chance) []float64 {
		var onNew, onOld outcome.Tally
		limit := -math.Log(s.plan.AlphaSplit)
		found := false
		n := 0
		for next := lookEvery; n < s.length(5000) && !found; {
			var o outcome.Outcome
			binary.BigEndian.PutUint64(o.UserKey[:8], c.Uint64())
			binary.BigEndian.PutUint64(o.UserKey[8:], c.Uint64())
			if !c.happens(share) {
				onOld.Add(&o)
				continue
			}
			onNew.Add(&o)
			if n++; n == next {
				found = logSplit(float64(onNew.Users()), float64(onOld.Users()), share) >= limit
				next += lookEvery + n/50 // less often once a look cannot change much
			}
		}
		return []float64{flag(found)}
	}, rows: []rowRule{atMost(name, "false alarm", 0, .002)}}
}

// slowRequests: users of 20 requests, each with a pace of its own, in real windows judged
// as a whole. It watches what stands in for the design effect of slow requests, which
// tallies do not have.
func (s simulation) slowRequests(trials int) trialCase {
	const name = "slow requests A/A, users of 20 requests, ICC .5, 25/75"
	const share, each, users, looks = .25, 20, 2000, 40
	limit := outcome.SlowLimit(time.Duration(math.Exp(12+.8*1.645)) * time.Microsecond)
	return trialCase{name: name, trials: trials, trial: func(c chance) []float64 {
		w := outcome.Window{SlowOver: limit}
		w.Old.Tally, w.New.Tally = new(outcome.Tally), new(outcome.Tally)
		j := judge{plan: s.plan, w: &w, share: share}
		found := false
		for minute := range looks {
			b := outcome.Block{Minute: outcome.Minute(minute)}
			for range s.length(users) / looks {
				cohort, counts := &w.Old, &b.Old
				if c.happens(share) {
					cohort, counts = &w.New, &b.New
				}
				var o outcome.Outcome
				binary.BigEndian.PutUint64(o.UserKey[:8], c.Uint64())
				pace := 12 + .8*math.Sqrt(.5)*c.NormFloat64()
				var own outcome.Tally
				for range each {
					o.ProcessingTime = time.Duration(math.Exp(pace+.8*math.Sqrt(.5)*c.NormFloat64())) * time.Microsecond
					own.Add(&o)
				}
				cohort.Tally.Merge(&own)
				counts.Add(outcome.CountsOf(&own, limit))
			}
			w.Blocks = append(w.Blocks, b)
			f := j.slow()
			found = found || f.LogHarm >= proof
		}
		return []float64{flag(found)}
	}, rows: []rowRule{atMost(name, "false rollback", 0, .05)}}
}
