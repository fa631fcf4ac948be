package notify

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/mail"
	"os"
	"strings"
	"time"

	smtp "github.com/wneessen/go-mail"
)

// Config is the section "notifiers" of the configuration file. A secret may stand as
// "env:NAME": then it is read from the environment.
type Config struct {
	Reach     `yaml:",inline"`
	Slack     []SlackConfig     `yaml:"slack,omitempty"`
	PagerDuty []PagerDutyConfig `yaml:"pagerduty,omitempty"`
	Email     []EmailConfig     `yaml:"email,omitempty"`
	Webhook   []WebhookConfig   `yaml:"webhook,omitempty"`
}

// SlackConfig is an incoming webhook of Slack.
type SlackConfig struct {
	Name string `yaml:"name,omitempty"` // "slack" if empty
	URL  string `yaml:"url"`            // a secret
}

// PagerDutyConfig is an integration of PagerDuty's Events API v2.
type PagerDutyConfig struct {
	Name       string `yaml:"name,omitempty"` // "pagerduty" if empty
	RoutingKey string `yaml:"routing_key"`    // a secret
	URL        string `yaml:"url,omitempty"`  // of the service region; the global one if empty
	Source     string `yaml:"source,omitempty"`
}

// EmailConfig is an SMTP server and who gets mail through it.
type EmailConfig struct {
	Name     string   `yaml:"name,omitempty"` // "email" if empty
	Host     string   `yaml:"host"`
	Port     int      `yaml:"port,omitempty"` // 587 if 0
	Username string   `yaml:"username,omitempty"`
	Password string   `yaml:"password,omitempty"` // a secret
	From     string   `yaml:"from"`
	To       []string `yaml:"to"`
	// TLS is "starttls" (the default), "implicit" (usually port 465), or "none", which
	// needs allow_private and sends no password.
	TLS string `yaml:"tls,omitempty"`
}

// WebhookConfig is a receiver of signed JSON.
type WebhookConfig struct {
	Name string `yaml:"name,omitempty"` // "webhook" if empty
	URL  string `yaml:"url"`
	// Secret signs: "whsec_" and base64 of at least 24 bytes.
	Secret string `yaml:"secret"`
}

// New makes the notifiers that the configuration names, or says what is wrong with it.
// No error repeats a secret.
func New(c Config) ([]Notifier, error) {
	b := builder{reach: c.Reach, names: map[string]bool{}}
	for i, one := range c.Slack {
		b.at("slack", i)
		b.add(slack{b.name(one.Name), b.poster("url", one.URL)})
	}
	for i, one := range c.PagerDuty {
		b.at("pagerduty", i)
		address := one.URL
		if address == "" {
			address = pagerDutyURL
		}
		source := one.Source
		if source == "" {
			source = "nlpcanary"
		}
		b.add(pagerDuty{b.name(one.Name), b.secret("routing_key", one.RoutingKey), source, b.poster("url", address)})
	}
	for i, one := range c.Email {
		b.at("email", i)
		b.add(b.email(one))
	}
	for i, one := range c.Webhook {
		b.at("webhook", i)
		b.add(webhook{b.name(one.Name), b.key(one.Secret), time.Now, b.poster("url", one.URL)})
	}
	return b.list, errors.Join(b.wrong...)
}

// builder makes notifiers and collects what is wrong.
type builder struct {
	reach Reach
	names map[string]bool
	kind  string
	index int
	list  []Notifier
	wrong []error
}

func (b *builder) at(kind string, index int) { b.kind, b.index = kind, index }

func (b *builder) add(n Notifier) { b.list = append(b.list, n) }

func (b *builder) fail(field, why string) {
	b.wrong = append(b.wrong, fmt.Errorf("%s[%d].%s: %s", b.kind, b.index, field, why))
}

func (b *builder) name(given string) string {
	if given == "" {
		given = b.kind
	}
	if b.names[given] {
		b.fail("name", fmt.Sprintf("there is another notifier named %q: give each a name of its own", given))
	}
	b.names[given] = true
	return given
}

// secret reads a value that may stand in the environment.
func (b *builder) secret(field, text string) string {
	if name, fromEnv := strings.CutPrefix(text, "env:"); fromEnv {
		if text = os.Getenv(name); text == "" {
			b.fail(field, fmt.Sprintf("the environment has no %s", name))
			return ""
		}
	}
	if text == "" {
		b.fail(field, "it is missing")
	}
	return text
}

func (b *builder) poster(field, text string) poster {
	address := b.secret(field, text)
	if address != "" {
		if err := b.reach.checkURL(address); err != nil {
			b.fail(field, err.Error())
		}
	}
	return poster{b.reach.client(), address}
}

func (b *builder) key(text string) []byte {
	text = b.secret("secret", text)
	if text == "" {
		return nil
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, secretPrefix))
	if err != nil || len(key) < 24 {
		b.fail("secret", "it is "+secretPrefix+" and the base64 of at least 24 random bytes; 'nlpcanary notify secret' makes one")
	}
	return key
}

func (b *builder) email(c EmailConfig) email {
	e := email{name: b.name(c.Name), from: c.From, to: c.To, host: c.Host}
	if c.Host == "" {
		b.fail("host", "it is missing")
	} else if err := b.reach.checkHost(c.Host); err != nil {
		b.fail("host", err.Error())
	}
	if _, err := mail.ParseAddress(c.From); err != nil {
		b.fail("from", "it is not an e-mail address")
	}
	if len(c.To) == 0 {
		b.fail("to", "it is empty: nobody would get mail")
	}
	for _, to := range c.To {
		if _, err := mail.ParseAddress(to); err != nil {
			b.fail("to", "one of its entries is not an e-mail address")
		}
	}
	e.settings = []smtp.Option{smtp.WithTimeout(10 * time.Second), smtp.WithDialContextFunc(b.reach.dial)}
	if c.Port < 0 || c.Port > 65535 {
		b.fail("port", "it is 1 to 65535")
	}
	port := c.Port
	if port == 0 {
		port = 587
	}
	switch c.TLS {
	case "", "starttls":
		e.settings = append(e.settings, smtp.WithTLSPolicy(smtp.TLSMandatory))
	case "implicit":
		e.settings = append(e.settings, smtp.WithSSL())
	case "none":
		if !b.reach.Private || c.Username != "" {
			b.fail("tls", "none needs allow_private, and no username: a password is not sent in the clear")
		}
		e.settings = append(e.settings, smtp.WithTLSPolicy(smtp.NoTLS))
	default:
		b.fail("tls", "it is starttls, implicit or none")
	}
	e.settings = append(e.settings, smtp.WithPort(port))
	if c.Username != "" {
		e.settings = append(e.settings, smtp.WithSMTPAuth(smtp.SMTPAuthAutoDiscover), smtp.WithUsername(c.Username), smtp.WithPassword(b.secret("password", c.Password)))
	}
	return e
}
