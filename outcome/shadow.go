package outcome

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// Shadow is a pair: one request that both architectures processed: old for the user, and new in
// the shadow, whose answer nobody got.
type Shadow struct {
	Rollout string
	Epoch   int64
	Region  rollout.Region
	UserKey rollout.UserKey
	Old     Half
	New     Half
	// Compared says that the descriptions of both are known. Added are those that only
	// new found, Lost those that only old found, and Changed those that both found, but
	// with another type or other bounds.
	Compared             bool
	Added, Lost, Changed int
}

// Half is what one architecture made of a pair's request.
type Half struct {
	// Error and Timeout are never both true.
	Error, Timeout bool
	Time           time.Duration // at most MaxTime
	Descriptions   int           // 0 unless compared
}

// ShadowSums are plain sums over pairs; they add up in any order.
type ShadowSums struct {
	Pairs                          int64
	OldErrors, OldTimeouts         int64
	NewErrors, NewTimeouts         int64
	OldMicros, NewMicros           int64 // processing times in microseconds
	Compared                       int64 // pairs whose descriptions were compared
	OldDescriptions                int64 // of the compared pairs, as below
	NewDescriptions                int64
	Added, Lost, Changed           int64
	SamePairs                      int64 // compared pairs without any difference
	OldFailedAlone, NewFailedAlone int64 // pairs of which one failed and the other did not
}

// fields lists the sums in the order of the binary form.
func (s *ShadowSums) fields() [16]*int64 {
	return [16]*int64{&s.Pairs, &s.OldErrors, &s.OldTimeouts, &s.NewErrors, &s.NewTimeouts, &s.OldMicros, &s.NewMicros, &s.Compared,
		&s.OldDescriptions, &s.NewDescriptions, &s.Added, &s.Lost, &s.Changed, &s.SamePairs, &s.OldFailedAlone, &s.NewFailedAlone}
}

// Add adds other sums to these.
func (s *ShadowSums) Add(other ShadowSums) {
	of := other.fields()
	for i, f := range s.fields() {
		*f = plus(*f, *of[i])
	}
}

func one(is bool) int64 {
	if is {
		return 1
	}
	return 0
}

func (p Shadow) sums() ShadowSums {
	oldFailed, newFailed := p.Old.Error || p.Old.Timeout, p.New.Error || p.New.Timeout
	s := ShadowSums{
		Pairs: 1, OldErrors: one(p.Old.Error), OldTimeouts: one(p.Old.Timeout), NewErrors: one(p.New.Error), NewTimeouts: one(p.New.Timeout),
		OldMicros: p.Old.Time.Microseconds(), NewMicros: p.New.Time.Microseconds(),
		OldFailedAlone: one(oldFailed && !newFailed), NewFailedAlone: one(newFailed && !oldFailed),
	}
	if p.Compared {
		s.Compared, s.OldDescriptions, s.NewDescriptions = 1, int64(p.Old.Descriptions), int64(p.New.Descriptions)
		s.Added, s.Lost, s.Changed = int64(p.Added), int64(p.Lost), int64(p.Changed)
		s.SamePairs = one(s.Added+s.Lost+s.Changed == 0)
	}
	return s
}

// Validate returns an [InvalidError] for a pair that cannot be true.
func (p Shadow) Validate() error {
	switch {
	case p.Rollout == "" || len(p.Rollout) > maxName:
		return &InvalidError{"rollout", "is 1 to 64 bytes long"}
	case p.Epoch < 1:
		return &InvalidError{"epoch", "is a revision, 1 or more"}
	case len(p.Region) > maxName:
		return &InvalidError{"region", "is at most 64 bytes long"}
	case p.Old.Error && p.Old.Timeout || p.New.Error && p.New.Timeout:
		return &InvalidError{"timeout", "and error are not both true: a timeout is counted as a timeout"}
	case min(p.Old.Time, p.New.Time) < 0 || max(p.Old.Time, p.New.Time) > MaxTime:
		return &InvalidError{"processing_time_ms", "is 0 to 3,600,000"}
	case min(p.Old.Descriptions, p.New.Descriptions, p.Added, p.Lost, p.Changed) < 0 ||
		max(p.Old.Descriptions, p.New.Descriptions, p.Added, p.Lost, p.Changed) > MaxDescriptions:
		return &InvalidError{"descriptions", "is 0 to 100,000"}
	}
	return nil
}

// Shadows is a mergeable sum of pairs, by the user-hash bucket of their users. The zero
// Shadows is empty and ready to use. It is not safe for concurrent use.
type Shadows struct{ buckets [Buckets]ShadowSums }

