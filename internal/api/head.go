package api

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
)

// Bounds of a request's head, in bytes. The server's own bound on headers is wider,
// so that these answer with a problem.
const (
	maxURL     = 8 << 10
	maxHeaders = 32 << 10
)

// once is for headers of which a second one would have to be ignored silently.
var once = [...]string{"Authorization", "Idempotency-Key", "If-Match", "If-None-Match", "Content-Type", "X-Request-Id", "X-User-Id", "Last-Event-Id"}

func checkHead(r *http.Request) error {
	if n := len(r.RequestURI); n > maxURL {
		return newProblem(http.StatusRequestURITooLong, codeTooLarge, fmt.Sprintf("the URL is %d bytes long", n), fmt.Sprintf("it may be %d bytes long; a user id may also be sent in the header X-User-ID", maxURL))
	}
	size := 0
	for name, values := range r.Header {
		for _, value := range values {
			size += len(name) + len(value)
		}
	}
	if size > maxHeaders {
		return newProblem(http.StatusRequestHeaderFieldsTooLarge, codeTooLarge, fmt.Sprintf("the headers are %d bytes long", size), fmt.Sprintf("they may be %d bytes long together", maxHeaders))
	}
	for _, name := range once {
		if len(r.Header[name]) > 1 {
			p := newProblem(http.StatusBadRequest, codeInvalid, "the header "+name+" is given more than once", "send it once")
			p.Errors = []ProblemField{{Field: name, Message: p.Detail}}
			return p
		}
	}
	return checkQuery(r.URL.RawQuery)
}

// checkQuery refuses what two readers of a query could understand differently.
func checkQuery(raw string) error {
	if raw == "" {
		return nil
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return newProblem(http.StatusBadRequest, codeInvalid, "the query is malformed", "separate parameters by &, and percent-encode what is not a letter or a digit")
	}
	for name, list := range values {
		if len(list) > 1 {
			p := newProblem(http.StatusBadRequest, codeInvalid, fmt.Sprintf("the parameter %.40q is given more than once", name), "give it once")
			p.Errors = []ProblemField{{Field: fmt.Sprintf("%.40s", name), Message: "is given more than once"}}
			return p
		}
	}
	return nil
}

// chooseRequestID takes the caller's id if it is harmless, or draws one. It is no
// secret.
func chooseRequestID(given []string) string {
	if len(given) == 1 && validRequestID(given[0]) {
		return given[0]
	}
	const digits = "0123456789abcdef"
	var id [16]byte
	for i, n := 0, rand.Uint64(); i < len(id); i++ {
		id[i] = digits[n&15]
		n >>= 4
	}
	return string(id[:])
}

func validRequestID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for i := range len(id) {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return true
}
