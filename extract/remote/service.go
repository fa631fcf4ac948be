package remote

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/sony/gobreaker/v2"

	"github.com/nlpcanary/nlpcanary/extract"
)

// Config says where a service is and how it is spoken to.
type Config struct {
	// Name of the architecture; the URL's host if empty.
	Name string
	// URL that texts are posted to. With [OpenInference] it is the server's base, and
	// the model's path is added.
	URL      string
	Protocol Protocol // [PlainJSON] if empty
	// Model is its name on the server; needed by [OpenInference], and by nothing else.
	Model string
	// Unit of the answer's offsets, where the answer does not say; [extract.UnitRune]
	// if empty.
	Unit extract.Unit
	// Labels maps spaCy's labels to types, and leaves out all others; [SpaCyLabels] if
	// nil.
	Labels map[string]extract.Type
	// Timeout of one request; DefaultTimeout if 0.
	Timeout time.Duration
	// MaxResponse bounds an answer in bytes; DefaultMaxResponse if 0.
	MaxResponse int64
	// Concurrency bounds the requests under way, others wait; DefaultConcurrency if 0.
	Concurrency int
	// Health is the URL that [Service.Watch] probes. With [OpenInference] it is
	// /v2/health/ready below the URL if empty; otherwise, empty means no probe.
	Health string
	// HealthEvery is how often; DefaultHealthEvery if 0.
	HealthEvery time.Duration
	// OpenFor is how long an open breaker leaves the service alone; DefaultOpenFor if 0.
	OpenFor time.Duration
}

// What a Config's zero values mean.
const (
	DefaultTimeout     = 5 * time.Second
	DefaultMaxResponse = 16 << 20
	DefaultConcurrency = 64
	DefaultHealthEvery = 5 * time.Second
	DefaultOpenFor     = 5 * time.Second
)

// When the breaker opens: after so many failures in a row, or when at least half of so
// many requests failed within the window.
const (
	failuresInRow    = 5
	requestsToJudge  = 20
	breakerWindow    = 10 * time.Second
	idleConnsTimeout = 90 * time.Second
)

// Service is an architecture behind HTTP. It is safe for concurrent use.
type Service struct {
	config   Config
	speaker  speaker
	client   *http.Client
	slots    chan struct{}
	breaker  *gobreaker.CircuitBreaker[extract.Result]
	notReady atomic.Pointer[string] // why the probe failed; nil if it did not
}

// New checks a configuration. It connects to nothing.
func New(config Config) (*Service, error) {
	at, err := checkURL(config.URL)
	if err != nil {
		return nil, err
	}
	if config.Health != "" {
		if _, err := checkURL(config.Health); err != nil {
			return nil, fmt.Errorf("health: %w", err)
		}
	}
	if config.Name == "" {
		config.Name = at.Host
	}
	config = config.withDefaults()
	speaker, err := config.speaker(at)
	if err != nil {
		return nil, err
	}
	if config.Health == "" {
		config.Health = speaker.health()
	}
	s := &Service{
		config: config, speaker: speaker, slots: make(chan struct{}, config.Concurrency),
		client: &http.Client{
			Transport: &http.Transport{
				MaxIdleConnsPerHost: config.Concurrency, MaxConnsPerHost: config.Concurrency + 1, // one for the probe
				IdleConnTimeout: idleConnsTimeout, ForceAttemptHTTP2: true,
				MaxResponseHeaderBytes: 64 << 10,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	s.breaker = gobreaker.NewCircuitBreaker[extract.Result](gobreaker.Settings{
		Interval: breakerWindow, Timeout: config.OpenFor, MaxRequests: 1,
		ReadyToTrip: func(c gobreaker.Counts) bool {
			judged := c.TotalSuccesses + c.TotalFailures
			return c.ConsecutiveFailures >= failuresInRow || judged >= requestsToJudge && 2*c.TotalFailures >= judged
		},
		IsExcluded: saysNothing,
	})
	return s, nil
}

// saysNothing: the caller gave up, or the text was refused. Neither is held against
// the service.
func saysNothing(err error) bool {
	var status *StatusError
	return errors.Is(err, errCallerGone) || errors.As(err, &status) && status.refusesText()
}

// errCallerGone marks the end of the caller's context, as opposed to our timeout.
var errCallerGone = errors.New("the caller is gone")

func checkURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("%q is not an http or https URL", raw)
	}
	return u, nil
}

func (c Config) withDefaults() Config {
	if c.Protocol == "" {
		c.Protocol = PlainJSON
	}
	if c.Unit == "" {
		c.Unit = extract.UnitRune
	}
	if c.Labels == nil {
		c.Labels = SpaCyLabels()
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.MaxResponse == 0 {
		c.MaxResponse = DefaultMaxResponse
	}
	if c.Concurrency == 0 {
		c.Concurrency = DefaultConcurrency
	}
	if c.HealthEvery == 0 {
		c.HealthEvery = DefaultHealthEvery
	}
	if c.OpenFor == 0 {
		c.OpenFor = DefaultOpenFor
	}
	return c
}

// Close closes the connections that nothing is under way on. The service can be used
// again, and makes new ones.
func (s *Service) Close() { s.client.CloseIdleConnections() }

// Name returns the configured name.
func (s *Service) Name() string { return s.config.Name }

// Extract sends the document to the service and checks what it answers. Descriptions
// are sorted by Start; those of a service may overlap.
func (s *Service) Extract(ctx context.Context, doc extract.Document) (extract.Result, error) {
	result, err := s.extract(ctx, doc)
	if err != nil {
		return extract.Result{}, fmt.Errorf("extracting with %s: %w", s.config.Name, err)
	}
	return result, nil
}

func (s *Service) extract(ctx context.Context, doc extract.Document) (extract.Result, error) {
	switch {
	case len(doc.Text) > extract.MaxBytes:
		return extract.Result{}, &extract.TooLongError{Bytes: len(doc.Text), Limit: extract.MaxBytes}
	case !utf8.ValidString(doc.Text):
		return extract.Result{}, extract.ErrInvalidText
	case s.notReady.Load() != nil:
		return extract.Result{}, ErrNotReady
	case s.breaker.State() == gobreaker.StateOpen:
		return extract.Result{}, ErrOpen // without waiting for a slot
	}
	select {
	case s.slots <- struct{}{}:
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return extract.Result{}, ctx.Err()
	}
	result, err := s.breaker.Execute(func() (extract.Result, error) {
		within, cancel := context.WithTimeout(ctx, s.config.Timeout)
		defer cancel()
		result, err := s.ask(within, doc)
		switch {
		case err != nil && errors.Is(ctx.Err(), context.Canceled):
			// The caller's deadline passing is not excluded: a service that never answers in
			// time is no use, whoever's time it is.
			return extract.Result{}, fmt.Errorf("%w: %w", errCallerGone, ctx.Err())
		case err != nil && within.Err() != nil:
			return extract.Result{}, within.Err()
		}
		return result, err
	})
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		err = ErrOpen
	}
	return result, err
}
