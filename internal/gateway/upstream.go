package gateway

import (
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// errSaturated: as many requests as may be are under way in the upstream.
var errSaturated = errors.New("the service is saturated")

// upstream is one of the two services, with connections and a bound of its own, so
// that one that hangs takes nothing from the other.
type upstream struct {
	variant   rollout.Variant
	target    *url.URL
	host      string // empty: the client's
	transport *http.Transport
	slots     chan struct{}
	trusted   []netip.Prefix
}

func newUpstream(variant rollout.Variant, config Upstream, trusted []netip.Prefix) (*upstream, error) {
	target, err := url.Parse(config.URL)
	if err != nil {
		return nil, &ConfigError{string(variant) + ".url", "is a URL"}
	}
	dialer := &net.Dialer{Timeout: config.DialTimeout, KeepAlive: 30 * time.Second}
	return &upstream{
		variant: variant,
		target:  target,
		host:    config.Host,
		trusted: trusted,
		slots:   make(chan struct{}, config.MaxConcurrent),
		transport: &http.Transport{
			Proxy:                  nil, // upstreams come from the configuration, not from the environment
			DialContext:            dialer.DialContext,
			TLSHandshakeTimeout:    5 * time.Second,
			MaxIdleConnsPerHost:    config.MaxConcurrent,
			IdleConnTimeout:        30 * time.Second,
			ExpectContinueTimeout:  time.Second,
			MaxResponseHeaderBytes: config.MaxHeader,
			DisableCompression:     true, // what client and service agree on passes as it is
			// net/http's own sizes; said here so that a benchmark compares like with like.
			WriteBufferSize: 4 << 10,
			ReadBufferSize:  4 << 10,
		},
	}, nil
}

// enter takes a slot; it never waits.
func (u *upstream) enter() bool {
	select {
	case u.slots <- struct{}{}:
		return true
	default:
		return false
	}
}

func (u *upstream) leave() { <-u.slots }

// rewrite addresses a request to the upstream. The hop-by-hop headers, and those
// that the client's Connection header names, are gone already; what is set here
// stays, whatever that header names.
func (u *upstream) rewrite(pr *httputil.ProxyRequest) {
	out := pr.Out
	// ReverseProxy dropped what it cannot parse, which a service may.
	out.URL.RawQuery = pr.In.URL.RawQuery
	pr.SetURL(u.target)
	out.Host = pr.In.Host
	if u.host != "" {
		out.Host = u.host
	}
	cleanRequest(out.Header)
	if u.trusts(pr.In.RemoteAddr) {
		for _, name := range forwarded[1:] { // Forwarded cannot be added to like this
			if values := pr.In.Header[name]; values != nil {
				out.Header[name] = values
			}
		}
		host, proto := out.Header["X-Forwarded-Host"], out.Header["X-Forwarded-Proto"]
		pr.SetXForwarded()
		if host != nil {
			out.Header["X-Forwarded-Host"] = host
		}
		if proto != nil {
			out.Header["X-Forwarded-Proto"] = proto
		}
		return
	}
	pr.SetXForwarded()
}

func (u *upstream) trusts(remote string) bool {
	if len(u.trusted) == 0 {
		return false
	}
	address, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	ip := address.Addr().Unmap()
	for _, prefix := range u.trusted {
		if prefix.Contains(ip) {
			return true
		}
	}
	return false
}

// isIdempotent reports whether a request may be sent twice (RFC 9110, section
// 9.2.2; the Idempotency-Key as net/http takes it).
func isIdempotent(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace, http.MethodPut, http.MethodDelete:
		return true
	}
	return r.Header["Idempotency-Key"] != nil || r.Header["X-Idempotency-Key"] != nil
}

// isEventStream reports whether an answer goes on for as long as the client listens.
func isEventStream(res *http.Response) bool {
	kind, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(kind), "text/event-stream")
}
