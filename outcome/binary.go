package outcome

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// ErrCorrupt is the error for bytes that are not a tally.
var ErrCorrupt = errors.New("not a tally")

// The binary form: the version, then varints. Sums are written only for buckets that
// have any, bins and registers as differences of their positions. Version 1 ended
// before the users with errors, version 2 before the marks; they are read and no
// longer written.
const (
	formatVersion = 3
	withoutMarks  = 2
	withoutErring = 1
)

// MarshalBinary writes the tally. The same outcomes give the same bytes.
func (t *Tally) MarshalBinary() ([]byte, error) {
	b := make([]byte, 0, 2048)
	b = append(b, formatVersion)
	b = appendSums(b, &t.total)
	b = appendSums(b, &t.excluded)
	used := 0
	for i := range t.buckets {
		if t.buckets[i] != (Sums{}) {
			used++
		}
	}
	b = binary.AppendUvarint(b, uint64(used))
	for i := range t.buckets {
		if t.buckets[i] != (Sums{}) {
			b = append(b, byte(i))
			b = appendSums(b, &t.buckets[i])
		}
	}
	b = binary.AppendUvarint(b, uint64(len(t.times)))
	last := minIndex
	for _, bin := range t.times {
		b = binary.AppendUvarint(b, uint64(bin.index-last))
		b = binary.AppendUvarint(b, uint64(bin.count))
		last = bin.index
	}
	b = t.users.append(b)
	b = t.erring.append(b)
	return appendMarks(b, t.marks), nil
}

func appendSums(b []byte, s *Sums) []byte {
	for _, f := range s.fields() {
		b = binary.AppendUvarint(b, uint64(*f))
	}
	return b
}

// append writes the registers that are not zero, or all of them where that is shorter.
func (r registers) append(b []byte) []byte {
	used := 0
	for _, rank := range r {
		if rank != 0 {
			used++
		}
	}
	b = binary.AppendUvarint(b, uint64(used))
	if 2*used >= nRegister {
		return append(b, r...)
	}
	last := 0
	for at, rank := range r {
		if rank != 0 {
			b = binary.AppendUvarint(b, uint64(at-last))
			b = append(b, rank)
			last = at
		}
	}
	return b
}

// UnmarshalBinary reads a tally in place of this one. On [ErrCorrupt] this one is
// unchanged.
func (t *Tally) UnmarshalBinary(data []byte) error {
	d := decoder{rest: data}
	var read Tally
	version := d.byte()
	if version < withoutErring || version > formatVersion {
		d.fail(fmt.Sprintf("format version %d", version))
	}
	d.sums(&read.total)
	d.sums(&read.excluded)
	d.buckets(&read)
	d.bins(&read)
	d.registers(&read)
	if version != withoutErring {
		d.erring(&read)
	} else if read.total.Errors > 0 {
		read.erring.cut = cutAll
	}
	if version > withoutMarks {
		d.marks(&read)
	}
	if len(d.rest) > 0 {
		d.fail(fmt.Sprintf("%d bytes too many", len(d.rest)))
	}
	if d.err != nil {
		return d.err
	}
	*t = read
	return nil
}

// decoder reads until the first error and then yields zeros.
type decoder struct {
	rest []byte
	err  error
}

func (d *decoder) fail(why string) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrCorrupt, why)
	}
	d.rest = nil
}

func (d *decoder) byte() byte {
	if len(d.rest) == 0 {
		d.fail("too short")
		return 0
	}
	b := d.rest[0]
	d.rest = d.rest[1:]
	return b
}

func (d *decoder) uvarint() uint64 {
	v, n := binary.Uvarint(d.rest)
	if n <= 0 || n > 1 && d.rest[n-1] == 0 { // the second: not the shortest form
		d.fail("a bad number")
		return 0
	}
	d.rest = d.rest[n:]
	return v
}

func (d *decoder) number(most int64) int64 {
	v := d.uvarint()
	if v > uint64(most) {
		d.fail("a number out of range")
		return 0
	}
	return int64(v)
}

func (d *decoder) sums(s *Sums) {
	for _, f := range s.fields() {
		*f = d.number(maxSum)
	}
	if max(s.Errors, s.Timeouts, s.Fallbacks) > s.Requests || s.Requests == 0 && *s != (Sums{}) {
		d.fail("more happened than there were requests")
	}
}

func (d *decoder) buckets(t *Tally) {
	last := -1
	var all Sums
	for range d.number(Buckets) {
		i := int(d.byte())
		if i <= last && d.err == nil {
			d.fail("buckets out of order")
			return
		}
		d.sums(&t.buckets[i])
		if t.buckets[i] == (Sums{}) {
			d.fail("an empty bucket")
			return
		}
		all.add(&t.buckets[i])
		last = i
	}
	if all != t.total {
		d.fail("the buckets are not the total")
	}
}

func (d *decoder) bins(t *Tally) {
	n := d.number(int64(maxIndex-minIndex) + 1)
	last := int64(minIndex)
	t.times = make(sketch, 0, min(n, int64(len(d.rest)/2))) // each takes 2 bytes or more
	for i := range n {
		step, count := d.number(int64(maxIndex-minIndex)), d.number(maxSum)
		last += step
		if d.err != nil {
			return
		}
		if i > 0 && step == 0 || count == 0 || last > int64(maxIndex) {
			d.fail("bad bins")
			return
		}
		t.times = append(t.times, bin{int32(last), count})
	}
	if t.times.total() != t.total.Requests {
		d.fail("the times are not the requests'")
	}
}

func (d *decoder) registers(t *Tally) {
	used := d.number(nRegister)
	if used > t.total.Requests || used == 0 && t.total.Requests > 0 {
		d.fail("users miscounted")
	}
	if d.err != nil || used == 0 {
		return
	}
	r := make(registers, nRegister)
	if 2*used >= nRegister {
		if len(d.rest) < nRegister {
			d.fail("too short")
			return
		}
		copy(r, d.rest)
		d.rest = d.rest[nRegister:]
	} else {
		at := int64(0)
		for i := range used {
			step := d.number(nRegister)
			at += step
			if at >= nRegister || i > 0 && step == 0 {
				d.fail("registers out of order")
				return
			}
			r[at] = d.byte()
		}
	}
	seen := int64(0)
	for _, rank := range r {
		if rank > maxRank {
			d.fail("a register out of range")
			return
		}
		if rank != 0 {
			seen++
		}
	}
	if seen != used {
		d.fail("registers miscounted")
		return
	}
	t.users = r
}
