package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/nlpcanary/nlpcanary/attempt"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// Answer is what came of a [Run] and how it came about.
type Answer[T any] = attempt.Answer[T]

// Counted is an answer that knows how many descriptions it holds. They are counted with
// the outcome.
type Counted interface{ Descriptions() int }

// Run calls the architecture that is decided for the user. If new fails, panics or takes
// more than its share of the budget (three fifths), or the user is taken back to old
// while it works, old answers the same call: so it must be free to be done twice. The
// outcome is recorded against the architecture that was decided.
//
// Both get a context that ends with their part of the budget. An old one that ignores it
// is waited for all the same: there is nothing behind it. Run fails only if old fails.
func Run[T any](ctx context.Context, c *Client, user rollout.UserID, old, canary func(context.Context) (T, error)) (Answer[T], error) {
	return attempt.Do(ctx, c.runner, user, attempt.Call[T]{Old: old, New: canary, Descriptions: descriptions[T]})
}

func descriptions[T any](value T) int {
	if counted, ok := any(value).(Counted); ok {
		return counted.Descriptions()
	}
	return 0
}

// Feedback says how good an answer was, by its OutcomeID: from this process or from
// whoever was given the id. To say the same again changes nothing. Servers are asked in
// turn; the error of the last one is returned, a [ServerError] if it refused.
func (c *Client) Feedback(ctx context.Context, outcomeID string, f outcome.Feedback) error {
	if err := f.Validate(); err != nil {
		return fmt.Errorf("giving feedback: %w", err)
	}
	body := struct {
		Quality *int `json:"quality,omitempty"`
		Correct *int `json:"correct,omitempty"`
		Wrong   *int `json:"wrong,omitempty"`
		Missed  *int `json:"missed,omitempty"`
	}{f.Quality, f.Correct, f.Wrong, f.Missed}
	return c.source.each(func(server string) error {
		return c.source.call(ctx, http.MethodPost, server, "/api/v1/outcomes/"+url.PathEscape(outcomeID)+"/feedback", body)
	})
}

// each asks the servers in turn, beginning with the present one, until one has an answer
// that is not about itself.
func (s *source) each(ask func(server string) error) error {
	s.mu.Lock()
	first, servers := s.current, s.servers
	s.mu.Unlock()
	var err error
	for i := range servers {
		err = ask(servers[(first+i)%len(servers)])
		var refused *ServerError
		if err == nil || errors.As(err, &refused) && refused.Status < http.StatusInternalServerError && refused.Status != http.StatusTooManyRequests {
			return err
		}
	}
	return err
}
