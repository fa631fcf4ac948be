package outcome

import (
	"time"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// Window is everything that was measured of one rollout while one split of users
// stood (an epoch), or a part of that time: what evidence is computed from.
type Window struct {
	Old, New Cohort
	// Blocks hold the plain counts of both variants side by side, minute by minute and
	// region by region, ascending by Minute, then Region. A block in which neither
	// variant served is left out.
	Blocks []Block
	// SlowOver is the processing time above which a request counts as Slow; 0 if it was
	// not frozen yet, and then no request is.
	SlowOver time.Duration
	// SlowFrom is the first minute in which Slow is counted. It is after the minutes that
	// SlowOver was derived from, where those are of the same epoch.
	SlowFrom Minute
}

// Cohort is what was measured of one variant's users over a whole window. Excluded
// outcomes are in none of it but the tally's Excluded.
type Cohort struct {
	// Tally is never nil; it is empty if nothing was measured.
	Tally *Tally
	// Marks are the feedback by the user-hash bucket of the outcome's user, the same
	// buckets as Tally.Bucket's.
	Marks [Buckets]Marks
}

// Block is one minute in one region.
type Block struct {
	Minute   Minute
	Region   rollout.Region
	Old, New Counts
}

// Counts are plain counts of outcomes; they add up in any order.
type Counts struct {
	Requests int64
	// Errors and Timeouts never count the same request.
	Errors, Timeouts int64
	// Slow is how many took longer than the window's SlowOver, timeouts included.
	Slow int64
}

// Marks are sums of feedback; they add up in any order.
type Marks struct {
	Quality  int64 // sum of the quality marks, 1 to 10 each
	Rated    int64 // outcomes with a quality mark
	Labels   Labels
	Labelled int64 // outcomes with labels
}
