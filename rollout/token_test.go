package rollout_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/rollout"
)

const secret = "nlpc_planted-secret"

func newToken() rollout.CreateToken {
	return rollout.CreateToken{ID: "t1", Name: "ci@example.com", Role: rollout.RoleOperator, Hash: rollout.HashToken(secret)}
}

func TestHashToken(t *testing.T) {
	// SHA-256 of "abc", from FIPS 180-2.
	if got, want := rollout.HashToken("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; got != want {
		t.Errorf("hash is %s, want %s", got, want)
	}
}

func TestToken(t *testing.T) {
	change := newToken()
	change.ExpiresAt = later.Add(time.Hour + 1234*time.Nanosecond).In(time.FixedZone("MSK", 3*60*60))
	result := apply(t, at(0), change, by(ann))
	want := rollout.Token{ID: "t1", Name: "ci@example.com", Role: rollout.RoleOperator, Hash: rollout.HashToken(secret), CreatedAt: later, CreatedBy: ann.Name, ExpiresAt: later.Add(time.Hour + time.Microsecond)}
	if got, ok := result.State.Token("t1"); !ok || got != want {
		t.Fatalf("token is %+v, want %+v", got, want)
	}
	for _, record := range []string{string(result.Before), string(result.After)} {
		if strings.Contains(record, "hash") || strings.Contains(record, want.Hash) || strings.Contains(record, secret) {
			t.Errorf("the audit trail would hold the token's secret or hash: %s", record)
		}
	}
	if got, ok := result.State.TokenBySecret(secret); !ok || got != want {
		t.Errorf("by its secret the token is %+v", got)
	}
	for _, wrong := range []string{"", secret + "x", rollout.HashToken(secret)} {
		if got, ok := result.State.TokenBySecret(wrong); ok {
			t.Errorf("the secret %q finds %+v", wrong, got)
		}
	}

	_, err := result.State.Apply(rollout.RevokeToken{ID: "t2"}, by(ann))
	wantRefusal(t, err, rollout.CodeNotFound, `no token "t2"`, "list the tokens")
	revoked := apply(t, result.State, rollout.RevokeToken{ID: "t1"}, by(ann))
	if _, ok := revoked.State.TokenBySecret(secret); ok {
		t.Error("a revoked token still works")
	}
	if revoked.Subject != "token/t1" || string(revoked.After) != "null" || strings.Contains(string(revoked.Before), want.Hash) {
		t.Errorf("the audit would read %s: %s, %s", revoked.Subject, revoked.Before, revoked.After)
	}
}

func TestTokenExpires(t *testing.T) {
	token := rollout.Token{ExpiresAt: later}
	for when, expired := range map[time.Time]bool{
		later.Add(-time.Nanosecond): false,
		later:                       true,
		later.Add(time.Hour):        true,
	} {
		if got := token.Expired(when); got != expired {
			t.Errorf("expired at %s: %t, want %t", when, got, expired)
		}
	}
	if (rollout.Token{}).Expired(later) {
		t.Error("a token without an end has expired")
	}
}

func TestCreateTokenIsRefused(t *testing.T) {
	with := func(change func(*rollout.CreateToken)) rollout.CreateToken {
		token := newToken()
		change(&token)
		return token
	}
	taken := must(at(0), newToken())
	full := at(0)
	for i := range rollout.MaxTokens {
		full.Tokens = append(full.Tokens, rollout.Token{ID: fmt.Sprintf("a%04d", i), Name: fmt.Sprint("token ", i)})
	}
	for _, c := range []struct {
		name   string
		state  rollout.State
		change rollout.CreateToken
		code   rollout.Code
		words  []string
	}{
		{"no name", at(0), with(func(c *rollout.CreateToken) { c.Name = "" }), rollout.CodeInvalid, []string{"name is 0 characters", "1 to 255"}},
		{"long name", at(0), with(func(c *rollout.CreateToken) { c.Name = strings.Repeat("я", 256) }), rollout.CodeInvalid, []string{"name is 256 characters"}},
		{"name of two lines", at(0), with(func(c *rollout.CreateToken) { c.Name = "a\nb" }), rollout.CodeInvalid, []string{"control character"}},
		{"taken name", taken, with(func(c *rollout.CreateToken) { c.ID = "t2" }), rollout.CodeAlreadyExists, []string{`a token named "ci@example.com" already`, "another name, or revoke"}},
		{"taken id", taken, with(func(c *rollout.CreateToken) { c.Name = "x" }), rollout.CodeAlreadyExists, []string{"the id t1 already", "draw another id"}},
		{"taken secret", taken, with(func(c *rollout.CreateToken) { c.ID, c.Name = "t2", "x" }), rollout.CodeAlreadyExists, []string{"with this secret already", "draw another secret"}},
		{"no id", at(0), with(func(c *rollout.CreateToken) { c.ID = "" }), rollout.CodeInvalid, []string{"id is 0 bytes"}},
		{"bad id", at(0), with(func(c *rollout.CreateToken) { c.ID = "a b" }), rollout.CodeInvalid, []string{"id contains ' '"}},
		{"no role", at(0), with(func(c *rollout.CreateToken) { c.Role = "" }), rollout.CodeInvalid, []string{`"" is not a role`, "client, viewer, operator and admin"}},
		{"unknown role", at(0), with(func(c *rollout.CreateToken) { c.Role = "root" }), rollout.CodeInvalid, []string{`"root" is not a role`}},
		{"no hash", at(0), with(func(c *rollout.CreateToken) { c.Hash = "" }), rollout.CodeInvalid, []string{"not a SHA-256", "HashToken"}},
		{"the secret instead of its hash", at(0), with(func(c *rollout.CreateToken) { c.Hash = strings.Repeat("s", 64) }), rollout.CodeInvalid, []string{"not a SHA-256"}},
		{"hash in capitals", at(0), with(func(c *rollout.CreateToken) { c.Hash = strings.ToUpper(c.Hash) }), rollout.CodeInvalid, []string{"not a SHA-256"}},
		{"short hash", at(0), with(func(c *rollout.CreateToken) { c.Hash = c.Hash[1:] }), rollout.CodeInvalid, []string{"not a SHA-256"}},
		{"a stranger inside the hash", at(0), with(func(c *rollout.CreateToken) { c.Hash = c.Hash[:31] + "g" + c.Hash[32:] }), rollout.CodeInvalid, []string{"not a SHA-256"}},
		{"expired", at(0), with(func(c *rollout.CreateToken) { c.ExpiresAt = later.Add(-time.Second) }), rollout.CodeInvalid, []string{"expired already", "in the future"}},
		{"expires now", at(0), with(func(c *rollout.CreateToken) { c.ExpiresAt = later }), rollout.CodeInvalid, []string{"expired already"}},
		{"expires within the microsecond", at(0), with(func(c *rollout.CreateToken) { c.ExpiresAt = later.Add(999) }), rollout.CodeInvalid, []string{"expired already"}},
		{"expires in a year that JSON cannot hold", at(0), with(func(c *rollout.CreateToken) { c.ExpiresAt = later.AddDate(9000, 0, 0) }), rollout.CodeInvalid, []string{"the year 11027", "up to 9999"}},
		{"too many", full, newToken(), rollout.CodeInvalid, []string{"1000 tokens already", "revoke"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.state.Apply(c.change, by(ann))
			wantRefusal(t, err, c.code, c.words...)
			if strings.Contains(err.Error(), c.change.Hash) && c.change.Hash != "" {
				t.Errorf("the refusal shows the hash: %v", err)
			}
		})
	}
}
