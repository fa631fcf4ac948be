package outcome

import (
	"math"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// Parcel is what a client ships to a server: tallies of one producer.
type Parcel struct {
	// Producer names one Set: 1 to 64 ASCII letters, digits, '-', '_' and '.'. It is
	// unique for each run of a process.
	Producer string     `json:"producer" pattern:"^[A-Za-z0-9._-]{1,64}$" doc:"Unique for each run of a process."`
	Tallies  []Shipment `json:"tallies" minItems:"1" maxItems:"128" nullable:"false"`
}

// MaxParcel is how many tallies a parcel holds.
const MaxParcel = 128

// Check returns an [InvalidError] for a tally that no outcomes of the variant can have
// added up to, although it can be read.
func (t *Tally) Check(v rollout.Variant) error {
	for _, s := range []*Sums{&t.total, &t.excluded} {
		switch {
		case s.Micros > most(s.Requests, MaxTime.Microseconds()):
			return &InvalidError{"data", "holds longer times than outcomes may have"}
		case s.LogMicros > most(s.Requests, int64(math.Ceil(math.Log1p(float64(MaxTime.Microseconds()))*logScale))):
			return &InvalidError{"data", "holds longer times than outcomes may have"}
		case s.Descriptions > most(s.Requests, MaxDescriptions):
			return &InvalidError{"data", "holds more descriptions than outcomes may have"}
		case s.Errors+s.Timeouts > s.Requests:
			return &InvalidError{"data", "holds more failures than outcomes"}
		case s.Fallbacks > 0 && v != rollout.New:
			return &InvalidError{"data", "holds fallbacks from old, and there are only those from new"}
		}
	}
	if t.total.Requests+t.excluded.Requests == 0 {
		return &InvalidError{"data", "holds no outcome"}
	}
	return nil
}

// most is n times a bound, up to where sums stop.
func most(n, bound int64) int64 {
	if n > maxSum/bound {
		return maxSum
	}
	return n * bound
}
