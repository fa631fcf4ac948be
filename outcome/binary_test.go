package outcome_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/outcome"
)

// some is a tally with something in every field.
func some(n int) *outcome.Tally {
	t := new(outcome.Tally)
	for i := range n {
		t.Add(&outcome.Outcome{
			UserKey: userKey(uint64(i)), ProcessingTime: time.Duration(i+1) * time.Millisecond, Descriptions: 3,
			Error: i%3 == 0, Timeout: i%3 == 1, Fallback: i%3 == 0, Excluded: i%5 == 4,
		})
	}
	return t
}

// A changed byte is noticed, or it gives a tally that stands by itself: never one
// whose parts contradict each other.
func TestChangedBytesAreNoticed(t *testing.T) {
	data := encode(t, some(8))
	const firstSums = 1 + 3 // the version, then requests, errors and timeouts
	for at := range data {
		for bit := range 8 {
			changed := bytes.Clone(data)
			changed[at] ^= 1 << bit
			var tally outcome.Tally
			err := tally.UnmarshalBinary(changed)
			switch {
			case err != nil && !errors.Is(err, outcome.ErrCorrupt):
				t.Fatalf("byte %d, bit %d: %v, want ErrCorrupt", at, bit, err)
			case err == nil && at <= firstSums:
				t.Fatalf("byte %d, bit %d: a changed count was not noticed", at, bit)
			case err == nil && !bytes.Equal(encode(t, &tally), changed):
				t.Fatalf("byte %d, bit %d: read %x, wrote %x", at, bit, changed, encode(t, &tally))
			}
		}
	}
	for n := range data {
		if err := new(outcome.Tally).UnmarshalBinary(data[:n]); !errors.Is(err, outcome.ErrCorrupt) {
			t.Fatalf("%d of %d bytes: %v, want ErrCorrupt", n, len(data), err)
		}
	}
}

// Numbers that a database could hold but no traffic could give: sums stop, they do
// not overflow, and the order still does not show.
func TestSumsDoNotOverflow(t *testing.T) {
	huge := some(8)
	for range 70 {
		huge.Merge(huge)
	}
	small := some(5)
	ab, ba := some(5), new(outcome.Tally)
	ab.Merge(huge)
	ba.Merge(huge)
	ba.Merge(small)
	if !bytes.Equal(encode(t, ab), encode(t, ba)) {
		t.Error("the order shows in a sum that is too large")
	}
	read := new(outcome.Tally)
	if err := read.UnmarshalBinary(encode(t, ab)); err != nil {
		t.Fatal(err)
	}
	if total := read.Total(); total.Requests < 1<<60 || total.Micros < 1<<60 {
		t.Errorf("the sum overflowed: %+v", total)
	}
	if s := read.Summary(); *s.ErrorRate < 0 || *s.ErrorRate > 1 || *s.P50MS <= 0 {
		t.Errorf("rates from a sum that stopped: %v, %v", *s.ErrorRate, *s.P50MS)
	}
}

func FuzzTallyUnmarshal(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1})
	f.Add(encode(f, new(outcome.Tally)))
	f.Add(encode(f, some(10)))
	f.Add(encode(f, some(5000)))
	f.Add(encode(f, failing(1, 2, 3)))
	var tooMany []uint64
	for i := range uint64(5000) {
		tooMany = append(tooMany, i<<30)
	}
	f.Add(encode(f, failing(tooMany...)))
	v1 := encode(f, failing(5))
	v1 = v1[:len(v1)-3]
	v1[0] = 1
	f.Add(v1)
	f.Add(binary.AppendUvarint([]byte{2}, math.MaxUint64))
	f.Fuzz(func(t *testing.T, data []byte) {
		var tally outcome.Tally
		if err := tally.UnmarshalBinary(data); err != nil {
			if !errors.Is(err, outcome.ErrCorrupt) {
				t.Fatalf("an error of its own: %v", err)
			}
			if again := encode(t, &tally); !bytes.Equal(again, encode(t, new(outcome.Tally))) {
				t.Fatal("a tally that could not be read was read in part")
			}
			return
		}
		written := encode(t, &tally)
		if data[0] != 1 && !bytes.Equal(written, data) {
			t.Fatalf("read %x, wrote %x", data, written)
		}
		tally.Summary()
		ab, ba := some(3), new(outcome.Tally)
		ab.Merge(&tally)
		ba.Merge(&tally)
		ba.Merge(some(3))
		if !bytes.Equal(encode(t, ab), encode(t, ba)) {
			t.Fatal("the order of merging shows")
		}
		if err := new(outcome.Tally).UnmarshalBinary(encode(t, ab)); err != nil {
			t.Fatalf("a sum cannot be read back: %v", err)
		}
	})
}
