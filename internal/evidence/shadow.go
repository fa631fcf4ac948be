package evidence

import "github.com/nlpcanary/nlpcanary/outcome"

// Shadowed is what shadow traffic says: the same requests on both architectures, so
// that the difference of each pair is free of what differs between requests. It is a
// look at new before anybody is on it, and no ground for a verdict: nobody saw new's
// answers, and what is copied is a sample of what may safely be sent twice.
type Shadowed struct {
	Sums outcome.ShadowSums
	// Errors and Timeouts are per request; Time is the mean in milliseconds;
	// Descriptions per compared text. Nil if nothing was measured.
	Errors, Timeouts, Time, Descriptions *PairedDifference
}

// PairedDifference is new less old over pairs. Its bounds hold at every look; they are
// infinite with fewer than 100 pairs or 30 effective user buckets.
type PairedDifference struct {
	Old, New   float64
	Difference Interval
}

// Where an interval begins to mean anything (statistics.md, C).
const (
	minPairs   = 100
	minBuckets = 30
)

// Shadow adds up what the pairs say, with the variance of the paired differences over
// user-hash buckets: with x_b the difference and n_b the pairs of a bucket, and R the
// sum of x_b over that of n_b, V = B/(B-1) sum_b (x_b - R n_b)^2 / (sum n)^2.
func Shadow(s *outcome.Shadows, alpha float64) Shadowed {
	out := Shadowed{Sums: s.Total()}
	pairs := func(b outcome.ShadowSums) int64 { return b.Pairs }
	compared := func(b outcome.ShadowSums) int64 { return b.Compared }
	difference := func(unit float64, n, old, canary func(outcome.ShadowSums) int64) *PairedDifference {
		return pairedDifference(s, alpha, unit, n, old, canary)
	}
	out.Errors = difference(1, pairs, func(b outcome.ShadowSums) int64 { return b.OldErrors }, func(b outcome.ShadowSums) int64 { return b.NewErrors })
	out.Timeouts = difference(1, pairs, func(b outcome.ShadowSums) int64 { return b.OldTimeouts }, func(b outcome.ShadowSums) int64 { return b.NewTimeouts })
	out.Time = difference(1000, pairs, func(b outcome.ShadowSums) int64 { return b.OldMicros }, func(b outcome.ShadowSums) int64 { return b.NewMicros })
	out.Descriptions = difference(1, compared, func(b outcome.ShadowSums) int64 { return b.OldDescriptions }, func(b outcome.ShadowSums) int64 { return b.NewDescriptions })
	return out
}

func pairedDifference(s *outcome.Shadows, alpha, unit float64, n, old, canary func(outcome.ShadowSums) int64) *PairedDifference {
	var count, squares, before, after float64
	for i := range outcome.Buckets {
		b := s.Bucket(i)
		c := float64(n(b))
		count += c
		squares += c * c
		before += float64(old(b)) / unit
		after += float64(canary(b)) / unit
	}
	if count == 0 {
		return nil
	}
	d := &PairedDifference{Old: before / count, New: after / count}
	estimate := d.New - d.Old
	var v float64
	for i := range outcome.Buckets {
		b := s.Bucket(i)
		r := float64(canary(b)-old(b))/unit - estimate*float64(n(b))
		v += r * r
	}
	v *= float64(outcome.Buckets) / float64(outcome.Buckets-1) / (count * count)
	if count < minPairs || count*count/squares < minBuckets {
		v = 0 // which has no bounds
	}
	d.Difference = around(estimate, v, max(d.Old, d.New), alpha)
	return d
}
