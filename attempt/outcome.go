package attempt

import (
	"context"
	"errors"
	"time"

	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// record keeps what happened. A call that its caller gave up, and an answer that was
// dropped because the user had been taken back, say nothing about the architecture's
// quality: they are neither errors nor timeouts.
func (r *Runner) record(decision rollout.Decision, key rollout.UserKey, took time.Duration, descriptions int, err error) {
	// Before the first state there is no rollout to credit an outcome to.
	if decision.Rollout == "" || errors.Is(err, context.Canceled) {
		return
	}
	timeout := errors.Is(err, context.DeadlineExceeded)
	o := outcome.Outcome{
		Rollout:        decision.Rollout,
		Epoch:          decision.Epoch,
		Variant:        decision.Variant,
		Region:         decision.Region,
		Revision:       decision.Revision,
		UserKey:        key,
		Excluded:       excluded(decision),
		ProcessingTime: took,
		Error:          err != nil && !timeout && !errors.Is(err, ErrLapsed),
		Timeout:        timeout,
		Descriptions:   descriptions,
		Fallback:       err != nil && decision.Variant == rollout.New,
	}
	if addErr := r.config.Recorder.Add(o, time.Now()); addErr != nil {
		r.config.Logger.Error("an outcome was not counted", "error", addErr)
	}
}

// excluded reports whether the user was not where the bucket would have put him:
// pinned, or sent to old because the state was stale or the kill switch off. Such
// users would blur the comparison of the cohorts.
func excluded(d rollout.Decision) bool {
	return d.Reason != rollout.ReasonSplit && d.Reason != rollout.ReasonStatic
}

func (r *Runner) seal(decision rollout.Decision, key rollout.UserKey, at time.Time) string {
	if decision.Rollout == "" {
		return ""
	}
	return r.config.Seal(outcome.Ticket{
		Rollout:  decision.Rollout,
		Epoch:    decision.Epoch,
		Variant:  decision.Variant,
		Region:   decision.Region,
		Minute:   outcome.MinuteOf(at),
		UserKey:  key,
		Excluded: excluded(decision),
	})
}
