package outcome

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"strings"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// Errors of an outcome id.
var (
	// ErrMalformed: not an outcome id at all.
	ErrMalformed = errors.New("not an outcome id")
	// ErrForged: it looks like an outcome id, but this installation did not make it.
	ErrForged = errors.New("this installation did not make this outcome id")
)

// Ticket is what late feedback must know of the outcome it is about. It travels in
// the outcome's id, so that the database need not keep a row for each request.
type Ticket struct {
	Rollout  string
	Epoch    int64
	Variant  rollout.Variant
	Region   rollout.Region
	Minute   Minute
	UserKey  rollout.UserKey
	Excluded bool
	// ByClient says that a client made the id by itself: that there is such an outcome is
	// its word alone.
	ByClient bool
}

// Sealer makes and reads outcome ids. It is safe for concurrent use.
type Sealer struct {
	version byte   // of what it makes
	secret  []byte // nil if it is only known to servers
	clients []byte // the key of what clients make
}

// NewSealer makes a sealer under the installation's secret, 32 random bytes. It also
// opens the ids that clients made.
func NewSealer(secret []byte) *Sealer {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("nlpcanary: outcome ids made by clients"))
	return &Sealer{version: byServer, secret: secret, clients: mac.Sum(nil)}
}

// NewClientSealer makes a sealer under [Sealer.ClientKey]. It neither makes nor opens
// the ids of servers.
func NewClientSealer(key []byte) *Sealer { return &Sealer{version: byClient, clients: key} }

// ClientKey is the key with which clients make ids of their own. The installation's
// secret does not follow from it.
func (s *Sealer) ClientKey() []byte { return s.clients }

// The versions of tickets.
const (
	byServer = 1
	byClient = 2
)

const (
	nonceSize = 8
	tagSize   = 16 // 128 bits of HMAC-SHA256
	keySize   = len(rollout.UserKey{})
	maxID     = 400
)

// The flags of a ticket.
const (
	flagNew = 1 << iota
	flagExcluded
)

// Seal makes an outcome id: base64url of the ticket, a nonce that makes it unique,
// and a tag that nobody else can make. The user's key in it is a keyed hash.
func (s *Sealer) Seal(t Ticket) string {
	b := make([]byte, 0, 96)
	b = append(b, s.version)
	var nonce [nonceSize]byte
	_, _ = rand.Read(nonce[:]) // never fails (crypto/rand documents it)
	b = append(b, nonce[:]...)
	var flags byte
	if t.Variant == rollout.New {
		flags |= flagNew
	}
	if t.Excluded {
		flags |= flagExcluded
	}
	b = append(b, flags)
	b = append(b, t.UserKey[:]...)
	b = binary.AppendUvarint(b, uint64(t.Epoch))
	b = binary.AppendUvarint(b, uint64(t.Minute))
	b = append(append(b, byte(len(t.Rollout))), t.Rollout...)
	b = append(append(b, byte(len(t.Region))), t.Region...)
	b = append(b, s.tag(b)...)
	return base64.RawURLEncoding.EncodeToString(b)
}

func (s *Sealer) tag(b []byte) []byte {
	key := s.secret
	if b[0] == byClient {
		key = s.clients
	}
	mac := hmac.New(sha256.New, key)
	mac.Write(b)
	return mac.Sum(nil)[:tagSize]
}

// Open reads an outcome id. Only the very text that [Sealer.Seal] made opens, so an
// id may serve as a key. It returns [ErrMalformed] or [ErrForged].
func (s *Sealer) Open(id string) (Ticket, error) {
	// The base64 decoder skips line breaks. Feedback is kept by id, so an id with a
	// second spelling would be credited twice.
	if len(id) > maxID || strings.ContainsAny(id, "\r\n") {
		return Ticket{}, ErrMalformed
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(id)
	if err != nil || len(b) < 1+nonceSize+1+keySize+tagSize || b[0] != byServer && b[0] != byClient {
		return Ticket{}, ErrMalformed
	}
	if b[0] == byServer && s.version != byServer {
		return Ticket{}, ErrForged
	}
	body, tag := b[:len(b)-tagSize], b[len(b)-tagSize:]
	if !hmac.Equal(tag, s.tag(body)) {
		return Ticket{}, ErrForged
	}
	d := decoder{rest: body[1+nonceSize:]}
	flags := d.byte()
	t := Ticket{Variant: rollout.Old, Excluded: flags&flagExcluded != 0, ByClient: b[0] == byClient}
	if flags&flagNew != 0 {
		t.Variant = rollout.New
	}
	copy(t.UserKey[:], d.bytes(keySize))
	t.Epoch = d.number(maxSum)
	t.Minute = Minute(d.number(maxSum))
	t.Rollout = string(d.bytes(int(d.byte())))
	t.Region = rollout.Region(d.bytes(int(d.byte())))
	if d.err != nil || len(d.rest) > 0 {
		return Ticket{}, ErrMalformed
	}
	return t, nil
}

func (d *decoder) bytes(n int) []byte {
	if len(d.rest) < n {
		d.fail("too short")
		return nil
	}
	b := d.rest[:n]
	d.rest = d.rest[n:]
	return b
}
