package rollout

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Token lets a program or a person use the API. The secret itself is shown once
// and never kept; Hash is its SHA-256 in hexadecimal. A slow hash would protect
// nothing here: the secret has 256 random bits and cannot be guessed.
type Token struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Role      Role      `json:"role"`
	Hash      string    `json:"hash"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by"`
	// ExpiresAt is when the token stops working; zero for never.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

func tokenID(t Token) string { return t.ID }

// Expired reports whether the token no longer works at the given time.
func (t Token) Expired(at time.Time) bool { return !t.ExpiresAt.IsZero() && !at.Before(t.ExpiresAt) }

// HashToken is the hash under which a token's secret is kept.
func HashToken(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// TokenBySecret finds the token with the secret, expired or not.
func (s State) TokenBySecret(secret string) (Token, bool) {
	hash := []byte(HashToken(secret))
	for _, t := range s.Tokens {
		if subtle.ConstantTimeCompare(hash, []byte(t.Hash)) == 1 {
			return t, true
		}
	}
	return Token{}, false
}

// tokenRecord is what the audit trail keeps of a token: no hash.
type tokenRecord struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Role      Role      `json:"role"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

func (t Token) record() tokenRecord { return tokenRecord{t.ID, t.Name, t.Role, t.ExpiresAt} }

// MaxTokens is how many tokens there may be.
const MaxTokens = 1000

// CreateToken adds a token. The caller draws the id and the secret.
type CreateToken struct {
	ID        string
	Name      string // at most 255 characters: the actor's name in the audit trail
	Role      Role
	Hash      string    // [HashToken] of the secret
	ExpiresAt time.Time // zero for never
}

// Action is "token.create".
func (CreateToken) Action() Action { return ActionTokenCreate }

// Needs admin.
func (CreateToken) Needs() Permission { return Administer }

func (t CreateToken) apply(s *State, c Context) (effect, error) {
	if err := checkText("name", t.Name, 1, 255, false); err != nil {
		return effect{}, err
	}
	if err := checkName("id", t.ID, 1, 64); err != nil {
		return effect{}, err
	}
	if _, err := ParseRole(string(t.Role)); err != nil {
		return effect{}, err
	}
	if len(t.Hash) != 2*sha256.Size || strings.Trim(t.Hash, "0123456789abcdef") != "" {
		return effect{}, invalid("hash", "the token's hash is not a SHA-256 in hexadecimal", "use HashToken")
	}
	expires := t.ExpiresAt.UTC().Truncate(time.Microsecond)
	if expires.Year() > 9999 { // JSON cannot hold it
		return effect{}, invalid("expires_at", fmt.Sprintf("the token would expire in the year %d", expires.Year()), "give a year up to 9999, or no time for a token that does not expire")
	}
	if !expires.IsZero() && !expires.After(c.At) {
		return effect{}, invalid("expires_at", "the token would have expired already", "give a time in the future, or none for a token that does not expire")
	}
	for _, other := range s.Tokens {
		switch {
		case other.ID == t.ID:
			return effect{}, &Refusal{Code: CodeAlreadyExists, Field: "id", Message: "there is a token with the id " + t.ID + " already", Hint: "draw another id"}
		case other.Name == t.Name:
			return effect{}, &Refusal{Code: CodeAlreadyExists, Field: "name", Message: fmt.Sprintf("there is a token named %s already", strconv.Quote(clip(t.Name))), Hint: "choose another name, or revoke that token first"}
		case other.Hash == t.Hash:
			return effect{}, &Refusal{Code: CodeAlreadyExists, Field: "hash", Message: "there is a token with this secret already", Hint: "draw another secret: the audit trail must be able to tell two owners apart"}
		}
	}
	if len(s.Tokens) >= MaxTokens {
		return effect{}, invalid("name", fmt.Sprintf("there are %d tokens already", len(s.Tokens)), "revoke tokens that are no longer needed")
	}
	added := Token{ID: t.ID, Name: t.Name, Role: t.Role, Hash: t.Hash, CreatedAt: c.At, CreatedBy: c.Actor.Name, ExpiresAt: expires}
	s.Tokens = put(s.Tokens, added, tokenID)
	return effect{subject: "token/" + t.ID, after: added.record()}, nil
}

// RevokeToken ends a token.
type RevokeToken struct {
	ID string
}

// Action is "token.revoke".
func (RevokeToken) Action() Action { return ActionTokenRevoke }

// Needs admin.
func (RevokeToken) Needs() Permission { return Administer }

func (t RevokeToken) apply(s *State, _ Context) (effect, error) {
	old, ok := s.Token(t.ID)
	if !ok {
		return effect{}, &Refusal{Code: CodeNotFound, Field: "id", Message: "there is no token " + strconv.Quote(clip(t.ID)), Hint: "list the tokens to see which there are"}
	}
	s.Tokens = remove(s.Tokens, t.ID, tokenID)
	return effect{subject: "token/" + t.ID, before: old.record()}, nil
}
