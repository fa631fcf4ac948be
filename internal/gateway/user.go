package gateway

import (
	"bytes"
	"mime"
	"net/http"
	"strings"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// UserSource is one place where a request's user may be: exactly one of its fields
// is set.
type UserSource struct {
	// Header is a header's name. Only what stands in front of the gateway may set it.
	Header string
	// Cookie is a cookie's name.
	Cookie string
	// JWT is a claim of a signed token.
	JWT *JWT
	// JSON is a JSON pointer into the body, to a text or a whole number.
	JSON string
}

func (s UserSource) validate(field string) error {
	given := 0
	for _, set := range []bool{s.Header != "", s.Cookie != "", s.JWT != nil, s.JSON != ""} {
		if set {
			given++
		}
	}
	switch {
	case given != 1:
		return &ConfigError{field, "is one of header, cookie, jwt and json"}
	case s.Header != "" && !isToken(s.Header):
		return &ConfigError{field + ".header", "is the name of a header"}
	case s.Header != "" && isOwn(s.Header):
		return &ConfigError{field + ".header", "is not one of the gateway's own, which clients cannot send"}
	case isHop(canonical(s.Header)):
		return &ConfigError{field + ".header", "is not one that ends at each connection"}
	case s.Cookie != "" && !isToken(s.Cookie):
		return &ConfigError{field + ".cookie", "is the name of a cookie"}
	case s.JSON != "" && !isPointer(s.JSON):
		return &ConfigError{field + ".json", rulePointer}
	case s.JWT != nil:
		return s.JWT.validate(field + ".jwt")
	}
	return nil
}

// isHop reports whether a header ends at each connection (RFC 9110, section 7.6.1).
func isHop(name string) bool {
	switch name {
	case "Connection", "Proxy-Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length", "Host":
		return true
	}
	return false
}

// Why a request has no user, as the client and the metrics are told.
const (
	userKnown      = ""
	userMissing    = "missing"
	userInvalid    = "invalid"    // not what a user id may be
	userUnverified = "unverified" // a token that does not verify
)

// finder looks for the user of a request.
type finder struct {
	sources []source
}

// source is a UserSource made ready.
type source struct {
	UserSource
	path     []string // of JSON
	verifier *verifier
}

func newFinder(list []UserSource) (*finder, error) {
	f := &finder{}
	for _, s := range list {
		ready := source{UserSource: s}
		ready.Header = canonical(s.Header)
		if s.JSON != "" {
			ready.path = steps(s.JSON)
		}
		if s.JWT != nil {
			v, err := newVerifier(*s.JWT)
			if err != nil {
				return nil, err
			}
			ready.verifier = v
		}
		f.sources = append(f.sources, ready)
	}
	return f, nil
}

// guarded are the headers that the user depends on.
func (f *finder) guarded() []string {
	var names []string
	for _, s := range f.sources {
		switch {
		case s.Header != "":
			names = append(names, s.Header)
		case s.Cookie != "":
			names = append(names, "Cookie")
		case s.verifier != nil:
			names = append(names, s.verifier.header)
		}
	}
	return names
}

// find returns the user of the request, or why there is none. A request that could
// be taken for different users gives a problem. The body is kept, for its length up
// to a bound, only if a source needs it.
func (f *finder) find(r *http.Request, b *body) (rollout.UserID, string, *problem) {
	why := userMissing
	for i := range f.sources {
		text, state, p := f.sources[i].find(r, b)
		if p != nil {
			return "", "", p
		}
		if state != userKnown {
			if state != userMissing {
				why = state
			}
			continue
		}
		id, err := rollout.ParseUserID(text)
		if err != nil {
			why = userInvalid
			continue
		}
		return id, userKnown, nil
	}
	return "", why, nil
}

func twice(what string) *problem {
	return &problem{status: http.StatusBadRequest, code: "ambiguous_user", detail: what + " is there more than once", hint: "send it once"}
}

func (s *source) find(r *http.Request, b *body) (string, string, *problem) {
	switch {
	case s.Header != "":
		values := r.Header[s.Header]
		if len(values) > 1 {
			return "", "", twice(s.Header)
		}
		if len(values) == 0 || values[0] == "" {
			return "", userMissing, nil
		}
		return values[0], userKnown, nil
	case s.Cookie != "":
		return s.findCookie(r)
	case s.verifier != nil:
		return s.verifier.find(r)
	}
	return s.findJSON(r, b)
}

func (s *source) findCookie(r *http.Request) (string, string, *problem) {
	if r.Header["Cookie"] == nil {
		return "", userMissing, nil
	}
	cookies := r.CookiesNamed(s.Cookie)
	switch {
	case len(cookies) > 1:
		return "", "", twice("the cookie " + s.Cookie)
	case len(cookies) == 0 || cookies[0].Value == "":
		return "", userMissing, nil
	}
	return cookies[0].Value, userKnown, nil
}

func (s *source) findJSON(r *http.Request, b *body) (string, string, *problem) {
	if b.none || !isJSON(r.Header) {
		return "", userMissing, nil
	}
	if p := b.keep(); p != nil {
		return "", "", p
	}
	if !b.kept {
		return "", userMissing, nil // too long to be read here
	}
	raw, err := jsonField(b.whole, s.path)
	if err != nil {
		return "", "", twice("the field " + s.JSON)
	}
	switch {
	case len(raw) == 0, bytes.Equal(raw, []byte("null")):
		return "", userMissing, nil
	case raw[0] == '"':
		text, _ := jsonString(raw)
		return text, userKnown, nil
	case isWhole(raw):
		return string(raw), userKnown, nil
	}
	return "", userInvalid, nil
}

// isWhole reports whether a JSON number is a whole one that is written in one way
// only.
func isWhole(raw []byte) bool {
	if len(raw) > 1 && raw[0] == '-' {
		raw = raw[1:]
	}
	for _, c := range raw {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(raw) > 0
}

// isJSON reports whether a message's body says that it is JSON, as it stands.
func isJSON(h http.Header) bool {
	if encoding := h.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return false
	}
	given := h["Content-Type"]
	if len(given) != 1 {
		return false
	}
	if given[0] == "application/json" {
		return true
	}
	kind, _, err := mime.ParseMediaType(given[0])
	return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
}
