package gateway

import (
	"net/http"
	"strings"
)

// ownPrefix begins the names of the gateway's own headers. Clients and services
// cannot send them past it.
const ownPrefix = "Nlpcanary-"

// The gateway's own headers.
const (
	headerArchitecture = ownPrefix + "Architecture" // which served: old or new
	headerReason       = ownPrefix + "Reason"       // of the decision
	headerFallback     = ownPrefix + "Fallback"     // why old served in place of new
	headerUser         = ownPrefix + "User"         // why there is no user; never who
	headerOutcomeID    = ownPrefix + "Outcome-Id"   // for feedback
	headerShadow       = ownPrefix + "Shadow"       // on requests to new: a copy, answered to nobody
)

// forwarded are the headers by which proxies tell of the client. Their other
// spellings are removed too: a CGI or WSGI service takes X_Forwarded_For for
// X-Forwarded-For.
var forwarded = []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"}

// checkHead refuses requests that the gateway and a service could understand
// differently. net/http has refused before: two different Content-Length, a
// Transfer-Encoding other than chunked, spaces before a colon, control characters.
func (g *Gateway) checkHead(r *http.Request) *problem {
	if r.Method == http.MethodConnect {
		return &problem{status: http.StatusMethodNotAllowed, code: "method_not_allowed", detail: "the gateway opens no tunnels", ends: true}
	}
	for name := range r.Header {
		for _, guarded := range g.guarded {
			if isAlias(name, guarded) {
				return &problem{status: http.StatusBadRequest, code: "ambiguous_user", detail: "a header differs from " + guarded + " only in its spelling", hint: "send " + guarded + " only"}
			}
		}
	}
	for _, list := range r.Header["Connection"] {
		for option := range strings.SplitSeq(list, ",") {
			name := canonical(strings.TrimSpace(option))
			for _, guarded := range g.guarded {
				if name == guarded {
					return &problem{status: http.StatusBadRequest, code: "ambiguous_user", detail: "Connection names " + guarded + ", which would hide it from the service", hint: "leave it out of Connection"}
				}
			}
		}
	}
	return nil
}

// isAlias reports whether a name differs from another only by characters that a CGI
// or WSGI service folds into one: it takes X_User_Id for X-User-Id.
func isAlias(name, of string) bool {
	return len(name) == len(of) && name != of && sameFolded(name, of)
}

func sameFolded(a, b string) bool {
	for i := range len(b) {
		if fold(a[i]) != fold(b[i]) {
			return false
		}
	}
	return true
}

func fold(c byte) byte {
	switch {
	case c >= 'A' && c <= 'Z':
		return c + 'a' - 'A'
	case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		return c
	}
	return '-'
}

// isOwn reports whether a name is that of one of the gateway's own headers, in any
// spelling.
func isOwn(name string) bool {
	return len(name) >= len(ownPrefix) && sameFolded(name[:len(ownPrefix)], ownPrefix)
}

// cleanRequest removes what a client may not tell a service.
func cleanRequest(h http.Header) {
	for name := range h {
		if isOwn(name) {
			delete(h, name)
			continue
		}
		for _, f := range forwarded {
			if isAlias(name, f) {
				delete(h, name)
			}
		}
	}
}

// cleanAnswer removes what a service may not tell a client.
func cleanAnswer(h http.Header) {
	for name := range h {
		if isOwn(name) {
			delete(h, name)
		}
	}
}

// endsConnection reports whether the client's connection must end with this request.
// net/http takes a request with both Transfer-Encoding and Content-Length for one in
// chunks, as RFC 9112 (section 6.1) allows, and hides that both were there. What
// follows it may be the tail of what the sender took for one request, so that no
// connection is read any further after chunks.
func endsConnection(r *http.Request) bool {
	return r.ProtoMajor == 1 && len(r.TransferEncoding) > 0
}