// Merge adds other pairs to these.
func (p *Shadows) Merge(other *Shadows) {
	for i := range p.buckets {
		p.buckets[i].Add(other.buckets[i])
	}
}

// Bucket is the sum over the pairs of the users in one of the Buckets.
func (p *Shadows) Bucket(i int) ShadowSums { return p.buckets[i] }

// Total is the sum over all pairs.
func (p *Shadows) Total() ShadowSums {
	var total ShadowSums
	for _, b := range p.buckets {
		total.Add(b)
	}
	return total
}

const shadowsVersion = 1

// MarshalBinary writes the version, then the buckets that have any as varints.
func (p *Shadows) MarshalBinary() ([]byte, error) {
	b := []byte{shadowsVersion}
	used := 0
	for i := range p.buckets {
		used += int(one(p.buckets[i] != ShadowSums{}))
	}
	b = binary.AppendUvarint(b, uint64(used))
	for i := range p.buckets {
		if p.buckets[i] == (ShadowSums{}) {
			continue
		}
		b = append(b, byte(i))
		for _, f := range p.buckets[i].fields() {
			b = binary.AppendUvarint(b, uint64(*f))
		}
	}
	return b, nil
}

// UnmarshalBinary reads pairs in place of these. On [ErrCorrupt] these are unchanged.
func (p *Shadows) UnmarshalBinary(data []byte) error {
	d := decoder{rest: data}
	var read Shadows
	if version := d.byte(); version != shadowsVersion {
		d.fail(fmt.Sprintf("format version %d", version))
	}
	last := -1
	for range d.number(Buckets) {
		i := int(d.byte())
		var s ShadowSums
		for _, f := range s.fields() {
			*f = d.number(maxSum)
		}
		switch {
		case d.err != nil:
			return d.err
		case i <= last:
			d.fail("buckets out of order")
		case max(s.OldErrors, s.OldTimeouts, s.NewErrors, s.NewTimeouts, s.Compared, s.OldFailedAlone, s.NewFailedAlone) > s.Pairs || s.Pairs == 0:
			d.fail("more happened than there were pairs")
		}
		if d.err != nil {
			return d.err
		}
		read.buckets[i], last = s, i
	}
	if len(d.rest) > 0 {
		d.fail(fmt.Sprintf("%d bytes too many", len(d.rest)))
	}
	if d.err != nil {
		return d.err
	}
	*p = read
	return nil
}

// ShadowKey says what pairs are the sum of.
type ShadowKey struct {
	Rollout string
	Epoch   int64
	Region  rollout.Region
}

// ShadowShipment is one version of pairs on its way to the store, which replaces what it
// has for the same producer and key if Seq is higher.
type ShadowShipment struct {
	Key  ShadowKey
	Seq  int64
	Data []byte // Shadows.MarshalBinary
}

// ShadowSet is a producer's pairs. There is one sum for each epoch, which is short: the
// sums of past epochs are forgotten once they are stored. It is safe for concurrent use.
type ShadowSet struct {
	mu   sync.Mutex
	sums map[ShadowKey]*shadowVersion
}

type shadowVersion struct {
	pairs      Shadows
	seq, known int64
}

// NewShadowSet makes an empty set.
func NewShadowSet() *ShadowSet { return &ShadowSet{sums: map[ShadowKey]*shadowVersion{}} }

// Add counts a pair. It returns an [InvalidError].
func (s *ShadowSet) Add(p Shadow) error {
	if err := p.Validate(); err != nil {
		return fmt.Errorf("counting a pair: %w", err)
	}
	key := ShadowKey{p.Rollout, p.Epoch, p.Region}
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.sums[key]
	if v == nil {
		v = &shadowVersion{}
		s.sums[key] = v
	}
	v.pairs.buckets[p.UserKey[0]].Add(p.sums())
	v.seq++
	return nil
}

// Pending is every sum that changed since the store last acknowledged it.
func (s *ShadowSet) Pending() ([]ShadowShipment, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	newest := int64(0)
	for key := range s.sums {
		newest = max(newest, key.Epoch)
	}
	var list []ShadowShipment
	for key, v := range s.sums {
		switch {
		case v.seq != v.known:
			data, err := v.pairs.MarshalBinary()
			if err != nil {
				return nil, fmt.Errorf("encoding pairs: %w", err)
			}
			list = append(list, ShadowShipment{key, v.seq, data})
		case key.Epoch < newest:
			delete(s.sums, key)
		}
	}
	return list, nil
}

// Acknowledge says that the store has these.
func (s *ShadowSet) Acknowledge(list []ShadowShipment) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, shipment := range list {
		if v := s.sums[shipment.Key]; v != nil {
			v.known = max(v.known, shipment.Seq)
		}
	}
}
