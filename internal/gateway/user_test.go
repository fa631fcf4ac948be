package gateway_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/nlpcanary/nlpcanary/internal/gateway"
)

// wantUser checks whom a request was taken for: by the outcome id, which only the
// installation can read.
func (s *stand) wantUser(name string, a answer, user string) {
	s.t.Helper()
	if user == "" || strings.HasPrefix(user, "!") {
		if a.status != 200 || a.header.Get("Nlpcanary-Architecture") != "old" || a.header.Get("Nlpcanary-User") != strings.TrimPrefix(user, "!") {
			s.t.Errorf("%s: status %d, headers %v %s; want old without a user, %q", name, a.status, a.header, a.text, user)
		}
		return
	}
	ticket, err := s.sealer.Open(a.header.Get("Nlpcanary-Outcome-Id"))
	if a.status != 200 || err != nil || ticket.UserKey != s.keyer.Key("alice") || user != "alice" {
		s.t.Errorf("%s: status %d, ticket %v (%v) %s; want the user %s", name, a.status, ticket, err, a.text, user)
	}
}

func (s *stand) wantRefused(name string, a answer) {
	s.t.Helper()
	if a.status != 400 || !strings.Contains(a.text, `"ambiguous_user"`) || a.header.Get("Content-Type") != "application/problem+json" {
		s.t.Errorf("%s: status %d, %s; want a refusal", name, a.status, a.text)
	}
}

func TestUsersInHeaders(t *testing.T) {
	s := newStand(t, says("old"), says("new"), nil)
	s.wantUser("plain", s.send("GET", "/", "alice", ""), "alice")
	s.wantUser("empty", s.send("GET", "/", "", "", "X-User-Id", ""), "!missing")
	for name, header := range map[string][]string{
		"twice":       {"X-User-Id", "alice", "X-User-Id", "alice"},
		"underscores": {"X_User_Id", "bob"},
		"both":        {"X-User-Id", "alice", "X_User-Id", "bob"},
		"dots":        {"X.User.Id", "bob"},
		"other case":  {"x_USER_iD", "bob"},
	} {
		s.wantRefused(name, s.send("GET", "/", "", "", header...))
	}
}

func TestUsersInCookies(t *testing.T) {
	s := newStand(t, says("old"), says("new"), func(c *gateway.Config) { c.Users = []gateway.UserSource{{Cookie: "uid"}} })
	for name, c := range map[string]struct{ cookie, user string }{
		"plain":         {"a=b; uid=alice; c=d", "alice"},
		"quoted":        {`uid="alice"`, "alice"},
		"another":       {"uid2=alice", "!missing"},
		"empty":         {"uid=", "!missing"},
		"in other case": {"UID=alice", "!missing"},
	} {
		s.wantUser(name, s.send("GET", "/", "", "", "Cookie", c.cookie), c.user)
	}
	s.wantRefused("twice", s.send("GET", "/", "", "", "Cookie", "uid=alice; uid=bob"))
	s.wantRefused("in two headers", s.send("GET", "/", "", "", "Cookie", "uid=alice", "Cookie", "uid=bob"))
}

func TestUsersInBodies(t *testing.T) {
	s := newStand(t, says("old"), says("new"), func(c *gateway.Config) {
		c.Users, c.MaxBuffered = []gateway.UserSource{{JSON: "/user/id"}}, 200
	})
	for name, c := range map[string]struct{ kind, body, user string }{
		"plain":             {"application/json", `{"text": "}", "user": {"name": "x", "id": "alice"}}`, "alice"},
		"escaped":           {"application/vnd.x+json; charset=utf-8", `{"us\u0065r": {"id": "\u0061lice"}}`, "alice"},
		"after escapes":     {"application/json", `{"a\\": "\\\"", "user": {"id": "alice"}}`, "alice"},
		"not JSON by type":  {"text/plain", `{"user": {"id": "alice"}}`, "!missing"},
		"not JSON":          {"application/json", `{"user": {"id": "alice"}`, "!missing"},
		"another shape":     {"application/json", `{"user": "alice"}`, "!missing"},
		"null":              {"application/json", `{"user": {"id": null}}`, "!missing"},
		"in other case":     {"application/json", `{"User": {"id": "alice"}}`, "!missing"},
		"a list":            {"application/json", `{"user": {"id": ["alice"]}}`, "!invalid"},
		"a fraction":        {"application/json", `{"user": {"id": 1.0}}`, "!invalid"},
		"control character": {"application/json", `{"user": {"id": "a\u0000"}}`, "!invalid"},
		"too long to read":  {"application/json", `{"user": {"id": "alice"}, "text": "` + strings.Repeat("x", 300) + `"}`, "!missing"},
	} {
		a := s.send("POST", "/", "", c.body, "Content-Type", c.kind)
		s.wantUser(name, a, c.user)
		if !strings.HasSuffix(a.text, " "+c.body) {
			t.Errorf("%s: the service got another body: %s", name, a.text)
		}
	}
	for name, body := range map[string]string{
		"twice":              `{"user": {"id": "alice"}, "user": {"id": "alice"}}`,
		"twice below":        `{"user": {"id": "alice", "id": "bob"}}`,
		"twice, escaped":     `{"user": {"id": "alice", "\u0069d": "bob"}}`,
		"also in other case": `{"user": {"id": "alice", "ID": "bob"}}`,
	} {
		s.wantRefused(name, s.send("POST", "/", "", body, "Content-Type", "application/json"))
	}
}

