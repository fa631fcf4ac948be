package rollout

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
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
	for i := range len(id) {
		if id[i] < ' ' || id[i] > '~' {
			return id.validBeyondPrintableASCII()
		}
	}
	return true
}

func (id UserID) validBeyondPrintableASCII() bool {
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

// UnmarshalText reads a key of 32 hexadecimal digits. A bad text leaves the key
// as it was.
func (k *UserKey) UnmarshalText(text []byte) error {
	if len(text) != hex.EncodedLen(len(k)) {
		return fmt.Errorf("a user key has %d hexadecimal digits, not %d", hex.EncodedLen(len(k)), len(text))
	}
	var key UserKey
	if _, err := hex.Decode(key[:], text); err != nil {
		return fmt.Errorf("a user key has %d hexadecimal digits: %w", hex.EncodedLen(len(k)), err)
	}
	*k = key
	return nil
}

// The pads of HMAC (RFC 2104): 0x36 and 0x5c, a block of each.
var (
	innerPad = [sha256.BlockSize]byte(bytes.Repeat([]byte{0x36}, sha256.BlockSize))
	outerPad = [sha256.BlockSize]byte(bytes.Repeat([]byte{0x5c}, sha256.BlockSize))
)

// Keyer makes user keys under one installation's secret. The zero Keyer uses an
// empty secret. It is safe for concurrent use and does not allocate.
type Keyer struct {
	secret [sha256.BlockSize]byte // padded with zeros, or hashed if longer
}

// NewKeyer prepares a Keyer. The secret should be 32 random bytes.
func NewKeyer(secret []byte) Keyer {
	if len(secret) > sha256.BlockSize {
		sum := sha256.Sum256(secret)
		secret = sum[:]
	}
	var k Keyer
	copy(k.secret[:], secret)
	return k
}

// Key is the first 16 bytes of HMAC-SHA256(secret, id) (RFC 2104) of a valid id.
// It is written out here because crypto/hmac allocates, and overrides are looked
// up on the path of every decision.
func (k *Keyer) Key(id UserID) UserKey {
	var inner [sha256.BlockSize + MaxUserID]byte
	subtle.XORBytes(inner[:], k.secret[:], innerPad[:])
	n := copy(inner[sha256.BlockSize:], id)
	innerSum := sha256.Sum256(inner[:sha256.BlockSize+n])

	var outer [sha256.BlockSize + sha256.Size]byte
	subtle.XORBytes(outer[:], k.secret[:], outerPad[:])
	copy(outer[sha256.BlockSize:], innerSum[:])
	sum := sha256.Sum256(outer[:])
	return UserKey(sum[:16])
}
