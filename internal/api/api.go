package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/internal/dispatch"
	"github.com/nlpcanary/nlpcanary/internal/ingest"
	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// Config says what the API stands on.
type Config struct {
	Store *store.Store
	// Follower and Dispatcher are of the instance that answers; nil where a command
	// works straight on the database without deciding or extracting anything.
	Follower   *follow.Follower
	Dispatcher *dispatch.Dispatcher
	// Architectures, if set, tells what the instance that answers runs, and how it is.
	Architectures func() Architectures
	// Ingest takes reported outcomes, and Seen has the states that their decisions are
	// checked by; nil where outcomes are not taken.
	Ingest   *ingest.Ingest
	Seen     *Seen
	Sealer   *outcome.Sealer
	Keyer    rollout.Keyer
	Region   string
	Version  string
	Logger   *slog.Logger
	Registry *prometheus.Registry
	Now      func() time.Time // time.Now if nil
	// Flush, if set, stores the outcomes that this instance has counted, so that who
	// sends texts and then looks at the metrics sees them.
	Flush func(context.Context) error
	// MaxExtractions bounds how many texts are worked on at once, and a quarter as many
	// may wait for at most QueueTime; DefaultMaxExtractions and 500 ms if 0.
	MaxExtractions int
	QueueTime      time.Duration
	// Stopping, if set, is closed when the server stops: event streams end, requests go on.
	Stopping <-chan struct{}
	// MaxStreams bounds the event streams; 256 if 0.
	MaxStreams int
	// MaxClients bounds the streams on which clients hear of changes, of about 30 KiB
	// each; 4,096 if 0. A client without one learns of a change when it renews its lease.
	MaxClients int
	// Heartbeat is how often a quiet event stream shows that it lives; 15 s if 0.
	Heartbeat time.Duration
}

// DefaultMaxExtractions leaves room beside dispatch.DefaultNewSlots: a new architecture
// that hangs in all of its slots must not keep old from serving.
const DefaultMaxExtractions = dispatch.DefaultNewSlots + 64

// maxReporters is how many reports of outcomes are decoded or wait to be durable.
const maxReporters = 64

// API answers HTTP requests. It is safe for concurrent use.
type API struct {
	config  Config
	log     *slog.Logger
	now     func() time.Time
	mux     *http.ServeMux
	huma    huma.API
	metrics *instruments
	extract *gate
	reports *gate
	seen    *Seen
	streams *gate
	clients *gate // that hear of changes
	tallies *gate
	given   atomic.Pointer[givenLease]
	epochs  epochs
	tokens  atomic.Pointer[tokenIndex]
	// What is dear to compute.
	counted  remembered[outcome.Window]
	verified remembered[store.AuditReport]
	// The documentation, made once.
	spec, page []byte
}

// setUpHuma makes huma's own errors problems as well, and field names count in their
// own case only. These are variables of that library, shared by the whole process.
var setUpHuma sync.Once

// New wires the routes.
func New(config Config) (*API, error) {
	if config.Store == nil {
		return nil, errors.New("the API needs a store")
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if config.Registry == nil {
		config.Registry = prometheus.NewRegistry()
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.MaxExtractions == 0 {
		config.MaxExtractions = DefaultMaxExtractions
	}
	if config.QueueTime == 0 {
		config.QueueTime = 500 * time.Millisecond
	}
	if config.MaxStreams == 0 {
		config.MaxStreams = 256
	}
	if config.MaxClients == 0 {
		config.MaxClients = 4096
	}
	if config.Heartbeat == 0 {
		config.Heartbeat = 15 * time.Second
	}
	if config.Seen == nil {
		config.Seen = new(Seen)
	}
	setUpHuma.Do(func() {
		huma.ValidateStrictCasing = true
		huma.NewErrorWithContext = humaProblem
		huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
			return humaProblem(nil, status, msg, errs...)
		}
	})
	a := &API{
		config:  config,
		log:     config.Logger,
		now:     config.Now,
		mux:     http.NewServeMux(),
		extract: newGate(config.MaxExtractions, (config.MaxExtractions+3)/4, config.QueueTime),
		streams: newGate(config.MaxStreams, 0, 0),
		clients: newGate(config.MaxClients, 0, 0),
		tallies: newGate(maxTallyWriters, waitingTallies, 2*time.Second),
		reports: newGate(maxReporters, maxReporters, config.QueueTime),
		seen:    config.Seen,
	}
	a.metrics = newInstruments(config)
	a.huma = huma.NewAPI(description(config.Version), humaRoutes{a})
	a.rolloutRoutes()
	a.metricsRoutes()
	a.shadowRoutes()
	a.goldRoutes()
	a.recommendationRoutes()
	a.alertRoutes()
	a.flagRoutes()
	a.overrideRoutes()
	a.tokenRoutes()
	a.settingRoutes()
	a.auditRoutes()
	a.doctorRoute()
	a.extractRoutes()
	a.reportRoutes()
	a.decisionRoutes()
	a.ofrepRoutes()
	a.eventRoute()
	a.leaseRoutes()
	a.tallyRoute()
	a.healthRoutes()
	a.docsRoutes()
	if err := a.makeDocs(); err != nil {
		return nil, err
	}
	return a, nil
}

// Handler answers requests, in process or behind a server.
func (a *API) Handler() http.Handler { return http.HandlerFunc(a.answer) }

// OpenAPI describes every route.
func (a *API) OpenAPI() *huma.OpenAPI { return a.huma.OpenAPI() }

const bearer = "bearer"

func description(version string) huma.Config {
	if version == "" {
		version = "unknown"
	}
	format := huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: json.Unmarshal} // of what checkJSON let through
	config := huma.DefaultConfig("nlpcanary", version)
	config.Info.Description = "Gradual rollout of a new NLP architecture beside the old one, with rollback that holds everywhere within the lease."
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		bearer: {Type: "http", Scheme: "bearer", Description: "A token made with 'nlpcanary token create'."},
	}
	config.Formats = map[string]huma.Format{"application/json": format, "json": format} // "json" is what huma makes of application/problem+json
	config.DefaultFormat = "application/json"
	config.OpenAPIPath = "" // served like everything else, see docs.go
	config.DocsPath = ""
	config.SchemasPath = ""
	config.CreateHooks = nil // no $schema in bodies: they have exactly the documented fields
	config.RejectUnknownQueryParameters = true
	return config
}
