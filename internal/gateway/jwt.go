package gateway

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// JWT is a signed token (RFC 7519) that names the user in a claim. It is verified
// only to know the user: whether he may do what he asks is for the services to say.
type JWT struct {
	// Header holds the token, after "Bearer " if that is there; Authorization if empty.
	Header string
	// Claim names the user, a text or a whole number; sub if empty.
	Claim string
	// Keys is a file with a JWK set (RFC 7517) or public keys in PEM.
	Keys string
	// Secret is a file with the secret of HS256, at least 32 bytes; a line break at
	// its end does not count.
	Secret string
	// Issuer and Audience must be those of the token, if set.
	Issuer, Audience string
}

// The algorithms taken. Each goes only with keys of its own kind, so that a public
// key is never used as a secret.
var algorithms = []jose.SignatureAlgorithm{jose.RS256, jose.ES256, jose.HS256}

const (
	leeway    = time.Minute // for clocks that differ
	maxToken  = 16 << 10    // bytes
	minSecret = 32          // bytes: as long as the hash (RFC 7518, section 3.2)
	minRSA    = 2048        // bits (RFC 7518, section 3.3)
)

func (j JWT) validate(field string) error {
	switch {
	case (j.Keys == "") == (j.Secret == ""):
		return &ConfigError{field, "has a file of keys or a file with a secret, not both"}
	case j.Header != "" && (!isToken(j.Header) || isOwn(j.Header) || isHop(canonical(j.Header))):
		return &ConfigError{field + ".header", "is the name of a header that services see"}
	}
	_, err := j.readKeys(field)
	return err
}

// key is one that tokens may be signed with.
type key struct {
	id        string // compared if both the token and the key have one
	algorithm jose.SignatureAlgorithm
	key       any
}

// readKeys reads the files.
func (j JWT) readKeys(field string) ([]key, error) {
	if j.Secret != "" {
		secret, err := os.ReadFile(j.Secret)
		if err != nil {
			return nil, &ConfigError{field + ".secret", fmt.Sprintf("is a file that can be read: %v", err)}
		}
		secret = []byte(strings.TrimRight(string(secret), "\r\n"))
		if len(secret) < minSecret {
			return nil, &ConfigError{field + ".secret", "has at least 32 bytes"}
		}
		return []key{{algorithm: jose.HS256, key: secret}}, nil
	}
	data, err := os.ReadFile(j.Keys)
	if err != nil {
		return nil, &ConfigError{field + ".keys", fmt.Sprintf("is a file that can be read: %v", err)}
	}
	keys, err := parseKeys(data)
	if err != nil {
		return nil, &ConfigError{field + ".keys", err.Error()}
	}
	return keys, nil
}

// parseKeys reads a JWK set or PEM.
func parseKeys(data []byte) ([]key, error) {
	var keys []key
	add := func(id string, public any) error {
		algorithm, err := algorithmOf(public)
		if err == nil {
			keys = append(keys, key{id, algorithm, public})
		}
		return err
	}
	if json.Valid(data) {
		var set jose.JSONWebKeySet
		if err := json.Unmarshal(data, &set); err != nil {
			return nil, fmt.Errorf("is a JWK set: %w", err)
		}
		for _, k := range set.Keys {
			if k.Use == "enc" {
				continue
			}
			public := k.Key
			if !k.IsPublic() {
				if _, secret := k.Key.([]byte); !secret {
					public = k.Public().Key
				}
			}
			if err := add(k.KeyID, public); err != nil {
				return nil, err
			}
		}
	} else {
		for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
			public, err := x509.ParsePKIXPublicKey(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("holds public keys (BEGIN PUBLIC KEY): %w", err)
			}
			if err := add("", public); err != nil {
				return nil, err
			}
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("holds at least one key, as a JWK set or in PEM")
	}
	return keys, nil
}

// algorithmOf is the one algorithm that goes with a key.
func algorithmOf(public any) (jose.SignatureAlgorithm, error) {
	switch k := public.(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() >= minRSA {
			return jose.RS256, nil
		}
		return "", fmt.Errorf("holds RSA keys of at least %d bits", minRSA)
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return jose.ES256, nil
		}
	case []byte:
		if len(k) >= minSecret {
			return jose.HS256, nil
		}
		return "", fmt.Errorf("holds secrets of at least %d bytes", minSecret)
	}
	return "", fmt.Errorf("holds keys for RS256, ES256 (the curve P-256) or HS256, not a %T", public)
}

// verifier reads users from tokens.
type verifier struct {
	header           string
	claim            []string
	keys             []key
	issuer, audience string
}

func newVerifier(j JWT) (*verifier, error) {
	keys, err := j.readKeys("users.jwt")
	if err != nil {
		return nil, err
	}
	setDefault(&j.Header, "Authorization")
	setDefault(&j.Claim, "sub")
	return &verifier{header: canonical(j.Header), claim: []string{j.Claim}, keys: keys, issuer: j.Issuer, audience: j.Audience}, nil
}

func (v *verifier) find(r *http.Request) (string, string, *problem) {
	values := r.Header[v.header]
	if len(values) > 1 {
		return "", "", twice(v.header)
	}
	if len(values) == 0 {
		return "", userMissing, nil
	}
	token := values[0]
	if scheme, rest, found := strings.Cut(token, " "); found {
		if !strings.EqualFold(scheme, "Bearer") {
			return "", userMissing, nil // other credentials
		}
		token = rest
	}
	user, ok := v.read(token, time.Now())
	if !ok {
		return "", userUnverified, nil
	}
	return user, userKnown, nil
}

// read verifies a token and returns its user.
func (v *verifier) read(token string, now time.Time) (string, bool) {
	if len(token) > maxToken {
		return "", false
	}
	signed, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil || len(signed.Signatures) != 1 {
		return "", false
	}
	payload, ok := v.verify(signed)
	if !ok {
		return "", false
	}
	var claims jwt.Claims
	if json.Unmarshal(payload, &claims) != nil {
		return "", false
	}
	expected := jwt.Expected{Issuer: v.issuer, Time: now}
	if v.audience != "" {
		expected.AnyAudience = jwt.Audience{v.audience}
	}
	if claims.ValidateWithLeeway(expected, leeway) != nil {
		return "", false
	}
	raw, err := jsonField(payload, v.claim)
	switch {
	case err != nil || len(raw) == 0:
		return "", false
	case raw[0] == '"':
		return jsonString(raw)
	}
	return string(raw), isWhole(raw)
}

// verify tries the keys that go with the token's algorithm and key id.
func (v *verifier) verify(signed *jose.JSONWebSignature) ([]byte, bool) {
	header := signed.Signatures[0].Protected
	for _, k := range v.keys {
		if string(k.algorithm) != header.Algorithm || (header.KeyID != "" && k.id != "" && header.KeyID != k.id) {
			continue
		}
		if payload, err := signed.Verify(k.key); err == nil {
			return payload, true
		}
	}
	return nil, false
}
