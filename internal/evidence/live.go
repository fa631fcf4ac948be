package evidence

import (
	"slices"

	"github.com/nlpcanary/nlpcanary/outcome"
)

// This file keeps the sums that [Judge] takes of a window up to date request by request,
// so that the simulation can look after every few of them. The evidence is computed by
// the functions that Judge uses; a property test checks that both say the same.

// buckets are one cohort's bucket sums of a quantity, with their moments.
type buckets struct {
	moments
	sums [outcome.Buckets]struct{ x, d float64 }
}

func (b *buckets) count(bucket uint8, x, d float64) {
	s := &b.sums[bucket]
	b.replace(s.x, s.d, s.x+x, s.d+d)
	s.x += x
	s.d += d
}

// miss counts a request without an event: count(bucket, 0, 1), but faster.
func (b *buckets) miss(bucket uint8) {
	s := &b.sums[bucket]
	b.d++
	b.xd += s.x
	b.dd += 2*s.d + 1
	s.d++
}

// liveErrors is the evidence about errors.
type liveErrors struct {
	plan       Plan
	share      float64 // 0: no single design split
	harm, safe ratioTest
	// harmSums and safeSums are of the minutes that are over, open is the present one by
	// region.
	harmSums, safeSums ratioSums
	open               []cell
	onNew, onOld       buckets
	first              erringUsers
}

func newLiveErrors(plan Plan, share float64, regions int) *liveErrors {
	return &liveErrors{
		plan: plan, share: share, open: make([]cell, regions),
		harm:  newRatioTest(1, harmRatios, plan.ErrorWeights),
		safe:  newRatioTest(plan.SafeErrors, safeRatios, defaultRatioWeights),
		first: newErringUsers(),
	}
}

func (l *liveErrors) request(onNew bool, bucket uint8, region int, failed bool) {
	c := &l.open[region]
	requests, events, cohort := &c.oldRequests, &c.oldEvents, &l.onOld
	if onNew {
		requests, events, cohort = &c.newRequests, &c.newEvents, &l.onNew
	}
	*requests++
	if !failed {
		cohort.miss(bucket)
		return
	}
	*events++
	cohort.count(bucket, 1, 1)
}

// endMinute begins new blocks.
func (l *liveErrors) endMinute() {
	if l.plan.broken.strata {
		return // everything stays one block
	}
	for i := range l.open {
		l.harm.add(&l.harmSums, l.open[i])
		l.safe.add(&l.safeSums, l.open[i])
		l.open[i] = cell{}
	}
}

func (l *liveErrors) pooledOpen() []cell {
	if !l.plan.broken.strata {
		return l.open
	}
	var all cell
	for _, c := range l.open {
		all.newRequests += c.newRequests
		all.newEvents += c.newEvents
		all.oldRequests += c.oldRequests
		all.oldEvents += c.oldEvents
	}
	return []cell{all}
}

// logCounts is the evidence of A1 alone.
func (l *liveErrors) logCounts() float64 {
	sums := l.harmSums
	for _, c := range l.pooledOpen() {
		l.harm.add(&sums, c)
	}
	return l.harm.logE(&sums, l.phi(1))
}

func (l *liveErrors) phi(c float64) float64 {
	return l.plan.designEffect(l.onNew.moments, l.onOld.moments, c)
}

// logHarm is that of A1 and A2.
func (l *liveErrors) logHarm() float64 {
	if l.share <= 0 || l.share >= 1 {
		return mean(l.logCounts(), 0)
	}
	return mean(l.logCounts(), l.harm.logFirst(l.first.counts(), l.share))
}

func (l *liveErrors) logSafe() float64 {
	if !startedMeans(l.onNew.moments, l.onOld.moments, startRequests) {
		return 0
	}
	sums := l.safeSums
	for _, c := range l.pooledOpen() {
		l.safe.add(&sums, c)
	}
	return l.safe.logE(&sums, l.phi(l.safe.null))
}

// liveMean is the evidence about a mean or a ratio of sums.
type liveMean struct {
	rule         meanRule
	broken       without
	start        float64
	onNew, onOld buckets
	// textsNew and textsOld count the labelled texts of F1, whose denominator is of
	// descriptions.
	textsNew, textsOld buckets
}

