package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/nlpcanary/nlpcanary/extract"
	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

const problemType = "application/problem+json"

// Codes of problems that are not a rule's refusal (those carry rollout.Code).
const (
	codeUnauthenticated = "unauthenticated"
	codeTokenExpired    = "token_expired"
	codeInvalid         = string(rollout.CodeInvalid)
	codeNotFound        = string(rollout.CodeNotFound)
	codeDatabase        = "database_unavailable"
	codeWentBack        = "database_went_back"
	codeUnknownOutcome  = "outcome_unknown"
	codeKeyReused       = "idempotency_key_reused"
	codeTooLarge        = "too_large"
	codeMediaType       = "unsupported_media_type"
	codeMethod          = "method_not_allowed"
	codeBadJSON         = "bad_json"
	codeExtraction      = "extraction_failed"
	codeOverloaded      = "overloaded"
	codeNotReady        = "not_ready"
	codeTimeout         = "timeout"
	codeInternal        = "internal"
)

// Error makes a Problem an error.
func (p *Problem) Error() string { return p.Detail }

// GetStatus is the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType is that of problems.
func (p *Problem) ContentType(string) string { return problemType }

// GetHeaders are those that go with the status.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	if p.Status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", `Bearer realm="nlpcanary"`)
	}
	return h
}

func newProblem(status int, code, detail, hint string) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Code: code, Detail: detail, Hint: hint}
}

func badField(field, detail, hint string) *Problem {
	p := newProblem(http.StatusUnprocessableEntity, codeInvalid, detail, hint)
	p.Errors = []ProblemField{{Field: field, Message: detail}}
	return p
}

// preconditionError is a conflict with the revision that If-Match named.
type preconditionError struct{ error }

func (e preconditionError) Unwrap() error { return e.error }

// statuses of refusals; what is not here is 409: the state does not allow it.
var statuses = map[rollout.Code]int{
	rollout.CodeInvalid:   http.StatusUnprocessableEntity,
	rollout.CodeNotFound:  http.StatusNotFound,
	rollout.CodeForbidden: http.StatusForbidden,
}

// quiet are the codes of 5xx that are no news for the log: expected, or logged already.
// The errors of an extraction may quote the text, so it is the dispatcher that logs
// what may be said of them.
var quiet = map[string]bool{codeOverloaded: true, codeNotReady: true, codeExtraction: true}

// problemOf is the one place where an error becomes a problem. Errors that are
// nobody's fault but ours say no more than that; the log has the rest.
func (a *API) problemOf(ctx context.Context, err error) *Problem {
	p := a.classify(err)
	p.RequestID = requestID(ctx)
	if who, known := identityOf(ctx); known && who.Source == rollout.SourceCLI && p.Code == codeDatabase {
		// Who named the database may know what is wrong with it; others would learn
		// about the inside of the network.
		p.Detail = err.Error()
	}
	if p.Status >= http.StatusInternalServerError && !quiet[p.Code] {
		a.log.ErrorContext(ctx, "request failed", "error", err, "status", p.Status, "request_id", p.RequestID)
	}
	return p
}

func (a *API) classify(err error) *Problem {
	var (
		problem  *Problem
		refusal  *rollout.Refusal
		conflict *rollout.ConflictError
		invalid  *outcome.InvalidError
		tooLong  *extract.TooLongError
		tooLarge *http.MaxBytesError
		syntax   *syntaxError
	)
	switch {
	case errors.As(err, &problem):
		return problem
	case errors.As(err, &refusal):
		return refused(refusal)
	case errors.As(err, &conflict):
		return conflicting(conflict, errors.As(err, new(preconditionError)))
	case errors.As(err, &invalid):
		return badField(invalid.Field, invalid.Error(), "")
	case errors.As(err, &tooLarge):
		return newProblem(http.StatusRequestEntityTooLarge, codeTooLarge, fmt.Sprintf("the body is longer than %d bytes", tooLarge.Limit), "send a smaller body")
	case errors.As(err, &syntax):
		p := newProblem(http.StatusBadRequest, codeBadJSON, "the body is not JSON as it should be: "+syntax.Error(), "send one JSON object in UTF-8, each field once")
		if syntax.field != "" {
			p.Errors = []ProblemField{{Field: syntax.field, Message: syntax.message}}
		}
		return p
	case errors.As(err, &tooLong):
		return newProblem(http.StatusRequestEntityTooLarge, codeTooLarge, tooLong.Error(), "send the text in parts")
	case errors.Is(err, extract.ErrInvalidText):
		return badField("text", err.Error(), "send the text as valid UTF-8")
	case errors.Is(err, extract.ErrUnsupportedLanguage):
		return badField("language", err.Error(), "the languages are ru and en")
	case errors.Is(err, outcome.ErrForged), errors.Is(err, outcome.ErrMalformed):
		p := newProblem(http.StatusNotFound, codeNotFound, err.Error(), "use the outcome_id of an extraction, unchanged")
		p.Errors = []ProblemField{{Field: "id", Message: err.Error()}}
		return p
	case errors.Is(err, store.ErrFeedbackExists):
		return newProblem(http.StatusConflict, string(rollout.CodeAlreadyExists), err.Error(), "feedback cannot be changed; the first one counts")
	case errors.Is(err, store.ErrKeyReused):
		return newProblem(http.StatusUnprocessableEntity, codeKeyReused, err.Error(), "use a new Idempotency-Key for a new request")
	case errors.Is(err, store.ErrUnknownOutcome):
		p := newProblem(http.StatusServiceUnavailable, codeUnknownOutcome, "the database did not say whether the change was made", "look at the status, and repeat the change if it was not")
		p.retryAfter = 1
		return p
	case errors.Is(err, follow.ErrWentBack):
		return newProblem(http.StatusServiceUnavailable, codeWentBack, err.Error(), "see 'After a restore' in the runbook; everyone gets old until then")
	case errors.Is(err, store.ErrNotMigrated), errors.Is(err, store.ErrNewerSchema):
		return newProblem(http.StatusServiceUnavailable, codeDatabase, err.Error(), "run 'nlpcanary doctor'")
	case errors.Is(err, store.ErrDatabase):
		p := newProblem(http.StatusServiceUnavailable, codeDatabase, "the database cannot be reached, or failed", "check the database; nothing was changed, and decisions go to old when the lease ends")
		p.retryAfter = 1
		return p
	case errors.Is(err, context.DeadlineExceeded):
		return newProblem(http.StatusGatewayTimeout, codeTimeout, "the request took too long", "try again")
	}
	return newProblem(http.StatusInternalServerError, codeInternal, "internal error", "the server's log tells more under this request id")
}

