package config

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nlpcanary/nlpcanary/internal/gateway"
	"github.com/nlpcanary/nlpcanary/rollout"
)

func TestTheGatewaysSection(t *testing.T) {
	c, err := Parse("x.yaml", []byte(`
gateway:
  addr: 127.0.0.1:9000
  old: {url: "http://127.0.0.1:1", max_concurrent: 7, dial_timeout: 100ms}
  new: {url: "https://nlp.example/v2", host: nlp}
  users:
    - header: X-User-Id
    - json: /user/id
  timeout: 3s
  fallback: idempotent
  trusted_proxies: [10.0.0.0/8, "::1"]
  quality: {json: /quality}
`))
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Gateway.Settings()
	if err != nil {
		t.Fatal(err)
	}
	want := gateway.Config{
		Old:     gateway.Upstream{URL: "http://127.0.0.1:1", MaxConcurrent: 7, DialTimeout: 100 * time.Millisecond},
		New:     gateway.Upstream{URL: "https://nlp.example/v2", Host: "nlp"},
		Users:   []gateway.UserSource{{Header: "X-User-Id"}, {JSON: "/user/id"}},
		Timeout: 3 * time.Second, Fallback: gateway.FallbackIdempotent,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		Quality:        gateway.Quality{JSON: "/quality"},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreTypes(rollout.Keyer{}), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestABadGatewayIsRefusedWithItsLine(t *testing.T) {
	for _, c := range []struct{ change, to, want string }{
		{"http://127.0.0.1:2", "nowhere", "x.yaml:5: gateway.new.url: is an http or https URL"},
		{"header: X-U", "header: X U", "x.yaml:7: gateway.users[0].header: is the name of a header"},
		{"timeout: 1s", "timeout: 1h2m", "x.yaml:8: gateway.answer_timeout: "},
		{"timeout: 1s", "timeout: soon", "x.yaml:8: gateway.timeout: is a time"},
		{"timeout: 1s", "tiemout: 1s", `x.yaml:8: unknown field "tiemout"`},
		{"timeout: 1s", "trusted_proxies: [here]", "x.yaml:8: gateway.trusted_proxies[0]: is an address"},
	} {
		good := "# one\n# two\ngateway:\n  old: {url: 'http://127.0.0.1:1'}\n  new: {url: 'http://127.0.0.1:2'}\n  users:\n    - header: X-U\n  timeout: 1s\n"
		if _, err := Parse("x.yaml", []byte(good)); err != nil {
			t.Fatal(err)
		}
		_, err := Parse("x.yaml", []byte(strings.Replace(good, c.change, c.to, 1)))
		if err == nil {
			t.Errorf("%q is taken", c.to)
			continue
		}
		got, want := err.Error(), c.want
		if strings.HasPrefix(want, "x.yaml:8: gateway.answer_timeout") { // which stands nowhere: the line is its section's
			want = want[len("x.yaml:8: "):]
			_, got, _ = strings.Cut(got, " ")
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%q: %s, want %s", c.to, got, want)
		}
	}
}

func TestTheShadowsSection(t *testing.T) {
	c, err := Parse("x.yaml", []byte("shadow: {share: 0.05, methods: [GET, POST], paths: [/v1/]}\n"))
	if err != nil || c.Shadow.Settings().Share != .05 || len(c.Shadow.Settings().Methods) != 2 {
		t.Errorf("%+v, %v", c.Shadow, err)
	}
	_, err = Parse("x.yaml", []byte("\nshadow:\n  share: 1.5\n"))
	if want := "x.yaml:3: shadow.share: is a share from 0 to 1"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}