func newLiveMean(plan Plan, m Metric) *liveMean {
	return &liveMean{rule: plan.rule(m), broken: plan.broken, start: startOf(m)}
}

func (l *liveMean) count(onNew bool, bucket uint8, x, d float64) {
	if onNew {
		l.onNew.count(bucket, x, d)
		return
	}
	l.onOld.count(bucket, x, d)
}

func (l *liveMean) countText(onNew bool, bucket uint8) {
	if onNew {
		l.textsNew.count(bucket, 0, 1)
		return
	}
	l.textsOld.count(bucket, 0, 1)
}

func (l *liveMean) started() bool {
	if l.start == startTexts {
		return startedMeans(l.textsNew.moments, l.textsOld.moments, l.start)
	}
	return startedMeans(l.onNew.moments, l.onOld.moments, l.start)
}

func (l *liveMean) logHarm() float64 {
	if !l.started() {
		return 0
	}
	return l.rule.contrasts(l.onNew.moments, l.onOld.moments, l.broken).harm()
}

func (l *liveMean) logSafe() float64 {
	if !l.started() {
		return 0
	}
	return l.rule.contrasts(l.onNew.moments, l.onOld.moments, l.broken).safety()
}

// liveTimeouts is the evidence about new's timeouts.
type liveTimeouts struct {
	plan       Plan
	harm, safe rateTest
	onNew      buckets
}

func newLiveTimeouts(plan Plan) *liveTimeouts {
	return &liveTimeouts{plan: plan, harm: newRateTest(plan.TimeoutRate, harmRates), safe: newRateTest(plan.TimeoutRate, safeRates)}
}

func (l *liveTimeouts) logHarm() float64 {
	return l.harm.logE(l.onNew.x, l.onNew.d, l.plan.designEffect(l.onNew.moments, moments{}, 1))
}

func (l *liveTimeouts) logSafe() float64 {
	if l.onNew.d < startRequests || l.onNew.effective() < startUsers {
		return 0
	}
	return l.safe.logE(l.onNew.x, l.onNew.d, l.plan.designEffect(l.onNew.moments, moments{}, 1))
}

// erringUsers are the first errors of both cohorts as their tallies keep them: those with
// the least hashes, at most as many as a tally names, below the lesser of both limits.
type erringUsers struct {
	limit    uint64
	new, old maxHeap
}

// mostErring is how many users a tally names.
const mostErring = 4096

func newErringUsers() erringUsers { return erringUsers{limit: 1<<64 - 1} }

func (e *erringUsers) add(onNew bool, hash uint64) {
	if hash >= e.limit {
		return
	}
	h := &e.old
	if onNew {
		h = &e.new
	}
	h.push(hash)
	if len(*h) <= mostErring {
		return
	}
	e.limit = h.pop()
	for _, h := range []*maxHeap{&e.new, &e.old} {
		for len(*h) > 0 && (*h)[0] >= e.limit {
			h.pop()
		}
	}
}

func (e *erringUsers) counts() firstErrors {
	return firstErrors{float64(len(e.new)), float64(len(e.old))}
}

// maxHeap has its greatest element first.
type maxHeap []uint64

func (h *maxHeap) push(v uint64) {
	*h = append(*h, v)
	s := *h
	for i := len(s) - 1; i > 0; {
		parent := (i - 1) / 2
		if s[parent] >= s[i] {
			return
		}
		s[parent], s[i] = s[i], s[parent]
		i = parent
	}
}

func (h *maxHeap) pop() uint64 {
	s := *h
	top, last := s[0], len(s)-1
	s[0] = s[last]
	s = slices.Delete(s, last, last+1)
	*h = s
	for i := 0; ; {
		child := 2*i + 1
		if child >= len(s) {
			return top
		}
		if child+1 < len(s) && s[child+1] > s[child] {
			child++
		}
		if s[i] >= s[child] {
			return top
		}
		s[i], s[child] = s[child], s[i]
		i = child
	}
}