func refused(r *rollout.Refusal) *Problem {
	status, ok := statuses[r.Code]
	if !ok {
		status = http.StatusConflict
	}
	p := newProblem(status, string(r.Code), r.Message, r.Hint)
	if r.Field != "" {
		p.Errors = []ProblemField{{Field: r.Field, Message: r.Message}}
	}
	return p
}

func conflicting(c *rollout.ConflictError, precondition bool) *Problem {
	status := http.StatusConflict
	if precondition {
		status = http.StatusPreconditionFailed
	}
	p := newProblem(status, string(rollout.CodeConflict), c.Error(), "look at the status and decide again")
	p.CurrentRevision, p.ChangedBy = c.Current, c.LastBy
	return p
}

// humaProblem is how huma's own errors (validation, unknown formats) look.
func humaProblem(ctx huma.Context, status int, msg string, errs ...error) huma.StatusError {
	code := codeInvalid
	if status >= http.StatusInternalServerError {
		code = codeInternal
	}
	p := newProblem(status, code, msg, "")
	if status == http.StatusRequestEntityTooLarge {
		p.Code, p.Hint = codeTooLarge, "send a smaller body"
	}
	if status == http.StatusUnsupportedMediaType {
		p.Hint = "send application/json"
	}
	for _, err := range errs {
		var detailer huma.ErrorDetailer
		switch {
		case err == nil:
		case errors.As(err, &detailer):
			d := detailer.ErrorDetail()
			p.Errors = append(p.Errors, fieldOf(d))
		default:
			p.Errors = append(p.Errors, ProblemField{Message: err.Error()})
		}
	}
	if len(p.Errors) > 0 {
		first := p.Errors[0]
		p.Detail = first.Message
		if first.Field != "" {
			p.Detail = fmt.Sprintf("%s: %s", first.Field, first.Message)
		}
	}
	if ctx != nil {
		p.RequestID = requestID(ctx.Context())
	}
	return p
}

// fieldOf names the field by its path in the body ("stage" for huma's "body.stage").
// The value is not repeated: it may be a user id or a text.
func fieldOf(d *huma.ErrorDetail) ProblemField {
	f := ProblemField{Field: d.Location, Message: d.Message}
	for _, place := range []string{"body", "query", "path", "header"} {
		if rest, found := strings.CutPrefix(d.Location, place); found {
			f.Field = strings.TrimPrefix(rest, ".")
		}
	}
	if name, found := strings.CutPrefix(d.Message, "expected required property "); found {
		name, _, _ = strings.Cut(name, " ")
		f.Field, f.Message = strings.TrimPrefix(f.Field+"."+name, "."), "is required"
	}
	switch d.Message {
	case "unexpected property":
		f.Message = "there is no such field"
	case "unknown query parameter":
		f.Message = "there is no such parameter"
	}
	return f
}

// writeProblem answers with the problem that an error is; under /ofrep/, in the shape
// of that protocol.
func (a *API) writeProblem(w http.ResponseWriter, r *http.Request, err error) {
	v, _ := w.(*visit)
	p := a.problemOf(withVisit(r.Context(), v), err)
	h := w.Header()
	for name, values := range p.GetHeaders() {
		h[name] = values
	}
	var body any = p
	h["Content-Type"] = []string{problemType}
	if v.route != nil && v.route.ofrep {
		body = evaluationError(r.PathValue("key"), p)
		h["Content-Type"] = isJSON
	}
	text, encodeErr := json.Marshal(body)
	if encodeErr != nil {
		a.log.ErrorContext(r.Context(), "encoding a problem", "error", encodeErr)
	}
	v.open, v.status = true, 0
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(text, '\n')) // the reader may have gone
}
