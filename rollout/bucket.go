package rollout

import (
	"crypto/sha256"
	"encoding/binary"
	"hash/maphash"
	"sync/atomic"
)

// Bucket is a user's place in a rollout, 0 to 99; a user is on the new
// architecture iff the bucket is below the rollout's percentage.
type Bucket int8

// NoBucket stands where a user id was not valid.
const NoBucket Bucket = -1

// Salt keeps the buckets of two rollouts independent of each other: at most 64
// bytes of ASCII letters, digits, '-', '_' and '.'. It has no ':', so that salt and
// id cannot run into each other. The default rollout has none.
type Salt string

// MaxSalt is the longest salt, in bytes.
const MaxSalt = 64

// BucketOf is the user's bucket: the first four bytes of SHA-256(id), read
// big-endian, mod 100; with a salt, of SHA-256(salt + ":" + id). It allocates
// nothing for ids and salts within their limits.
func BucketOf(salt Salt, id UserID) Bucket {
	// One SHA-256 block holds 55 bytes; the small buffer spares the common case
	// the clearing of the large one.
	if n := len(salt) + 1 + len(id); n <= 64 {
		var buf [64]byte
		return bucketOfBytes(joined(buf[:0], salt, id))
	}
	var buf [MaxSalt + 1 + MaxUserID]byte
	return bucketOfBytes(joined(buf[:0], salt, id))
}

func joined(buf []byte, salt Salt, id UserID) []byte {
	if salt != "" {
		buf = append(buf, salt...)
		buf = append(buf, ':')
	}
	return append(buf, id...)
}

func bucketOfBytes(b []byte) Bucket {
	sum := sha256.Sum256(b)
	return Bucket(binary.BigEndian.Uint32(sum[:4]) % 100)
}

// BucketCache remembers the buckets of recently seen users under one salt. It is
// bounded, lock-free, never allocates after creation, and holds no user ids: a
// slot is 57 bits of a randomly seeded 64-bit hash beside the 7-bit bucket, and
// the slot's index supplies the remaining bits, so that a wrong hit needs a
// full 64-bit collision under an unknown seed (about 5e-20 for each look-up).
//
// A nil cache is valid and computes every bucket.
type BucketCache struct {
	salt  Salt
	seed  maphash.Seed
	mask  uint64
	slots []atomic.Uint64
	size  atomic.Int64 // slots that are not empty
}

const (
	bucketBits = 7
	bucketMask = 1<<bucketBits - 1
	minSlots   = 1 << bucketBits
	maxSlots   = 1 << 24
)

// DefaultCacheSlots is 512 KiB of cache. BenchmarkBucket shows why it is on by
// default: a hit costs a fraction of one SHA-256.
const DefaultCacheSlots = 1 << 16

// NewBucketCache makes a cache with at least the given number of slots, rounded
// up to a power of two between 128 and 16,777,216. Zero or fewer slots give nil:
// no cache.
func NewBucketCache(salt Salt, slots int) *BucketCache {
	if slots <= 0 {
		return nil
	}
	n := minSlots
	for n < slots && n < maxSlots {
		n *= 2
	}
	return &BucketCache{salt: salt, seed: maphash.MakeSeed(), mask: uint64(n - 1), slots: make([]atomic.Uint64, n)}
}

// Bucket is BucketOf(salt, id), remembered. The salt decides, not the cache: a
// cache made for another salt is passed over.
func (c *BucketCache) Bucket(salt Salt, id UserID) Bucket {
	if c == nil || c.salt != salt {
		return BucketOf(salt, id)
	}
	h := maphash.String(c.seed, string(id))
	slot := &c.slots[h&c.mask]
	tag := h &^ bucketMask
	if held := slot.Load(); held&^bucketMask == tag && held&bucketMask != 0 {
		return Bucket(held&bucketMask) - 1
	}
	b := BucketOf(salt, id)
	// 1 to 100, so that 0 is an empty slot.
	if slot.Swap(tag|uint64(b+1)) == 0 {
		c.size.Add(1)
	}
	return b
}

// Size is how many users the cache holds now.
func (c *BucketCache) Size() int {
	if c == nil {
		return 0
	}
	return int(c.size.Load())
}

// Clear forgets every user.
func (c *BucketCache) Clear() {
	if c == nil {
		return
	}
	for i := range c.slots {
		if c.slots[i].Swap(0) != 0 {
			c.size.Add(-1)
		}
	}
}
