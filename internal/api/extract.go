package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/nlpcanary/nlpcanary/extract"
	"github.com/nlpcanary/nlpcanary/internal/dispatch"
	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// maxText is the longest text that the API takes, in bytes. Escapes may make its
// JSON longer, so the body may be.
const (
	maxText = 1 << 20
	maxBody = maxText + maxText/4
)

type extractInput struct {
	Body struct {
		UserID   string `json:"user_id" doc:"1 to 256 bytes of UTF-8 without control characters. Never kept or logged."`
		Text     string `json:"text" doc:"At most 1 MiB."`
		Language string `json:"language,omitempty" enum:"ru,en," doc:"ru or en; found out if not given."`
	}
}

type extractOutput struct{ Body Extraction }

type feedbackInput struct {
	ID   string `path:"id" maxLength:"400" doc:"The outcome_id of an extraction."`
	Body struct {
		Quality *int `json:"quality,omitempty" doc:"1 to 10."`
		Correct *int `json:"correct,omitempty" doc:"Descriptions that were found rightly."`
		Wrong   *int `json:"wrong,omitempty" doc:"Descriptions that were found wrongly."`
		Missed  *int `json:"missed,omitempty" doc:"Descriptions that were not found."`
		// The same under the names that reports of outcomes use.
		TruePositives  *int `json:"true_positives,omitempty" doc:"Another name of correct."`
		FalsePositives *int `json:"false_positives,omitempty" doc:"Another name of wrong."`
		FalseNegatives *int `json:"false_negatives,omitempty" doc:"Another name of missed."`
	}
}

// said is the feedback under one set of names.
func (in *feedbackInput) said() (outcome.Feedback, error) {
	b := &in.Body
	f := outcome.Feedback{Quality: b.Quality, Correct: b.Correct, Wrong: b.Wrong, Missed: b.Missed}
	for _, other := range []struct {
		field string
		value *int
		into  **int
	}{{"true_positives", b.TruePositives, &f.Correct}, {"false_positives", b.FalsePositives, &f.Wrong}, {"false_negatives", b.FalseNegatives, &f.Missed}} {
		if other.value == nil {
			continue
		}
		if *other.into != nil {
			return f, &outcome.InvalidError{Field: other.field, Rule: "is given under two names"}
		}
		*other.into = other.value
	}
	return f, f.Validate()
}

type feedbackOutput struct {
	Body struct {
		Message      string `json:"message"`
		Architecture string `json:"architecture"`
	}
}

func (a *API) extractRoutes() {
	handle(a, route{method: "POST", path: "/api/v1/extract", id: "extract", needs: rollout.Report, maxBody: maxBody,
		summary: "Extract descriptions from a text with the architecture of the user's cohort",
		about:   "If new fails or is too slow, old answers within the same request."}, a.extraction)
	handle(a, route{method: "POST", path: "/api/v1/outcomes/{id}/feedback", id: "feedback", needs: rollout.Report,
		summary: "Say how good an extraction was"}, a.feedback)
}

func (a *API) extraction(ctx context.Context, in *extractInput) (*extractOutput, error) {
	if a.config.Dispatcher == nil {
		return nil, newProblem(http.StatusServiceUnavailable, codeOverloaded, "no architecture runs here", "ask a server")
	}
	user, err := rollout.ParseUserID(in.Body.UserID)
	if err != nil {
		return nil, err
	}
	if n := len(in.Body.Text); n > maxText {
		return nil, &extract.TooLongError{Bytes: n, Limit: maxText}
	}
	leave, err := a.extract.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	doc := extract.Document{Language: extract.Language(in.Body.Language), Text: in.Body.Text}
	answer, err := a.config.Dispatcher.Extract(ctx, user, doc)
	if err != nil {
		a.metrics.extracted(answer, err)
		return nil, extractionError(err)
	}
	a.metrics.extracted(answer, nil)
	return &extractOutput{extractionBody(doc.Text, answer)}, nil
}

// extractionError is a text's own fault, a timeout, or a failure of the architectures,
// whose words may quote the text and are not repeated.
func extractionError(err error) error {
	var tooLong *extract.TooLongError
	switch {
	case errors.Is(err, extract.ErrInvalidText), errors.Is(err, extract.ErrUnsupportedLanguage), errors.As(err, &tooLong):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		p := newProblem(http.StatusGatewayTimeout, codeTimeout, "no architecture answered in time", "try again, or send a shorter text")
		return p
	}
	return newProblem(http.StatusInternalServerError, codeExtraction, "no architecture could read this text", "the server's log tells more; the outcome is counted")
}

func extractionBody(text string, answer dispatch.Answer) Extraction {
	d := answer.Decision
	e := Extraction{
		Architecture: string(answer.Served), Reason: string(d.Reason), Bucket: bucketBody(d.Bucket), Stage: int(d.Stage), Revision: d.Revision,
		Fallback: answer.Fallback, FallbackReason: answer.FallbackReason, OutcomeID: answer.OutcomeID,
		ProcessingTimeMS: float64(answer.ProcessingTime.Microseconds()) / 1000,
		Language:         string(answer.Value.Language), Descriptions: []Description{},
	}
	for _, f := range answer.Value.Degraded {
		e.Degraded = append(e.Degraded, fmt.Sprintf("%s: %s", f.Processor, f.Reason))
	}
	spans := extract.RuneSpans(text, answer.Value.Descriptions)
	for i, d := range answer.Value.Descriptions {
		e.Descriptions = append(e.Descriptions, Description{
			Type: string(d.Type), Text: d.Content, Start: spans[i].Start, End: spans[i].End, StartByte: d.Start, EndByte: d.End,
			Confidence: d.Confidence, Priority: d.Priority, Quality: d.Quality, Sources: orEmpty(d.Sources), Consensus: d.Consensus,
		})
	}
	return e
}

func bucketBody(b rollout.Bucket) *int {
	if b == rollout.NoBucket {
		return nil
	}
	n := int(b)
	return &n
}

func (a *API) feedback(ctx context.Context, in *feedbackInput) (*feedbackOutput, error) {
	if err := a.config.Store.Absence(); err != nil {
		return nil, err // whose id it is cannot be told yet
	}
	ticket, err := a.config.Sealer.Open(in.ID)
	if err != nil {
		return nil, err
	}
	if err := a.checkTicket(ctx, ticket); err != nil {
		return nil, err
	}
	said, err := in.said()
	if err != nil {
		return nil, err
	}
	err = a.config.Store.PutFeedback(ctx, store.Feedback{OutcomeID: in.ID, Ticket: ticket, Feedback: said, Actor: actor(ctx).Name})
	if err != nil {
		return nil, err
	}
	out := &feedbackOutput{}
	out.Body.Message = "Thank you: it is credited to the architecture that was decided for the text."
	out.Body.Architecture = string(ticket.Variant)
	return out, nil
}
