package store

import (
	"context"
	"database/sql"

	"github.com/nlpcanary/nlpcanary/internal/store/gen"
)

// PutFeedback keeps what somebody said about an outcome. To say the same again
// changes nothing; to say something else gives [ErrFeedbackExists].
func (s *Store) PutFeedback(ctx context.Context, f Feedback) error {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	params := gen.InsertFeedbackParams{
		OutcomeID: f.OutcomeID, Rollout: f.Ticket.Rollout, Epoch: f.Ticket.Epoch, Variant: string(f.Ticket.Variant), Region: string(f.Ticket.Region),
		Excluded: f.Ticket.Excluded, Minute: int64(f.Ticket.Minute), Bucket: int64(f.Ticket.UserKey[0]), Actor: f.Actor,
		Quality: nullable(f.Feedback.Quality), Correct: nullable(f.Feedback.Correct), Wrong: nullable(f.Feedback.Wrong), Missed: nullable(f.Feedback.Missed),
	}
	return again(ctx, func() error {
		q := gen.New(s.write)
		n, err := q.InsertFeedback(ctx, params)
		if err != nil || n > 0 {
			return failed("keeping feedback", err)
		}
		first, err := q.GetFeedback(ctx, f.OutcomeID)
		if err != nil {
			return failed("reading feedback", err)
		}
		if first.Quality != params.Quality || first.Correct != params.Correct || first.Wrong != params.Wrong || first.Missed != params.Missed {
			return ErrFeedbackExists
		}
		return nil
	})
}

func nullable(n *int) sql.NullInt64 {
	if n == nil {
		return sql.NullInt64{}
	}
	return sql.NullInt64{Int64: int64(*n), Valid: true}
}
