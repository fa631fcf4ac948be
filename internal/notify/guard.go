package notify

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

// ErrPrivateAddress is the error of a notifier whose host has an address that is not
// public, where that is not allowed.
var ErrPrivateAddress = errors.New("the host's address is private: set allow_private to send there")

// Reach says where notifiers may send to.
type Reach struct {
	// Hosts, if not empty, are the only hosts that notifiers may name.
	Hosts []string `yaml:"allow_hosts,omitempty"`
	// Private allows private, loopback and link-local addresses.
	Private bool `yaml:"allow_private,omitempty"`
}

// notPublic are networks that the standard library's predicates leave out.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),      // this network
	netip.MustParsePrefix("100.64.0.0/10"),  // carrier-grade NAT
	netip.MustParsePrefix("192.0.0.0/24"),   // protocol assignments
	netip.MustParsePrefix("198.18.0.0/15"),  // benchmarks
	netip.MustParsePrefix("240.0.0.0/4"),    // reserved
	netip.MustParsePrefix("64:ff9b::/96"),   // IPv4 behind NAT64, any of the above
	netip.MustParsePrefix("64:ff9b:1::/48"), // the same, locally
	netip.MustParsePrefix("2002::/16"),      // IPv4 in 6to4
	netip.MustParsePrefix("2001::/32"),      // IPv4 in Teredo
	netip.MustParsePrefix("fec0::/10"),      // site-local
	netip.MustParsePrefix("255.255.255.255/32"),
}

func isPublic(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	switch {
	case !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast():
		return false
	}
	return !slices.ContainsFunc(notPublic, func(n netip.Prefix) bool { return n.Contains(ip) })
}

// dialer connects to allowed addresses only. It looks at the address that is really
// connected to, so that a name cannot be resolved to one thing here and another there.
func (r Reach) dialer() *net.Dialer {
	return &net.Dialer{Timeout: 5 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		if r.Private {
			return nil
		}
		at, err := netip.ParseAddrPort(address)
		if err != nil || !isPublic(at.Addr()) {
			return ErrPrivateAddress
		}
		return nil
	}}
}

// client sends requests within reach. It follows no redirect: what is configured is
// meant.
func (r Reach) client() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			DialContext:           r.dialer().DialContext,
			TLSHandshakeTimeout:   5 * time.Second,
			ResponseHeaderTimeout: 10 * time.Second,
			MaxIdleConns:          4,
			IdleConnTimeout:       30 * time.Second,
			ForceAttemptHTTP2:     true,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// checkHost refuses hosts that are not on the list, if there is one.
func (r Reach) checkHost(host string) error {
	if len(r.Hosts) == 0 || slices.ContainsFunc(r.Hosts, func(allowed string) bool { return strings.EqualFold(allowed, host) }) {
		return nil
	}
	return fmt.Errorf("the host %q is not in allow_hosts", host)
}

// checkURL refuses what is no address for a notifier. It does not repeat the address,
// which may be a secret.
func (r Reach) checkURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return errors.New("it is not a URL")
	case u.Scheme != "https" && (u.Scheme != "http" || !r.Private):
		return errors.New("it must begin with https:// (http:// is for private addresses, with allow_private)")
	case u.Hostname() == "":
		return errors.New("it names no host")
	case u.User != nil:
		return errors.New("it must not hold a user and a password")
	}
	return r.checkHost(u.Hostname())
}

// dial connects for protocols other than HTTP.
func (r Reach) dial(ctx context.Context, network, address string) (net.Conn, error) {
	return r.dialer().DialContext(ctx, network, address)
}
