package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/api"
)

// replayReport is what replay prints under --json: many answers of the API have
// no body of their own.
type replayReport struct {
	Texts        int                     `json:"texts"`
	Users        int                     `json:"users"`
	Sent         int                     `json:"sent"`
	Refused      int                     `json:"refused"`
	FirstRefusal *api.Problem            `json:"first_refusal,omitempty"`
	ElapsedMS    int64                   `json:"elapsed_ms"`
	Served       map[string]cohortReport `json:"served_by"`
}

// cohortReport is what one architecture served. Nothing measured is null.
type cohortReport struct {
	Users               int      `json:"users"`
	Texts               int      `json:"texts"`
	Fallbacks           int      `json:"fallbacks"`
	Descriptions        int      `json:"descriptions"`
	DescriptionsPerText *float64 `json:"descriptions_per_text"`
	MeanMS              *float64 `json:"avg_processing_time_ms"`
	P50MS               *float64 `json:"p50_processing_time_ms"`
	P95MS               *float64 `json:"p95_processing_time_ms"`
	P99MS               *float64 `json:"p99_processing_time_ms"`
}

func (t *replayTally) report(s *session) error {
	report := replayReport{
		Texts: t.texts, Users: t.users, Sent: t.sent(), Refused: t.refused, ElapsedMS: t.took.Milliseconds(),
		Served: map[string]cohortReport{"old": t.cohorts["old"].report(), "new": t.cohorts["new"].report()},
	}
	if t.refusal != nil {
		report.FirstRefusal = &t.refusal.Problem
	}
	raw, err := json.Marshal(report)
	if err != nil {
		return fmt.Errorf("encoding the report: %w", err)
	}
	if err := s.answer(raw, func() { t.write(s, report) }); err != nil {
		return err
	}
	if t.refusal != nil {
		return &failure{
			exit: exitError, err: t.refusal,
			message: fmt.Sprintf("%d of %d texts were refused; the first: %s", t.refused, report.Sent, t.refusal.Error()),
			hint:    problemHint(t.refusal.Problem),
		}
	}
	return nil
}

func (c *cohortTally) report() cohortReport {
	r := cohortReport{Users: len(c.users), Texts: c.texts, Fallbacks: c.fallbacks, Descriptions: c.descriptions}
	if c.texts == 0 {
		return r
	}
	slices.Sort(c.times)
	sum := 0.0
	for _, ms := range c.times {
		sum += ms
	}
	per, mean := float64(c.descriptions)/float64(c.texts), sum/float64(c.texts)
	r.DescriptionsPerText, r.MeanMS = &per, &mean
	r.P50MS, r.P95MS, r.P99MS = quantile(c.times, 50), quantile(c.times, 95), quantile(c.times, 99)
	return r
}

// quantile is the nearest-rank quantile of sorted values.
func quantile(sorted []float64, percent int) *float64 {
	rank := (len(sorted)*percent + 99) / 100
	return &sorted[max(rank, 1)-1]
}

func (t *replayTally) write(s *session, report replayReport) {
	perSecond := float64(report.Sent) / max(t.took.Seconds(), 1e-9)
	fmt.Fprintf(s.stdout, "Sent %s as %s in %s (%.0f/s).\n\n", plural(report.Sent, "text", "texts"), plural(report.Users, "user", "users"),
		t.took.Round(time.Millisecond), perSecond)
	columns := table{
		header: []string{"SERVED BY", "USERS", "TEXTS", "FALLBACKS", "DESCRIPTIONS", "PER TEXT", "MEAN", "P50", "P95", "P99"},
		right:  map[int]bool{1: true, 2: true, 3: true, 4: true, 5: true, 6: true, 7: true, 8: true, 9: true},
	}
	for _, name := range []string{"old", "new"} {
		c := report.Served[name]
		columns.add(name, countText(int64(c.Users)), countText(int64(c.Texts)), countText(int64(c.Fallbacks)), countText(int64(c.Descriptions)),
			measured(c.DescriptionsPerText, "%.2f"), measured(c.MeanMS, "%.2f ms"), measured(c.P50MS, "%.2f ms"), measured(c.P95MS, "%.2f ms"), measured(c.P99MS, "%.2f ms"))
	}
	columns.write(s.stdout, s.style, "")
}

func measured(value *float64, format string) string {
	if value == nil {
		return unmeasured
	}
	return fmt.Sprintf(format, *value)
}
