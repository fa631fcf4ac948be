package gateway

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// Defaults of a [Config].
const (
	DefaultTimeout       = 10 * time.Second
	DefaultAnswerTimeout = time.Minute
	DefaultDialTimeout   = time.Second
	DefaultMaxBuffered   = 1 << 20
	DefaultOldConcurrent = 1024
	DefaultNewConcurrent = 256
	DefaultMaxHeader     = 64 << 10
	// newShare is the part of Timeout that new may use by default, so that old still
	// has time to serve after it.
	newShare = 0.6
)

// Config says what to stand in front of, and how.
type Config struct {
	Old, New Upstream
	// Users are where a request's user is looked for; the first place that has one wins.
	Users []UserSource
	// Timeout is the time until an answer begins, the fallback to old included;
	// DefaultTimeout if 0.
	Timeout time.Duration
	// NewTimeout is the part of it that new may use; six tenths if 0.
	NewTimeout time.Duration
	// AnswerTimeout is the time for a whole exchange, both bodies included, unless it
	// is a WebSocket or an event stream; DefaultAnswerTimeout if 0.
	AnswerTimeout time.Duration
	// MaxBuffered is the longest request body that is kept for a fallback or read for
	// its user, in bytes; DefaultMaxBuffered if 0. Longer ones stream through.
	MaxBuffered int64
	// Fallback says which requests old may serve again; FallbackBuffered if empty.
	Fallback FallbackRule
	// TrustedProxies are the addresses whose X-Forwarded-For, -Host and -Proto are
	// passed on; from others they are replaced.
	TrustedProxies []netip.Prefix
	// HideHeaders leaves the Nlpcanary-… headers out of answers.
	HideHeaders bool
	// Quality says where an answer tells its own quality.
	Quality Quality
	// Descriptions is a JSON pointer to the list of descriptions in an answer, so that
	// they are counted; none are if it is empty.
	Descriptions string
	// Shadow copies a share of old's requests to new.
	Shadow Shadow

	Follower *follow.Follower
	Keyer    rollout.Keyer
	Sealer   *outcome.Sealer
	Recorder *outcome.Set
	Registry *prometheus.Registry // none if nil
	Logger   *slog.Logger         // slog.Default if nil
}

// Upstream is one of the two services.
type Upstream struct {
	// URL is http or https, a host, and perhaps a path that is put before each
	// request's.
	URL string
	// Host is sent as the Host header; the client's own if empty.
	Host string
	// MaxConcurrent bounds the requests under way, WebSockets included;
	// DefaultOldConcurrent or DefaultNewConcurrent if 0.
	MaxConcurrent int
	// DialTimeout is the time for a connection; DefaultDialTimeout if 0.
	DialTimeout time.Duration
	// MaxHeader bounds an answer's headers in bytes; DefaultMaxHeader if 0.
	MaxHeader int64
}

// Quality is where an answer tells its quality, a number from 1 to 10: a header or a
// JSON pointer, at most one of them.
type Quality struct {
	Header string
	JSON   string
}

// FallbackRule says which of the requests that new failed old may serve again.
// Requests that certainly never reached new always may, and requests whose body was
// too long to keep never.
type FallbackRule string

// The rules. By the first, a POST may reach both services; that is right for
// services that only compute, such as extraction.
const (
	// FallbackBuffered: every request whose body is kept.
	FallbackBuffered FallbackRule = "buffered"
	// FallbackIdempotent: of these only GET, HEAD, OPTIONS, TRACE, PUT and DELETE
	// (RFC 9110, section 9.2.2), and those with an Idempotency-Key.
	FallbackIdempotent FallbackRule = "idempotent"
	// FallbackNever: none.
	FallbackNever FallbackRule = "never"
)

// ConfigError is why a configuration was refused.
type ConfigError struct {
	Field string // as in the configuration file, under gateway
	Rule  string // what would be right
}

func (e *ConfigError) Error() string { return fmt.Sprintf("gateway.%s %s", e.Field, e.Rule) }

