package outcome

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"
)

// ErrFull is the error of an outcome that would begin a tally when the set has as
// many as it may: the store has been away for long. Tallies that exist go on
// counting, so the minutes at the beginning of an outage are complete; what is
// refused is counted by [Set.Refused].
var ErrFull = errors.New("too many tallies wait to be stored")

// MaxTallies is how many tallies a set holds: with two variants in one region,
// about 17 hours of minutes. A tally takes 15 KiB, with many users 25 KiB; where more
// than 4,096 users a minute have errors and times are all over, at most 80 KiB.
const MaxTallies = 2048

// keepFor is how long after its minute a tally may still be added to.
const keepFor = 2 * time.Minute

// Set is a producer's tallies that are not finished or not stored yet. It is safe
// for concurrent use. Sequence numbers begin anew with each Set, so each needs a
// producer id of its own: a process that starts again is another producer.
//
// One mutex guards it: an outcome holds it for about 200 ns, encoding a tally for
// some tens of microseconds, and what is counted took milliseconds to happen.
type Set struct {
	mu      sync.Mutex
	tallies map[Key]*version
	// closed is the last minute of which a tally was forgotten. Nothing may begin a
	// tally in it again: the store would replace the whole one that it has.
	closed  Minute
	refused atomic.Int64
}

// version is a tally and how far the store knows it.
type version struct {
	tally Tally
	seq   int64 // grows with each outcome
	known int64 // the highest seq that the store acknowledged
}

// Shipment is one version of a tally on its way to the store. The store replaces
// what it has for the same producer and key if Seq is higher, and ignores it if not.
type Shipment struct {
	Key  Key
	Seq  int64
	Data []byte // Tally.MarshalBinary
}

// NewSet makes an empty set.
func NewSet() *Set { return &Set{tallies: map[Key]*version{}, closed: math.MinInt64} }

// Add counts an outcome in the tally of its minute; one that is so late, by a clock
// set back or a slow reporter, that its minute is stored and forgotten counts in the
// first minute after. It returns an [InvalidError] or [ErrFull].
func (s *Set) Add(o Outcome, at time.Time) error {
	if err := o.Validate(); err != nil {
		return fmt.Errorf("counting an outcome: %w", err)
	}
	key := Key{o.Rollout, o.Epoch, o.Variant, o.Region, MinuteOf(at)}
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.tallies[key]
	if v == nil && key.Minute <= s.closed {
		key.Minute = s.closed + 1
		v = s.tallies[key]
	}
	if v == nil {
		if len(s.tallies) >= MaxTallies {
			s.refused.Add(1)
			return ErrFull
		}
		v = &version{}
		s.tallies[key] = v
	}
	v.tally.Add(&o)
	v.seq++
	return nil
}

// Refused is how many outcomes found no room.
func (s *Set) Refused() int64 { return s.refused.Load() }

// Pending is every tally that changed since the store last acknowledged it, each as
// it stood at one moment. It forgets those that are old enough not to change any
// more and are acknowledged.
func (s *Set) Pending(now time.Time) ([]Shipment, error) {
	var list []Shipment
	// Each tally is encoded under a lock of its own: after an outage there are many,
	// and requests must not wait for all of them.
	for _, key := range s.changed(now) {
		shipment, held, err := s.shipment(key)
		if err != nil {
			return nil, fmt.Errorf("encoding a tally: %w", err)
		}
		if held {
			list = append(list, shipment)
		}
	}
	return list, nil
}

// changed lists the tallies that the store does not have as they are, and forgets
// those that are over.
func (s *Set) changed(now time.Time) []Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	var keys []Key
	for key, v := range s.tallies {
		switch {
		case v.seq != v.known:
			keys = append(keys, key)
		case now.Sub(key.Minute.Time()) > time.Minute+keepFor:
			delete(s.tallies, key)
			s.closed = max(s.closed, key.Minute)
		}
	}
	return keys
}

// shipment encodes a tally as it is now; false if another caller of Pending had it
// stored and forgot it meanwhile.
func (s *Set) shipment(key Key) (Shipment, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, held := s.tallies[key]
	if !held {
		return Shipment{}, false, nil
	}
	data, err := v.tally.MarshalBinary()
	return Shipment{key, v.seq, data}, true, err
}

// Acknowledge says that the store has these.
func (s *Set) Acknowledge(list []Shipment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, shipment := range list {
		if v := s.tallies[shipment.Key]; v != nil {
			v.known = max(v.known, shipment.Seq)
		}
	}
}
