package outcome

import (
	"fmt"
	"time"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// Outcome is what happened to one processed text.
type Outcome struct {
	Rollout string
	// Epoch is the revision at which the split of users began that the text was
	// processed under (rollout.Rollout.Epoch).
	Epoch    int64
	Variant  rollout.Variant
	Region   rollout.Region
	Revision int64
	UserKey  rollout.UserKey
	// Excluded keeps the outcome out of both cohorts: the user was not where the
	// bucket would have put him (pinned by an override, or sent to old because the
	// state was stale or the kill switch off).
	Excluded bool
	// ProcessingTime is how long the decided architecture took, at most MaxTime.
	ProcessingTime time.Duration
	// Error and Timeout are never both true.
	Error, Timeout bool
	// Descriptions is how many were found; 0 to MaxDescriptions.
	Descriptions int
	// Fallback says that old served in the end although new was decided.
	Fallback bool
	// Marks are of feedback that came with the outcome ([Feedback.Marks]); zero for
	// none.
	Marks Marks
}

// Bounds of what one outcome may say.
const (
	MaxTime         = time.Hour
	MaxDescriptions = 100_000
	maxName         = 64
)

// InvalidError is why an outcome or a feedback was refused.
type InvalidError struct {
	Field string // by its JSON name
	Rule  string // what would be right
}

func (e *InvalidError) Error() string { return fmt.Sprintf("%s: %s", e.Field, e.Rule) }

// Validate returns an [InvalidError] for an outcome that cannot be true.
func (o Outcome) Validate() error {
	switch {
	case o.Rollout == "" || len(o.Rollout) > maxName:
		return &InvalidError{"rollout", "is 1 to 64 bytes long"}
	case o.Epoch < 1:
		return &InvalidError{"epoch", "is a revision, 1 or more"}
	case o.Variant != rollout.Old && o.Variant != rollout.New:
		return &InvalidError{"architecture", "is old or new"}
	case len(o.Region) > maxName:
		return &InvalidError{"region", "is at most 64 bytes long"}
	case o.ProcessingTime < 0 || o.ProcessingTime > MaxTime:
		return &InvalidError{"processing_time_ms", "is 0 to 3,600,000"}
	case o.Error && o.Timeout:
		return &InvalidError{"timeout", "and error are not both true: a timeout is counted as a timeout"}
	case o.Descriptions < 0 || o.Descriptions > MaxDescriptions:
		return &InvalidError{"descriptions", "is 0 to 100,000"}
	case o.Fallback && o.Variant != rollout.New:
		return &InvalidError{"fallback", "is only from new to old"}
	case o.Marks != Marks{} && !o.Marks.ofOne():
		return &InvalidError{"marks", "are those of one outcome's feedback"}
	}
	return nil
}

// Minute is a point in time in whole minutes since 1970, UTC.
type Minute int64

// MinuteOf is the minute that a time falls into.
func MinuteOf(at time.Time) Minute { return Minute(at.Unix() / 60) }

// Time is when the minute begins.
func (m Minute) Time() time.Time { return time.Unix(int64(m)*60, 0).UTC() }

// Key says what a tally is the sum of.
type Key struct {
	Rollout string          `json:"rollout"`
	Epoch   int64           `json:"epoch"`
	Variant rollout.Variant `json:"architecture"`
	Region  rollout.Region  `json:"region"`
	Minute  Minute          `json:"minute"`
}
