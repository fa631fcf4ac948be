package outcome

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
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

// keepMinutes is how many minutes before the newest one may still be added to.
const keepMinutes = 3

// Set is a producer's tallies that are not finished or not stored yet. It is safe
// for concurrent use. Sequence numbers begin anew with each Set, so each needs a
// producer id of its own: a process that starts again is another producer.
//
// One mutex guards it: an outcome holds it for about 200 ns, encoding a tally for
// some tens of microseconds, and what is counted took milliseconds to happen.
type Set struct {
	mu      sync.Mutex
	tallies map[Key]*version
	// newest is the latest minute that was counted in or asked for. Tallies of minutes
	// more than keepMinutes before it do not change any more.
	// Nothing may begin a tally in them again, either: the store would replace the whole
	// one that it has.
	newest  Minute
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
	Key  Key    `json:"key"`
	Seq  int64  `json:"seq" minimum:"1"`
	Data []byte `json:"data"` // Tally.MarshalBinary
}

// NewSet makes an empty set.
func NewSet() *Set {
	return &Set{tallies: map[Key]*version{}, newest: math.MinInt64 + keepMinutes}
}

// Add counts an outcome in the tally of its minute; one that is more than three minutes
// late, by a clock set back or a slow reporter, counts in the first minute that is
// still open. So whoever was given a tally of a minute, with everything that was
// pending, has the last version of all that were four minutes older or more.
// It returns an [InvalidError] or [ErrFull].
func (s *Set) Add(o Outcome, at time.Time) error {
	if err := o.Validate(); err != nil {
		return fmt.Errorf("counting an outcome: %w", err)
	}
	key := Key{o.Rollout, o.Epoch, o.Variant, o.Region, MinuteOf(at)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newest = max(s.newest, key.Minute)
	key.Minute = max(key.Minute, s.newest-keepMinutes)
	v := s.tallies[key]
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
// it stood at one moment, by minute, the oldest first: who stores them in parts stores
// them in this order. It forgets those that are old enough not to change any
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
	s.newest = max(s.newest, MinuteOf(now))
	var keys []Key
	for key, v := range s.tallies {
		switch {
		case v.seq != v.known:
			keys = append(keys, key)
		case key.Minute < s.newest-keepMinutes:
			delete(s.tallies, key)
		}
	}
	slices.SortFunc(keys, func(a, b Key) int { return cmp.Compare(a.Minute, b.Minute) })
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
