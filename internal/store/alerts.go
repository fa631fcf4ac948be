package store

import (
	"context"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/store/gen"
)

// Alert is something that is wrong, or was: one for each rule and subject.
type Alert struct {
	Rule string
	// Subject is what it is about, such as an instance; empty if the rule says all.
	Subject  string
	Severity string
	Summary  string
	// Since is when it began to fire, the last time.
	Since time.Time
	// ResolvedAt is when it ended; zero while it fires.
	ResolvedAt time.Time
	// NotifiedAt is when the notifiers were last told of it; zero if never.
	NotifiedAt time.Time
}

// Alerts lists all alerts, firing and resolved, by their beginning.
func (s *Store) Alerts(ctx context.Context) ([]Alert, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	rows, err := gen.New(s.read).ListAlerts(ctx)
	if err != nil {
		return nil, failed("reading alerts", err)
	}
	list := make([]Alert, 0, len(rows))
	for _, row := range rows {
		list = append(list, Alert{
			Rule: row.Rule, Subject: row.Subject, Severity: row.Severity, Summary: row.Summary,
			Since: timeOrZero(row.Since), ResolvedAt: timeOrZero(row.ResolvedAt), NotifiedAt: timeOrZero(row.NotifiedAt),
		})
	}
	return list, nil
}

// PutAlert keeps an alert in place of the one of the same rule and subject.
func (s *Store) PutAlert(ctx context.Context, a Alert) error {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	return again(ctx, func() error {
		return failed("keeping an alert", gen.New(s.write).PutAlert(ctx, gen.PutAlertParams{
			Rule: a.Rule, Subject: a.Subject, Severity: a.Severity, Summary: a.Summary,
			Since: toMicros(a.Since), ResolvedAt: toMicros(a.ResolvedAt), NotifiedAt: toMicros(a.NotifiedAt),
		}))
	})
}

// A time that is not is 0.

func toMicros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

func timeOrZero(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return fromMicros(n)
}
