package config

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/gateway"
)

// Gateway is the reverse proxy in front of two services. What the fields mean, and
// their defaults, is said at [gateway.Config].
type Gateway struct {
	Addr           string   `yaml:"addr"` // [DefaultGatewayAddr] if empty
	Old            Upstream `yaml:"old"`
	New            Upstream `yaml:"new"`
	Users          []User   `yaml:"users"`
	Timeout        string   `yaml:"timeout"` // such as 10s, like all times
	NewTimeout     string   `yaml:"new_timeout"`
	AnswerTimeout  string   `yaml:"answer_timeout"`
	MaxBuffered    int64    `yaml:"max_buffered"` // bytes
	Fallback       string   `yaml:"fallback"`
	TrustedProxies []string `yaml:"trusted_proxies"`
	HideHeaders    bool     `yaml:"hide_headers"`
	Quality        Quality  `yaml:"quality"`
	Descriptions   string   `yaml:"descriptions"`
}

// DefaultGatewayAddr is where the gateway listens if nothing else is said.
const DefaultGatewayAddr = "127.0.0.1:8090"

// Upstream is one of the two services.
type Upstream struct {
	URL           string `yaml:"url"`
	Host          string `yaml:"host"`
	MaxConcurrent int    `yaml:"max_concurrent"`
	DialTimeout   string `yaml:"dial_timeout"`
	MaxHeader     int64  `yaml:"max_header"` // bytes
}

// User is one place where a request's user may be.
type User struct {
	Header string `yaml:"header"`
	Cookie string `yaml:"cookie"`
	JWT    *JWT   `yaml:"jwt"`
	JSON   string `yaml:"json"`
}

// JWT is a signed token that names the user.
type JWT struct {
	Header   string `yaml:"header"`
	Claim    string `yaml:"claim"`
	Keys     string `yaml:"keys"`
	Secret   string `yaml:"secret"`
	Issuer   string `yaml:"issuer"`
	Audience string `yaml:"audience"`
}

// Quality is where an answer tells its quality.
type Quality struct {
	Header string `yaml:"header"`
	JSON   string `yaml:"json"`
}

// Settings is the gateway's own configuration. Its error is a [gateway.ConfigError].
func (g Gateway) Settings() (gateway.Config, error) {
	c := gateway.Config{
		Old: g.Old.settings(), New: g.New.settings(), MaxBuffered: g.MaxBuffered,
		Fallback: gateway.FallbackRule(g.Fallback), HideHeaders: g.HideHeaders,
		Quality: gateway.Quality(g.Quality), Descriptions: g.Descriptions,
	}
	for _, u := range g.Users {
		c.Users = append(c.Users, gateway.UserSource{Header: u.Header, Cookie: u.Cookie, JSON: u.JSON, JWT: (*gateway.JWT)(u.JWT)})
	}
	for i, text := range g.TrustedProxies {
		prefix, err := parsePrefix(text)
		if err != nil {
			return c, &gateway.ConfigError{Field: "trusted_proxies[" + strconv.Itoa(i) + "]", Rule: "is an address or a network such as 10.0.0.0/8"}
		}
		c.TrustedProxies = append(c.TrustedProxies, prefix)
	}
	for _, t := range []struct {
		field, text string
		into        *time.Duration
	}{
		{"timeout", g.Timeout, &c.Timeout},
		{"new_timeout", g.NewTimeout, &c.NewTimeout},
		{"answer_timeout", g.AnswerTimeout, &c.AnswerTimeout},
		{"old.dial_timeout", g.Old.DialTimeout, &c.Old.DialTimeout},
		{"new.dial_timeout", g.New.DialTimeout, &c.New.DialTimeout},
	} {
		if t.text == "" {
			continue
		}
		d, err := time.ParseDuration(t.text)
		if err != nil || d <= 0 {
			return c, &gateway.ConfigError{Field: t.field, Rule: "is a time such as 500ms or 10s"}
		}
		*t.into = d
	}
	return c, c.Validate()
}

func (u Upstream) settings() gateway.Upstream {
	return gateway.Upstream{URL: u.URL, Host: u.Host, MaxConcurrent: u.MaxConcurrent, MaxHeader: u.MaxHeader}
}

// parsePrefix reads a network, or one address.
func parsePrefix(text string) (netip.Prefix, error) {
	if strings.Contains(text, "/") {
		return netip.ParsePrefix(text)
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, err
	}
	return address.Prefix(address.BitLen())
}

func (g Gateway) check(at place) error {
	_, err := g.Settings()
	var wrong *gateway.ConfigError
	if !errors.As(err, &wrong) {
		return err
	}
	return at.field(wrong.Field).refuse("%s", wrong.Rule)
}