// withDefaults fills in what was left out.
func (c Config) withDefaults() Config {
	setDefault(&c.Timeout, DefaultTimeout)
	setDefault(&c.NewTimeout, time.Duration(newShare*float64(c.Timeout)))
	setDefault(&c.AnswerTimeout, max(DefaultAnswerTimeout, c.Timeout))
	setDefault(&c.MaxBuffered, DefaultMaxBuffered)
	setDefault(&c.Fallback, FallbackBuffered)
	setDefault(&c.Old.MaxConcurrent, DefaultOldConcurrent)
	setDefault(&c.New.MaxConcurrent, DefaultNewConcurrent)
	for _, u := range []*Upstream{&c.Old, &c.New} {
		setDefault(&u.DialTimeout, DefaultDialTimeout)
		setDefault(&u.MaxHeader, DefaultMaxHeader)
	}
	c.Shadow = c.Shadow.withDefaults()
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Registry == nil {
		c.Registry = prometheus.NewRegistry()
	}
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate returns a [ConfigError] for the first field that breaks its rule. Fields
// that were left out are taken at their defaults.
func (c Config) Validate() error {
	c = c.withDefaults()
	for _, u := range []struct {
		name     string
		upstream Upstream
	}{{"old", c.Old}, {"new", c.New}} {
		if err := u.upstream.validate(u.name); err != nil {
			return err
		}
	}
	if c.Old.URL == c.New.URL && c.Old.Host == c.New.Host {
		return &ConfigError{"new.url", "is the same as old's: there is nothing to compare"}
	}
	switch {
	case len(c.Users) == 0:
		return &ConfigError{"users", "is at least one place to find the user in: header, cookie, jwt or json"}
	case c.Timeout < time.Millisecond:
		return &ConfigError{"timeout", "is at least 1ms"}
	case c.NewTimeout < time.Millisecond || c.NewTimeout > c.Timeout:
		return &ConfigError{"new_timeout", "is at least 1ms and at most timeout"}
	case c.AnswerTimeout < c.Timeout || c.AnswerTimeout > outcome.MaxTime:
		return &ConfigError{"answer_timeout", "is at least timeout and at most 1h"}
	case c.MaxBuffered < 0 || c.MaxBuffered > 1<<30:
		return &ConfigError{"max_buffered", "is 1 byte to 1 GiB"}
	case c.Fallback != FallbackBuffered && c.Fallback != FallbackIdempotent && c.Fallback != FallbackNever:
		return &ConfigError{"fallback", "is buffered, idempotent or never"}
	case c.Quality.Header != "" && c.Quality.JSON != "":
		return &ConfigError{"quality", "is found in a header or by a JSON pointer, not in both"}
	case c.Quality.Header != "" && !isToken(c.Quality.Header):
		return &ConfigError{"quality.header", "is the name of a header"}
	case c.Quality.JSON != "" && !isPointer(c.Quality.JSON):
		return &ConfigError{"quality.json", rulePointer}
	case c.Descriptions != "" && !isPointer(c.Descriptions):
		return &ConfigError{"descriptions", rulePointer}
	}
	var wrong *ConfigError
	if errors.As(c.Shadow.Validate(), &wrong) {
		return &ConfigError{"shadow." + wrong.Field, wrong.Rule}
	}
	for i, source := range c.Users {
		if err := source.validate(fmt.Sprintf("users[%d]", i)); err != nil {
			return err
		}
	}
	return nil
}

const rulePointer = "is a JSON pointer (RFC 6901) such as /user/id"

func (u Upstream) validate(name string) error {
	target, err := url.Parse(u.URL)
	switch {
	// url.Parse's error would repeat a password.
	case err != nil, u.URL == "", target.Scheme != "http" && target.Scheme != "https", target.Host == "", target.Opaque != "":
		return &ConfigError{name + ".url", "is an http or https URL such as http://127.0.0.1:9001"}
	case target.User != nil:
		return &ConfigError{name + ".url", "has no user and password in it"}
	case target.RawQuery != "" || target.ForceQuery || target.Fragment != "":
		return &ConfigError{name + ".url", "has no query and no fragment"}
	case strings.ContainsAny(u.Host, "/ \t\r\n"):
		return &ConfigError{name + ".host", "is a host, perhaps with a port"}
	case u.MaxConcurrent < 0:
		return &ConfigError{name + ".max_concurrent", "is at least 1"}
	case u.DialTimeout < 0:
		return &ConfigError{name + ".dial_timeout", "is above 0"}
	case u.MaxHeader < 256:
		return &ConfigError{name + ".max_header", "is at least 256 bytes"}
	}
	return nil
}

// isToken reports whether a text may name a header (RFC 9110, section 5.6.2).
func isToken(name string) bool {
	for i := range len(name) {
		c := name[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte("\"(),/:;<=>?@[\\]{}", c) >= 0 {
			return false
		}
	}
	return name != ""
}

// canonical is how net/http spells a header's name.
func canonical(name string) string { return http.CanonicalHeaderKey(name) }
