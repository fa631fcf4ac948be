package api

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/internal/dispatch"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// instruments are what Prometheus sees of the API.
type instruments struct {
	decisions   *prometheus.CounterVec
	byDecision  map[[2]string]prometheus.Counter // of decisions, looked up once
	extractions *prometheus.CounterVec
	seconds     *prometheus.HistogramVec
	requests    *prometheus.CounterVec
	durations   *prometheus.HistogramVec
}

func newInstruments(config Config) *instruments {
	m := &instruments{
		decisions: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "nlpcanary_decisions_total",
			Help: "Decisions asked for, by architecture and reason."}, []string{"architecture", "reason"}),
		extractions: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "nlpcanary_extractions_total",
			Help: "Texts, by the architecture decided for their user, the one that served, and why another did."}, []string{"decided", "served", "fallback"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "nlpcanary_extraction_duration_seconds",
			Help: "Time of an extraction, fallback included.", Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}}, []string{"served"}),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "nlpcanary_http_requests_total",
			Help: "HTTP requests, by route and status."}, []string{"route", "status"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "nlpcanary_http_request_duration_seconds",
			Help: "Time of an HTTP request.", Buckets: prometheus.ExponentialBuckets(.0001, 4, 9)}, []string{"route"}),
	}
	config.Registry.MustRegister(m.decisions, m.extractions, m.seconds, m.requests, m.durations,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.byDecision = map[[2]string]prometheus.Counter{}
	for _, reason := range []rollout.Reason{rollout.ReasonStatic, rollout.ReasonSplit, rollout.ReasonTargetingMatch, rollout.ReasonDisabled, rollout.ReasonStale, rollout.ReasonError} {
		for _, variant := range []rollout.Variant{rollout.Old, rollout.New} {
			if variant == rollout.New && (reason == rollout.ReasonDisabled || reason == rollout.ReasonStale || reason == rollout.ReasonError) {
				continue // these are always for old
			}
			m.byDecision[[2]string{string(variant), string(reason)}] = m.decisions.WithLabelValues(string(variant), string(reason))
		}
	}
	build := prometheus.NewGauge(prometheus.GaugeOpts{Name: "nlpcanary_build_info", Help: "Always 1.",
		ConstLabels: prometheus.Labels{"version": config.Version, "region": config.Region}})
	build.Set(1)
	config.Registry.MustRegister(build)
	if config.Follower != nil {
		config.Registry.MustRegister(stateCollector{config.Follower})
	}
	return m
}

func (m *instruments) decided(d rollout.Decision) {
	if counter := m.byDecision[[2]string{string(d.Variant), string(d.Reason)}]; counter != nil {
		counter.Inc()
	}
}

func (m *instruments) extracted(answer dispatch.Answer, err error) {
	if err != nil {
		m.extractions.WithLabelValues("unknown", "none", "error").Inc()
		return
	}
	m.decided(answer.Decision)
	m.extractions.WithLabelValues(string(answer.Decision.Variant), string(answer.Served), answer.FallbackReason).Inc()
	m.seconds.WithLabelValues(string(answer.Served)).Observe(answer.ProcessingTime.Seconds())
}

// routeInstruments are those of one route, looked up once.
type routeInstruments struct {
	ok       prometheus.Counter // status 200
	duration prometheus.Observer
}

func (m *instruments) route(pattern string) routeInstruments {
	return routeInstruments{m.requests.WithLabelValues(pattern, "200"), m.durations.WithLabelValues(pattern)}
}

// visit counts a request by its route's pattern: paths may hold anything.
func (m *instruments) visit(v *visit, took time.Duration) {
	switch {
	case v.route == nil:
		m.requests.WithLabelValues("none", strconv.Itoa(v.status)).Inc()
		return
	case v.status == http.StatusOK:
		v.route.count.ok.Inc()
	default:
		m.requests.WithLabelValues(v.route.pattern, strconv.Itoa(v.status)).Inc()
	}
	v.route.count.duration.Observe(took.Seconds())
}

// stateCollector reads the instance's state when Prometheus asks.
type stateCollector struct{ follower *follow.Follower }

var (
	descRevision   = prometheus.NewDesc("nlpcanary_revision", "The revision that the instance honours.", nil, nil)
	descStage      = prometheus.NewDesc("nlpcanary_stage", "The stage, 0 to 4.", nil, nil)
	descPercentage = prometheus.NewDesc("nlpcanary_effective_percentage", "The share of users on new in percent; 0 while the kill switch is off.", nil, nil)
	descValid      = prometheus.NewDesc("nlpcanary_lease_valid", "1 while the instance trusts its state; else everyone gets old.", nil, nil)
	descRemaining  = prometheus.NewDesc("nlpcanary_lease_remaining_seconds", "What is left of the lease.", nil, nil)
	descRenewals   = prometheus.NewDesc("nlpcanary_lease_renewals_total", "Renewals tried.", nil, nil)
	descFailures   = prometheus.NewDesc("nlpcanary_lease_renewal_failures_total", "Renewals that failed.", nil, nil)
	descBreakGlass = prometheus.NewDesc("nlpcanary_break_glass", "1 while the kill file or SIGUSR1 sends everyone to old.", nil, nil)
	descCache      = prometheus.NewDesc("nlpcanary_cohort_cache_users", "Users in the cohort cache.", nil, nil)
	descWentBack   = prometheus.NewDesc("nlpcanary_database_went_back", "1 while the instance does not believe its database, because it went back to an older state.", nil, nil)
	descBounded    = prometheus.NewDesc("nlpcanary_rollback_bounded", "1 if a rollback holds here within the lease; 0 while when_stale is hold.", nil, nil)
)

// Describe names the metrics.
func (stateCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descRevision, descStage, descPercentage, descValid, descRemaining, descRenewals, descFailures, descBreakGlass, descCache, descWentBack, descBounded} {
		ch <- d
	}
}

// Collect reads them.
func (c stateCollector) Collect(ch chan<- prometheus.Metric) {
	s := c.follower.Status()
	gauge := func(d *prometheus.Desc, v float64) { ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v) }
	counter := func(d *prometheus.Desc, v int64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v))
	}
	gauge(descValid, truth(s.Valid))
	gauge(descRemaining, s.Remaining.Seconds())
	gauge(descBreakGlass, truth(s.BreakGlass))
	gauge(descCache, float64(s.CacheSize))
	gauge(descWentBack, truth(errors.Is(s.LastError, follow.ErrWentBack)))
	counter(descRenewals, s.Renewals)
	counter(descFailures, s.Failures)
	if s.State == nil {
		return
	}
	gauge(descRevision, float64(s.State.Revision))
	gauge(descStage, float64(s.State.Rollout.Stage))
	gauge(descPercentage, float64(s.State.EffectivePercentage()))
	gauge(descBounded, truth(!s.State.Rollout.Finalised || s.State.Settings.WhenStale != rollout.StaleHold))
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
