package notify

import (
	"net/netip"
	"strings"
	"testing"
)

func TestConfigSaysWhatIsWrong(t *testing.T) {
	t.Setenv("NLPCANARY_TEST_SLACK", "https://hooks.slack.com/services/T0PSECRET")
	for name, c := range map[string]struct {
		config Config
		want   string // empty if it is right
	}{
		"nothing":                {Config{}, ""},
		"Slack":                  {Config{Slack: []SlackConfig{{URL: "env:NLPCANARY_TEST_SLACK"}}}, ""},
		"an empty variable":      {Config{Slack: []SlackConfig{{URL: "env:NLPCANARY_TEST_NONE"}}}, "slack[0].url: the environment has no NLPCANARY_TEST_NONE"},
		"no URL":                 {Config{Slack: []SlackConfig{{}}}, "slack[0].url: it is missing"},
		"in the clear":           {Config{Slack: []SlackConfig{{URL: "http://example.org/T0PSECRET"}}}, "must begin with https://"},
		"another scheme":         {Config{Slack: []SlackConfig{{URL: "file:///T0PSECRET"}}}, "must begin with https://"},
		"no URL at all":          {Config{Slack: []SlackConfig{{URL: "https://T0PSECRET\x00"}}}, "it is not a URL"},
		"no host":                {Config{Slack: []SlackConfig{{URL: "https:///T0PSECRET"}}}, "it names no host"},
		"a password":             {Config{Slack: []SlackConfig{{URL: "https://u:T0PSECRET@example.org/"}}}, "must not hold a user"},
		"a host not on the list": {Config{Reach: Reach{Hosts: []string{"hooks.slack.com"}}, Slack: []SlackConfig{{URL: "https://example.org/T0PSECRET"}}}, `the host "example.org" is not in allow_hosts`},
		"a host on the list":     {Config{Reach: Reach{Hosts: []string{"Hooks.Slack.com"}}, Slack: []SlackConfig{{URL: "env:NLPCANARY_TEST_SLACK"}}}, ""},
		"two of one name":        {Config{Slack: []SlackConfig{{URL: "env:NLPCANARY_TEST_SLACK"}, {URL: "env:NLPCANARY_TEST_SLACK"}}}, `slack[1].name: there is another notifier named "slack"`},
		"two names":              {Config{Slack: []SlackConfig{{URL: "env:NLPCANARY_TEST_SLACK"}, {Name: "b", URL: "env:NLPCANARY_TEST_SLACK"}}}, ""},
		"no routing key":         {Config{PagerDuty: []PagerDutyConfig{{}}}, "pagerduty[0].routing_key: it is missing"},
		"PagerDuty":              {Config{PagerDuty: []PagerDutyConfig{{RoutingKey: "x"}}}, ""},
		"a short secret":         {Config{Webhook: []WebhookConfig{{URL: "https://example.org", Secret: "whsec_c2hvcnQ="}}}, "webhook[0].secret: it is whsec_"},
		"no base64":              {Config{Webhook: []WebhookConfig{{URL: "https://example.org", Secret: "whsec_!"}}}, "webhook[0].secret: it is whsec_"},
		"webhook":                {Config{Webhook: []WebhookConfig{{URL: "https://example.org", Secret: NewSecret()}}}, ""},
		"e-mail to nobody":       {Config{Email: []EmailConfig{{Host: "example.org", From: "a@example.org"}}}, "nobody would get mail"},
		"e-mail from nobody":     {Config{Email: []EmailConfig{{Host: "example.org", From: "x", To: []string{"a@example.org"}}}}, "email[0].from"},
		"e-mail to no address":   {Config{Email: []EmailConfig{{Host: "example.org", From: "a@example.org", To: []string{"a@example.org", "b"}}}}, "email[0].to"},
		"e-mail without a host":  {Config{Email: []EmailConfig{{From: "a@example.org", To: []string{"a@example.org"}}}}, "email[0].host"},
		"e-mail in the clear":    {Config{Email: []EmailConfig{{Host: "example.org", From: "a@example.org", To: []string{"a@example.org"}, TLS: "none"}}}, "email[0].tls"},
		"e-mail, other TLS":      {Config{Email: []EmailConfig{{Host: "example.org", From: "a@example.org", To: []string{"a@example.org"}, TLS: "ssl3"}}}, "it is starttls, implicit or none"},
		"e-mail, port":           {Config{Email: []EmailConfig{{Host: "example.org", From: "a@example.org", To: []string{"a@example.org"}, Port: 70000}}}, "email[0].port"},
		"e-mail, no password":    {Config{Email: []EmailConfig{{Host: "example.org", From: "a@example.org", To: []string{"a@example.org"}, Username: "u"}}}, "email[0].password"},
		"e-mail":                 {Config{Email: []EmailConfig{{Host: "example.org", From: "a@example.org", To: []string{"a@example.org"}, Username: "u", Password: "p", TLS: "implicit"}}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(c.config)
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error %v, want %q", err, c.want)
			case err != nil && strings.Contains(err.Error(), "T0PSECRET"):
				t.Errorf("the error holds a secret: %v", err)
			}
		})
	}
}

func TestPublicAddresses(t *testing.T) {
	for text, want := range map[string]bool{
		"8.8.8.8": true, "2606:4700::1111": true, "::ffff:8.8.8.8": true,
		"127.0.0.1": false, "10.1.2.3": false, "172.16.0.1": false, "192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false,
		"0.0.0.0": false, "0.1.2.3": false, "255.255.255.255": false, "224.0.0.1": false, "198.18.0.1": false, "192.0.0.1": false,
		"::1": false, "::": false, "fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "ff02::1": false, "fec0::1": false,
		"::ffff:127.0.0.1": false, "::ffff:169.254.169.254": false, "64:ff9b::a9fe:a9fe": false, "2002:7f00:1::": false, "2001:0:1::1": false,
	} {
		if got := isPublic(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s is public: %t", text, got)
		}
	}
}
