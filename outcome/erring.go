package outcome

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// maxErring is how many users with an error a tally names; 32 KiB.
const maxErring = 4096

// erring is the set of users who had an error, for tests that count each user once.
// When there are too many it keeps those with the least hashes and remembers from
// where on it dropped (bottom-k sampling: Cohen and Kaplan, "Summarizing data using
// bottom-k sketches", PODC 2007). The k least of a union are among the k least of
// its parts, so the result does not depend on how the users were grouped; "the first
// k that came" would.
type erring struct {
	// hashes are different, ascending and less than limit().
	hashes []uint64
	// cut is math.MaxUint64 less the least hash that was dropped; 0 if none was.
	cut uint64
}

// cutAll is the cut of a set that was not recorded.
const cutAll = math.MaxUint64

// limit is below what every user is there.
func (e *erring) limit() uint64 { return math.MaxUint64 - e.cut }

func (e *erring) setLimit(limit uint64) { e.cut = math.MaxUint64 - limit }

// erringHash is from the half of the user's key that the bucket is not taken from.
func erringHash(key rollout.UserKey) uint64 {
	// The greatest number is kept free: it is the limit of a complete set.
	return min(binary.BigEndian.Uint64(key[8:]), math.MaxUint64-1)
}

func (e *erring) add(hash uint64) {
	if hash >= e.limit() {
		return
	}
	at, found := slices.BinarySearch(e.hashes, hash)
	if found {
		return
	}
	if len(e.hashes) == maxErring {
		if at == maxErring {
			e.setLimit(hash)
			return
		}
		e.setLimit(e.hashes[maxErring-1])
		e.hashes = e.hashes[:maxErring-1]
	}
	e.hashes = slices.Insert(e.hashes, at, hash)
}

func (e *erring) merge(other *erring) {
	e.cut = max(e.cut, other.cut)
	ours, theirs := below(e.limit(), e.hashes), below(e.limit(), other.hashes)
	if len(theirs) == 0 {
		e.hashes = ours
		return
	}
	union := make([]uint64, 0, min(len(ours)+len(theirs), maxErring))
	for len(ours)+len(theirs) > 0 {
		next := uint64(math.MaxUint64)
		if len(ours) > 0 {
			next = ours[0]
		}
		if len(theirs) > 0 {
			next = min(next, theirs[0])
		}
		if len(union) == maxErring {
			e.setLimit(next)
			break
		}
		union = append(union, next)
		if len(ours) > 0 && ours[0] == next {
			ours = ours[1:]
		}
		if len(theirs) > 0 && theirs[0] == next {
			theirs = theirs[1:]
		}
	}
	e.hashes = union
}

// below is the part of the ascending hashes that is less than limit.
func below(limit uint64, hashes []uint64) []uint64 {
	n, _ := slices.BinarySearch(hashes, limit)
	return hashes[:n]
}

// append writes the cut, then the hashes as distances from the least possible one.
func (e *erring) append(b []byte) []byte {
	b = binary.AppendUvarint(b, e.cut)
	b = binary.AppendUvarint(b, uint64(len(e.hashes)))
	next := uint64(0)
	for _, hash := range e.hashes {
		b = binary.AppendUvarint(b, hash-next)
		next = hash + 1
	}
	return b
}

func (d *decoder) erring(t *Tally) {
	e := erring{cut: d.uvarint()}
	n := d.number(maxErring)
	if e.cut != 0 && e.cut != cutAll && n != maxErring {
		d.fail("users dropped without need")
	}
	some := n > 0 || e.cut != 0
	if n > t.total.Errors || some != (t.total.Errors > 0) {
		d.fail("users with errors miscounted")
	}
	next := uint64(0)
	e.hashes = make([]uint64, 0, min(n, int64(len(d.rest)))) // each takes a byte or more
	for range n {
		step := d.uvarint()
		if d.err != nil {
			return
		}
		if step >= e.limit()-next { // next is at most the limit
			d.fail("users out of range")
			return
		}
		e.hashes = append(e.hashes, next+step)
		next += step + 1
	}
	t.erring = e
}
