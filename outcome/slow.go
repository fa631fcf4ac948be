package outcome

import (
	"math"
	"time"
)

// SlowFactor times the 95th percentile of old's processing times is what a request
// may take before it counts as slow.
const SlowFactor = 1.3

// SlowLimit is the time above which requests count as slow, given the 95th percentile
// of old's: [SlowFactor] times it, moved up to the end of its bin of the sketch of
// times (by at most 2 %), so that [Tally.Slower] counts exactly and every tally that
// was ever kept can be asked. It is the last bin's end, which no time exceeds, at most.
func SlowLimit(p95 time.Duration) time.Duration {
	index := indexOf(int64(math.Ceil(float64(p95.Microseconds()) * SlowFactor)))
	return time.Duration(lastOf(index)) * time.Microsecond
}

// lastOf is the greatest whole number of microseconds in a bin.
func lastOf(index int32) int64 {
	end := int64(timeIndex.LowerBound(int(index) + 1))
	// The library's bound and index are rounded each by itself.
	for indexOf(end) > index {
		end--
	}
	for index < maxIndex && indexOf(end+1) <= index {
		end++
	}
	return end
}

// Slower counts the cohort's outcomes that took longer than a limit, timeouts with the
// time until they were given up. It is exact for a limit that [SlowLimit] gave; for
// any other one, the limit's whole bin counts as not longer.
func (t *Tally) Slower(limit time.Duration) int64 {
	index := indexOf(limit.Microseconds())
	var n int64
	for i := len(t.times) - 1; i >= 0 && t.times[i].index > index; i-- {
		n = plus(n, t.times[i].count)
	}
	return n
}

// CountsOf are the plain counts of a tally. Slow stays 0 without a limit.
func CountsOf(t *Tally, slowOver time.Duration) Counts {
	c := Counts{Requests: t.total.Requests, Errors: t.total.Errors, Timeouts: t.total.Timeouts}
	if slowOver > 0 {
		c.Slow = t.Slower(slowOver)
	}
	return c
}

// Add adds other counts to these.
func (c *Counts) Add(other Counts) {
	c.Requests = plus(c.Requests, other.Requests)
	c.Errors = plus(c.Errors, other.Errors)
	c.Timeouts = plus(c.Timeouts, other.Timeouts)
	c.Slow = plus(c.Slow, other.Slow)
}

// ErrorRate is errors/requests; nil without requests.
func (c Counts) ErrorRate() *float64 { return ratio(c.Errors, c.Requests) }

// TimeoutRate is timeouts/requests; nil without requests.
func (c Counts) TimeoutRate() *float64 { return ratio(c.Timeouts, c.Requests) }