// The first place that has a user wins.
func TestManyPlaces(t *testing.T) {
	s := newStand(t, says("old"), says("new"), func(c *gateway.Config) {
		c.Users = []gateway.UserSource{{Header: "X-User-Id"}, {Cookie: "uid"}, {JSON: "/id"}}
	})
	s.wantUser("header", s.send("POST", "/", "alice", `{"id": "bob"}`, "Cookie", "uid=carol", "Content-Type", "application/json"), "alice")
	s.wantUser("cookie", s.send("POST", "/", "", `{"id": "bob"}`, "Cookie", "uid=alice", "Content-Type", "application/json"), "alice")
	s.wantUser("body", s.send("POST", "/", "", `{"id": "alice"}`, "Content-Type", "application/json"), "alice")
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func sign(t *testing.T, algorithm jose.SignatureAlgorithm, key any, claims string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestUsersInTokens(t *testing.T) {
	secret := []byte(strings.Repeat("s", 32))
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	otherKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&rsaKey.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	rsaPEM := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &rsaKey.PublicKey, KeyID: "r", Use: "sig"}, {Key: &ecKey.PublicKey, KeyID: "e"}}})
	if err != nil {
		t.Fatal(err)
	}
	claims := func(more string) string {
		return fmt.Sprintf(`{"sub": "alice", "iss": "i", "aud": ["a", "b"], "exp": %d%s}`, time.Now().Add(time.Hour).Unix(), more)
	}
	keys := gateway.JWT{Keys: write(t, "set.json", set), Issuer: "i", Audience: "a"}
	expired := fmt.Sprintf(`{"sub": "alice", "iss": "i", "aud": "a", "exp": %d}`, time.Now().Add(-time.Hour).Unix())
	good := sign(t, jose.ES256, ecKey, claims(""))
	for name, c := range map[string]struct {
		jwt         gateway.JWT
		token, user string
	}{
		"HS256":                {gateway.JWT{Secret: write(t, "secret", append(secret, '\n'))}, sign(t, jose.HS256, secret, claims("")), "alice"},
		"RS256 by PEM":         {gateway.JWT{Keys: write(t, "key.pem", rsaPEM)}, sign(t, jose.RS256, rsaKey, claims("")), "alice"},
		"RS256 by a set":       {keys, sign(t, jose.RS256, rsaKey, claims("")), "alice"},
		"ES256 by a set":       {keys, good, "alice"},
		"another claim":        {gateway.JWT{Keys: keys.Keys, Claim: "uid"}, sign(t, jose.ES256, ecKey, claims(`, "uid": "alice"`)), "alice"},
		"expired":              {keys, sign(t, jose.ES256, ecKey, expired), "!unverified"},
		"not yet":              {keys, sign(t, jose.ES256, ecKey, claims(fmt.Sprintf(`, "nbf": %d`, time.Now().Add(time.Hour).Unix()))), "!unverified"},
		"another issuer":       {gateway.JWT{Keys: keys.Keys, Issuer: "j"}, good, "!unverified"},
		"another audience":     {gateway.JWT{Keys: keys.Keys, Audience: "c"}, good, "!unverified"},
		"another key":          {keys, sign(t, jose.ES256, otherKey, claims("")), "!unverified"},
		"the claim twice":      {keys, sign(t, jose.ES256, ecKey, claims(`, "sub": "bob"`)), "!unverified"},
		"no claim":             {gateway.JWT{Keys: keys.Keys, Claim: "uid"}, good, "!unverified"},
		"the key as a secret":  {gateway.JWT{Keys: write(t, "key.pem", rsaPEM)}, sign(t, jose.HS256, rsaPEM, claims("")), "!unverified"},
		"another algorithm":    {keys, sign(t, jose.RS512, rsaKey, claims("")), "!unverified"},
		"no algorithm":         {keys, "eyJhbGciOiJub25lIn0." + strings.Split(good, ".")[1] + ".", "!unverified"},
		"a changed payload":    {keys, strings.Replace(good, ".", ".e", 1), "!unverified"},
		"no token":             {keys, "", "!unverified"},
		"far too long a token": {keys, strings.Repeat("x", 20000), "!unverified"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStand(t, says("old"), says("new"), func(g *gateway.Config) { g.Users = []gateway.UserSource{{JWT: &c.jwt}} })
			s.wantUser(name, s.send("GET", "/", "", "", "Authorization", "Bearer "+c.token), c.user)
			if strings.Contains(s.log.String(), "alice") {
				t.Error("the log tells who the user is")
			}
		})
	}
	s := newStand(t, says("old"), says("new"), func(g *gateway.Config) { g.Users = []gateway.UserSource{{JWT: &keys}} })
	s.wantUser("other credentials", s.send("GET", "/", "", "", "Authorization", "Basic eDp5"), "!missing")
	s.wantUser("none", s.send("GET", "/", "", ""), "!missing")
	s.wantRefused("two", s.send("GET", "/", "", "", "Authorization", "Bearer "+good, "Authorization", "Bearer "+good))
}

func TestBadKeysAreRefused(t *testing.T) {
	small, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&small.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, jwt := range map[string]gateway.JWT{
		"a short secret": {Secret: write(t, "a", []byte("short\n"))},
		"no keys":        {Keys: write(t, "a", []byte(`{"keys": []}`))},
		"not a key":      {Keys: write(t, "a", []byte(`hello`))},
		"another curve":  {Keys: write(t, "a", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))},
		"a bad set":      {Keys: write(t, "a", []byte(`{"keys": [{"kty": "RSA"}]}`))},
	} {
		c := gateway.Config{Old: gateway.Upstream{URL: "http://h"}, New: gateway.Upstream{URL: "http://i"}, Users: []gateway.UserSource{{JWT: &jwt}}}
		if err := c.Validate(); err == nil || !strings.HasPrefix(err.Error(), "gateway.users[0].jwt.") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
