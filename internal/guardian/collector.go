package guardian

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/nlpcanary/nlpcanary/internal/evidence"
	"github.com/nlpcanary/nlpcanary/internal/notify"
)

// glance is what a look leaves for Prometheus.
type glance struct {
	leads    bool
	findings []evidence.Finding
	combined evidence.Combined
	alarms   []finding
}

var (
	descLeads    = prometheus.NewDesc("nlpcanary_guardian_leads", "1 on the instance that leads the guardian.", nil, nil)
	descLooks    = prometheus.NewDesc("nlpcanary_guardian_looks_total", "Looks of this instance's guardian, leading or not.", nil, nil)
	descFailed   = prometheus.NewDesc("nlpcanary_guardian_look_failures_total", "Looks that failed.", nil, nil)
	descFiring   = prometheus.NewDesc("nlpcanary_alert_firing", "1 for each trouble that the last look found; on the leader only.", []string{"rule", "subject", "severity"}, nil)
	descEvidence = prometheus.NewDesc("nlpcanary_evidence_log", "Natural logarithm of the e-value of a metric; on the leader only.", []string{"metric", "question"}, nil)
	descLimit    = prometheus.NewDesc("nlpcanary_evidence_limit_log", "What nlpcanary_evidence_log must reach to be proof; on the leader only.", []string{"metric", "question"}, nil)
	descTold     = prometheus.NewDesc("nlpcanary_notifications_total", "Alerts handed to a notifier, by what became of them.", []string{"notifier", "result"}, nil)
)

// Collector is what Prometheus sees of a guardian and its notifiers; hub may be nil.
func Collector(g *Guardian, hub *notify.Hub) prometheus.Collector { return collector{g, hub} }

type collector struct {
	guardian *Guardian
	hub      *notify.Hub
}

// Describe names the metrics.
func (collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{descLeads, descLooks, descFailed, descFiring, descEvidence, descLimit, descTold} {
		ch <- d
	}
}

// Collect reads them.
func (c collector) Collect(ch chan<- prometheus.Metric) {
	send := func(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, kind, v, labels...)
	}
	send(descLooks, prometheus.CounterValue, float64(c.guardian.looks.Load()))
	send(descFailed, prometheus.CounterValue, float64(c.guardian.failures.Load()))
	if c.hub != nil {
		for name, n := range c.hub.Counts() {
			send(descTold, prometheus.CounterValue, float64(n.Delivered), name, "delivered")
			send(descTold, prometheus.CounterValue, float64(n.Failed), name, "failed")
			send(descTold, prometheus.CounterValue, float64(n.Dropped), name, "dropped")
		}
	}
	last := c.guardian.last.Load()
	if last == nil || !last.leads {
		send(descLeads, prometheus.GaugeValue, 0)
		return
	}
	send(descLeads, prometheus.GaugeValue, 1)
	for _, a := range last.alarms {
		send(descFiring, prometheus.GaugeValue, 1, a.rule, a.subject, string(a.severity))
	}
	send(descEvidence, prometheus.GaugeValue, last.combined.LogE, "all", "harm")
	send(descLimit, prometheus.GaugeValue, last.combined.Limit, "all", "harm")
	for _, f := range last.findings {
		if f.Verdict == evidence.NoData {
			continue
		}
		send(descEvidence, prometheus.GaugeValue, f.LogHarm, string(f.Metric), "harm")
		send(descLimit, prometheus.GaugeValue, f.HarmLimit, string(f.Metric), "harm")
		send(descEvidence, prometheus.GaugeValue, f.LogSafe, string(f.Metric), "safe")
		send(descLimit, prometheus.GaugeValue, f.SafeLimit, string(f.Metric), "safe")
	}
}
