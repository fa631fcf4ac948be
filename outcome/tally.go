package outcome

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// Buckets is how many user-hash buckets a tally has. They are for the variance of
// sums over users and have nothing to do with the cohort bucket, which is another
// hash.
const Buckets = 256

// logScale is the fixed point of sums of logarithms: a millionth. Integers add up to
// the same bytes in any order, floating-point numbers do not.
const logScale = 1e6

// maxSum is where sums stop. Nothing true gets near it; with it, adding up can
// neither overflow nor depend on the order, whatever a database holds.
const maxSum = 1 << 61

// plus adds two numbers from 0 to maxSum.
func plus(a, b int64) int64 { return min(a+b, maxSum) }

// Sums are plain sums over outcomes; they add up in any order.
type Sums struct {
	Requests     int64
	Errors       int64
	Timeouts     int64
	Fallbacks    int64
	Descriptions int64
	// Micros is the sum of processing times, in microseconds.
	Micros int64
	// LogMicros is the sum of ln(1 + microseconds), in millionths.
	LogMicros int64
}

func (s *Sums) add(o *Sums) {
	s.Requests = plus(s.Requests, o.Requests)
	s.Errors = plus(s.Errors, o.Errors)
	s.Timeouts = plus(s.Timeouts, o.Timeouts)
	s.Fallbacks = plus(s.Fallbacks, o.Fallbacks)
	s.Descriptions = plus(s.Descriptions, o.Descriptions)
	s.Micros = plus(s.Micros, o.Micros)
	s.LogMicros = plus(s.LogMicros, o.LogMicros)
}

// take takes other sums off; false if they were not in it.
func (s *Sums) take(o *Sums) bool {
	of, whole := o.fields(), true
	for i, f := range s.fields() {
		*f -= *of[i]
		whole = whole && *f >= 0
	}
	return whole
}

// fields lists the sums in the order of the binary form.
func (s *Sums) fields() [7]*int64 {
	return [7]*int64{&s.Requests, &s.Errors, &s.Timeouts, &s.Fallbacks, &s.Descriptions, &s.Micros, &s.LogMicros}
}

// Tally is a mergeable sum of outcomes. The zero Tally is empty and ready to use. It
// is not safe for concurrent use.
type Tally struct {
	total Sums
	// excluded counts outcomes that are in no cohort; they are in no other field.
	excluded Sums
	buckets  [Buckets]Sums
	times    sketch
	users    registers
	erring   erring
	// marks are by user-hash bucket; nil where there was no feedback.
	marks *[Buckets]Marks
}

// Add counts one outcome, which must be valid. It allocates only when a processing
// time falls into a range not seen before, a user has a first error, or a tally its
// first feedback.
func (t *Tally) Add(o *Outcome) {
	one := sumsOf(o)
	if o.Excluded {
		t.excluded.add(&one)
		return
	}
	t.total.add(&one)
	t.buckets[o.UserKey[0]].add(&one)
	t.times.add(one.Micros)
	t.users.add(o.UserKey)
	if o.Error {
		t.erring.add(erringHash(o.UserKey))
	}
	if o.Marks != (Marks{}) {
		t.AddMarks(int(o.UserKey[0]), o.Marks)
	}
}

// AddMarks adds feedback on users in one of the [Buckets]: that which comes after the
// outcome was counted.
func (t *Tally) AddMarks(bucket int, m Marks) {
	if t.marks == nil {
		t.marks = new([Buckets]Marks)
	}
	t.marks[bucket].Add(m)
}

func sumsOf(o *Outcome) Sums {
	s := Sums{
		Requests:     1,
		Descriptions: int64(o.Descriptions),
		Micros:       o.ProcessingTime.Microseconds(),
	}
	s.LogMicros = int64(math.Round(math.Log1p(float64(s.Micros)) * logScale))
	if o.Error {
		s.Errors = 1
	}
	if o.Timeout {
		s.Timeouts = 1
	}
	if o.Fallback {
		s.Fallbacks = 1
	}
	return s
}

// Merge adds another tally to this one and leaves the other as it is.
func (t *Tally) Merge(other *Tally) {
	t.total.add(&other.total)
	t.excluded.add(&other.excluded)
	for i := range t.buckets {
		if other.buckets[i].Requests != 0 {
			t.buckets[i].add(&other.buckets[i])
		}
	}
	t.times.merge(&other.times)
	t.users.merge(&other.users)
	t.erring.merge(&other.erring)
	if other.marks != nil {
		for i, m := range other.marks {
			if m != (Marks{}) {
				t.AddMarks(i, m)
			}
		}
	}
}

// Supersede turns a sum that has an earlier version of a tally in it into the sum that
// has a later version instead: every outcome of the earlier one is in the later one.
// Counts are taken off and added; what is a maximum or a set only grows. It returns
// [ErrCorrupt], and leaves the sum in any state, if it cannot have had that version.
func (t *Tally) Supersede(earlier, later *Tally) error {
	whole := t.total.take(&earlier.total) && t.excluded.take(&earlier.excluded)
	for i := range t.buckets {
		whole = t.buckets[i].take(&earlier.buckets[i]) && whole
	}
	whole = t.times.take(&earlier.times) && whole
	if earlier.marks != nil {
		for i, m := range earlier.marks {
			whole = whole && (m == Marks{} || t.marks != nil && t.marks[i].take(m))
		}
	}
	if !whole {
		return fmt.Errorf("%w: a sum without the version that is superseded", ErrCorrupt)
	}
	t.Merge(later)
	return nil
}

// Total is the sum over the cohort's outcomes.
func (t *Tally) Total() Sums { return t.total }

// Excluded is the sum over the outcomes that are in no cohort.
func (t *Tally) Excluded() Sums { return t.excluded }

// Bucket is the sum over the cohort's outcomes of the users in one of the Buckets.
func (t *Tally) Bucket(i int) Sums { return t.buckets[i] }

// Marks is the feedback on the outcomes of the users in one of the Buckets.
func (t *Tally) Marks(i int) Marks {
	if t.marks == nil {
		return Marks{}
	}
	return t.marks[i]
}

// Users estimates how many different users the cohort's outcomes came from, with a
// standard error of 1.6 %.
func (t *Tally) Users() int64 { return t.users.estimate() }

// Erring is the users of the cohort who had at least one error (timeouts apart), as
// hashes that are the same in every tally of one installation, ascending. Over the
// tallies of one stage these are the first errors per user. All such users with a
// hash less than limit are there. It is math.MaxUint64, so that they are simply all,
// unless more than 4,096 erred: then those below it are a sample that does not
// depend on what happened to them, and two cohorts are compared below the lesser of
// their limits. It is 0, and nothing is known, where a tally with errors from before
// these users were recorded is in the sum.
func (t *Tally) Erring() (hashes []uint64, limit uint64) {
	return slices.Clone(t.erring.hashes), t.erring.limit()
}

// Quantile is the processing time below which the share q (0 to 1) of the cohort's
// outcomes lie, to within 1 %; false if there are none.
func (t *Tally) Quantile(q float64) (time.Duration, bool) {
	micros, ok := t.times.quantile(q)
	return time.Duration(micros * float64(time.Microsecond)), ok
}
