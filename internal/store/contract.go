package store

import (
	"context"
	"errors"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// This file is scaffolding: signatures that other packages compile against until
// the real ones stand in files of their own. It goes away.

var errUnwritten = errors.New("unwritten")

type Store struct{}

var _ follow.Source = (*Store)(nil)

// Open opens "sqlite:PATH" or "postgres://...".
func Open(ctx context.Context, url string, o Options) (*Store, error) { return nil, errUnwritten }
func (s *Store) Close() error                                         { return nil }
func (s *Store) Ping(ctx context.Context) error                       { return errUnwritten }

// Dialect is "sqlite" or "postgres".
func (s *Store) Dialect() string { return "" }

// Location names the database without its password.
func (s *Store) Location() string { return "" }
func (s *Store) Secrets() Secrets { return Secrets{} }
func (s *Store) State(ctx context.Context) (rollout.State, error) {
	return rollout.State{}, errUnwritten
}
func (s *Store) Apply(ctx context.Context, r Request) (Applied, error) {
	return Applied{}, errUnwritten
}

// Reconcile records SQL changes of feature_flags in the audit trail, if there are any.
func (s *Store) Reconcile(ctx context.Context) error { return errUnwritten }
func (s *Store) Renew(ctx context.Context, h follow.Heartbeat) (follow.Renewal, error) {
	return follow.Renewal{}, errUnwritten
}
func (s *Store) Watch(ctx context.Context, wake func()) error      { return errUnwritten }
func (s *Store) Leave(ctx context.Context, instance string) error  { return errUnwritten }
func (s *Store) Instances(ctx context.Context) ([]Instance, error) { return nil, errUnwritten }

// History lists nlp_rollout_config, newest first, and counts all its rows.
func (s *Store) History(ctx context.Context, limit int, before int64) ([]HistoryEntry, int64, error) {
	return nil, 0, errUnwritten
}
func (s *Store) Audit(ctx context.Context, q AuditQuery) ([]AuditEntry, error) {
	return nil, errUnwritten
}

// VerifyAudit checks the whole log; head, if not empty, is an earlier AuditHead.
func (s *Store) VerifyAudit(ctx context.Context, head string) (AuditReport, error) {
	return AuditReport{}, errUnwritten
}

// AuditHead is a signed tree head (golang.org/x/mod/sumdb/note), to be kept elsewhere.
func (s *Store) AuditHead(ctx context.Context) (string, error) { return "", errUnwritten }
func (s *Store) PutTallies(ctx context.Context, producer string, list []outcome.Shipment) error {
	return errUnwritten
}

// Tallies merges the selected tallies for each variant.
func (s *Store) Tallies(ctx context.Context, q OutcomeQuery) (map[rollout.Variant]*outcome.Tally, error) {
	return nil, errUnwritten
}
func (s *Store) PutFeedback(ctx context.Context, f Feedback) error { return errUnwritten }
func (s *Store) FeedbackSums(ctx context.Context, q OutcomeQuery) (map[rollout.Variant]FeedbackSum, error) {
	return nil, errUnwritten
}
