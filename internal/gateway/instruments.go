package gateway

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// instruments are what Prometheus sees of the gateway. No label comes from a request.
type instruments struct {
	requests *prometheus.CounterVec
	refused  *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	// badQuality counts what cannot be a mark.
	badQuality prometheus.Counter
	shadow     *prometheus.CounterVec
	ended      prometheus.Counter
	late       prometheus.Counter
}

func newInstruments(g *Gateway) *instruments {
	m := &instruments{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "nlpcanary_gateway_requests_total",
			Help: "Requests, by the architecture decided, the one that served, why another did, and the status's hundred."}, []string{"decided", "served", "fallback", "status"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "nlpcanary_gateway_refused_total",
			Help: "Requests that the gateway refused itself, by why."}, []string{"code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "nlpcanary_gateway_request_duration_seconds",
			Help: "Time of a request, fallback and both bodies included, without WebSockets and event streams.", Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}}, []string{"served"}),
		badQuality: prometheus.NewCounter(prometheus.CounterOpts{Name: "nlpcanary_gateway_bad_quality_total",
			Help: "Answers whose quality was no number from 1 to 10."}),
		shadow: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "nlpcanary_gateway_shadow_total",
			Help: "Requests of old's drawn to be copied to new, by what became of them."}, []string{"result"}),
		ended: prometheus.NewCounter(prometheus.CounterOpts{Name: "nlpcanary_gateway_streams_ended_total",
			Help: "WebSockets and event streams on new that were ended because their user was taken back."}),
		late: prometheus.NewCounter(prometheus.CounterOpts{Name: "nlpcanary_gateway_late_answers_total",
			Help: "Answers of new that served although the user had been taken back, because the request could not be repeated."}),
	}
	collectors := []prometheus.Collector{m.requests, m.refused, m.seconds, m.badQuality, m.shadow, m.ended, m.late}
	for _, u := range []*upstream{g.old, g.new} {
		collectors = append(collectors, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "nlpcanary_gateway_in_flight",
			Help: "Requests under way in a service.", ConstLabels: prometheus.Labels{"architecture": string(u.variant)}},
			func() float64 { return float64(len(u.slots)) }))
	}
	g.config.Registry.MustRegister(collectors...)
	return m
}

func (m *instruments) finished(x *exchange, took time.Duration) {
	if x.refused != "" {
		m.refused.WithLabelValues(x.refused).Inc()
		return
	}
	a := x.served
	if a == nil {
		return
	}
	status := strconv.Itoa(a.status/100) + "xx"
	if a.reason() == reasonCanceled {
		status = reasonCanceled
	}
	m.requests.WithLabelValues(string(x.decision.Variant), string(a.up.variant), x.fallback, status).Inc()
	if a.late {
		m.late.Inc()
	}
	if !a.stream {
		m.seconds.WithLabelValues(string(a.up.variant)).Observe(took.Seconds())
	}
}
