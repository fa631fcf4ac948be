package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/internal/dispatch"
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
	Sealer     *outcome.Sealer
	Keyer      rollout.Keyer
	Region     string
	Version    string
	Logger     *slog.Logger
	Registry   *prometheus.Registry
	Now        func() time.Time // time.Now if nil
	// Flush, if set, stores the outcomes that this instance has counted, so that who
	// sends texts and then looks at the metrics sees them.
	Flush func(context.Context) error
	// MaxExtractions bounds how many texts are worked on at once, and again as many
	// may wait for at most QueueTime; 128 and 500 ms if 0.
	MaxExtractions int
	QueueTime      time.Duration
	// MaxStreams bounds the event streams; 256 if 0.
	MaxStreams int
}

// API answers HTTP requests. It is safe for concurrent use.
type API struct {
	config  Config
	log     *slog.Logger
	now     func() time.Time
	mux     *http.ServeMux
	huma    huma.API
	metrics *instruments
	extract *gate
	streams *gate
}

// setErrors makes huma's own errors problems as well. The hook is a variable of that
// library, shared by the whole process.
var setErrors sync.Once

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
		config.MaxExtractions = 128
	}
	if config.QueueTime == 0 {
		config.QueueTime = 500 * time.Millisecond
	}
	if config.MaxStreams == 0 {
		config.MaxStreams = 256
	}
	setErrors.Do(func() { huma.NewErrorWithContext = humaProblem })
	a := &API{
		config:  config,
		log:     config.Logger,
		now:     config.Now,
		mux:     http.NewServeMux(),
		extract: newGate(config.MaxExtractions, config.MaxExtractions, config.QueueTime),
		streams: newGate(config.MaxStreams, 0, 0),
	}
	a.metrics = newInstruments(config)
	a.huma = humago.New(a.mux, description(config.Version))
	a.huma.UseMiddleware(a.authorise)
	a.rolloutRoutes()
	a.metricsRoutes()
	a.flagRoutes()
	a.overrideRoutes()
	a.tokenRoutes()
	a.settingRoutes()
	a.auditRoutes()
	a.doctorRoute()
	a.extractRoutes()
	a.decisionRoutes()
	a.ofrepRoutes()
	a.eventRoute()
	a.healthRoutes()
	if err := a.docsRoute(); err != nil {
		return nil, err
	}
	return a, nil
}

// Handler answers requests, in process or behind a server.
func (a *API) Handler() http.Handler { return a.chain(a.mux) }

// OpenAPI describes every route.
func (a *API) OpenAPI() *huma.OpenAPI { return a.huma.OpenAPI() }

const bearer = "bearer"

func description(version string) huma.Config {
	if version == "" {
		version = "unknown"
	}
	json := huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: unmarshalStrictly}
	config := huma.DefaultConfig("nlpcanary", version)
	config.Info.Description = "Gradual rollout of a new NLP architecture beside the old one, with rollback that holds everywhere within the lease."
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		bearer: {Type: "http", Scheme: "bearer", Description: "A token made with 'nlpcanary token create'."},
	}
	config.Formats = map[string]huma.Format{"application/json": json, "json": json}
	config.DefaultFormat = "application/json"
	config.DocsPath = ""
	config.SchemasPath = ""
	config.CreateHooks = nil // no $schema in bodies: they have exactly the documented fields
	config.RejectUnknownQueryParameters = true
	return config
}
