package evidence

import "math"

// simulation makes the cases of the validation.
type simulation struct {
	plan   Plan
	effort effort
}

const (
	// lookEvery is how many requests on new pass between two looks.
	lookEvery = 5
	// looksPerMinute is how many looks a block lasts.
	looksPerMinute = 10
)

// proof is what ln E must reach in a test by itself.
var proof = -math.Log(.05)

func (s simulation) length(full int) int { return full / s.effort.length }

func flag(happened bool) float64 {
	if happened {
		return 1
	}
	return 0
}

func (s simulation) cases() []trialCase {
	return []trialCase{
		s.equalErrors(.05, 1000), s.equalErrors(.5, 1500),
		s.moreErrors(.03, 2000, 50), s.moreErrors(.06, 4000, 1500),
		s.busyUsers(false, 800), s.busyUsers(true, 800),
		s.times("latency A/A, 5/95", 1, .8, 1500), s.times("latency +30 %, 5/95", 1.3, .8, 2000),
		s.times("latency +30 %, long tail, 5/95", 1.3, 1.2, 1000),
		s.scores("F1 A/A, 5/95", 1, 1500), s.scores("F1 -5 %, 5/95", .95, 2000),
		s.errorsAtMargin(.05, 1000), s.errorsAtMargin(.5, 1000),
		s.timeoutsAtLimit(1000),
		s.simpson(1000),
		s.wholeRollout(600),
		s.splitAsDesigned(1000),
		s.goldTexts("gold set A/A", 1, 2000), s.goldTexts("gold set, F1 -5 %", .95, 2000),
		s.slowRequests(400),
	}
}

// looker lets a trial pass in steps of lookEvery requests on new, with old's requests in
// between as the split has it: q is new's share of requests.
func looker(c chance, q float64, onNewRequests int, request func(onNew bool), minute func(), look func(onNew int) (done bool)) {
	for n, looks := 0, 0; n < onNewRequests; {
		for range lookEvery {
			for range c.misses(q) {
				request(false)
			}
			request(true)
			n++
		}
		if look(n) {
			return
		}
		if looks++; looks%looksPerMinute == 0 {
			minute()
		}
	}
}

func nothing() {}
