package rollout

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// UserID is a user's identity as the calling system knows it: 1 to 256 bytes of
// valid UTF-8 without control characters. It is the targeting key of decisions.
// It is never stored or logged; what is kept of a user is a [UserKey].
type UserID string

// MaxUserID is the longest user id, in bytes.
const MaxUserID = 256

// ParseUserID checks a user id. The error never repeats the id.
func ParseUserID(text string) (UserID, error) {
	const rule = "a user id is 1 to 256 bytes of valid UTF-8 without control characters"
	switch {
	case text == "":
		return "", invalid("user_id", "the user id is empty", rule)
	case len(text) > MaxUserID:
		return "", invalid("user_id", fmt.Sprintf("the user id is %d bytes long", len(text)), rule)
	case !utf8.ValidString(text):
		return "", invalid("user_id", "the user id is not valid UTF-8", rule)
	case !UserID(text).valid():
		return "", invalid("user_id", "the user id contains a control character", rule)
	}
	return UserID(text), nil
}

// valid is ParseUserID's rule without the explanation; it is on the hot path.
func (id UserID) valid() bool {
	if len(id) == 0 || len(id) > MaxUserID {
		return false
	}
	for i := 0; i < len(id); i++ {
		c := id[i]
		if c >= utf8.RuneSelf {
			return id.validBeyondASCII()
		}
		if c < ' ' || c == 0x7f {
			return false
		}
	}
	return true
}

func (id UserID) validBeyondASCII() bool {
	if !utf8.ValidString(string(id)) {
		return false
	}
	for _, r := range string(id) {
		if unicode.IsControl(r) {
			return false
		}
	}
	return true
}

// UserKey is a keyed hash of a user id: the same user gives the same key in one
// installation, and nobody without the installation's secret can tell whose it is.
type UserKey [16]byte

// String is the key in hexadecimal.
func (k UserKey) String() string { return hex.EncodeToString(k[:]) }

// MarshalText writes the key in hexadecimal.
func (k UserKey) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, k[:]), nil }

// UnmarshalText reads a key of 32 hexadecimal digits.
func (k *UserKey) UnmarshalText(text []byte) error {
	if hex.DecodedLen(len(text)) != len(k) || len(text)%2 != 0 {
		return fmt.Errorf("a user key has %d hexadecimal digits, not %d", 2*len(k), len(text))
	}
	_, err := hex.Decode(k[:], text)
	return err
}

// Keyer makes user keys under one installation's secret. The zero Keyer uses an
// empty secret. It is safe for concurrent use and does not allocate.
type Keyer struct {
	inner, outer [sha256.BlockSize]byte
}

// NewKeyer prepares a Keyer. The secret should be 32 random bytes.
func NewKeyer(secret []byte) Keyer {
	if len(secret) > sha256.BlockSize {
		sum := sha256.Sum256(secret)
		secret = sum[:]
	}
	var k Keyer
	copy(k.inner[:], secret)
	copy(k.outer[:], secret)
	for i := range k.inner {
		k.inner[i] ^= 0x36
		k.outer[i] ^= 0x5c
	}
	return k
}

// Key is the first 16 bytes of HMAC-SHA256(secret, id) (RFC 2104). It is written
// out here because crypto/hmac allocates, and overrides are looked up on the
// path of every decision.
func (k *Keyer) Key(id UserID) UserKey {
	var in [sha256.BlockSize + MaxUserID]byte
	copy(in[:], k.inner[:])
	n := copy(in[sha256.BlockSize:], id)
	innerSum := sha256.Sum256(in[:sha256.BlockSize+n])

	var out [sha256.BlockSize + sha256.Size]byte
	copy(out[:], k.outer[:])
	copy(out[sha256.BlockSize:], innerSum[:])
	sum := sha256.Sum256(out[:])
	return UserKey(sum[:16])
}
