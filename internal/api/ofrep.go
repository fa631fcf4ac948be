package api

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// OFREP, the OpenFeature Remote Evaluation Protocol, version 0.3
// (github.com/open-feature/protocol): evaluation of one flag, and of all. It is on the
// path of every request of its users, so it is decoded and encoded by hand: see
// BenchmarkOFREP.

const ofrepRoot = "/ofrep/v1/evaluate/flags"

// The error codes of OFREP.
const (
	ofrepNoKey   = "TARGETING_KEY_MISSING"
	ofrepContext = "INVALID_CONTEXT"
	ofrepParse   = "PARSE_ERROR"
	ofrepNoFlag  = "FLAG_NOT_FOUND"
	ofrepGeneral = "GENERAL"
)

// Evaluation is OFREP's answer for one flag.
type Evaluation struct {
	Key      string         `json:"key"`
	Value    bool           `json:"value"`
	Variant  string         `json:"variant"`
	Reason   string         `json:"reason"`
	Metadata map[string]any `json:"metadata"`
}

// EvaluationError is OFREP's answer for a flag that could not be evaluated, or for a
// bulk request without a key.
type EvaluationError struct {
	Key          string `json:"key,omitempty"`
	ErrorCode    string `json:"errorCode"`
	ErrorDetails string `json:"errorDetails"`
}

// Evaluations is OFREP's answer for all flags.
type Evaluations struct {
	Flags []Evaluation `json:"flags"`
}

func (a *API) ofrepRoutes() {
	request := &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{
		Type: "object", Properties: map[string]*huma.Schema{"context": {
			Type: "object", Description: "The evaluation context; what is not named here is passed over.",
			Properties: map[string]*huma.Schema{"targetingKey": {Type: "string", Description: "The user id."}},
		}},
	}}}}
	a.direct(huma.Operation{
		OperationID: "ofrep-evaluate", Method: "POST", Path: ofrepRoot + "/{key}", Summary: "Evaluate one flag",
		Description: "The flag " + rollout.KillSwitch + " is true where the user is sent to new.",
		Parameters:  []*huma.Param{{Name: "key", In: "path", Required: true, Schema: &huma.Schema{Type: "string"}}},
		RequestBody: request, Metadata: map[string]any{needs: rollout.Decide}, Responses: a.ofrepErrors(),
	}, &Evaluation{}, a.evaluate)
	a.direct(huma.Operation{
		OperationID: "ofrep-evaluate-all", Method: "POST", Path: ofrepRoot, Summary: "Evaluate all flags",
		Description: "Answers 304 to an If-None-Match that still holds.",
		Parameters:  []*huma.Param{{Name: "If-None-Match", In: "header", Schema: &huma.Schema{Type: "string"}}},
		RequestBody: request, Metadata: map[string]any{needs: rollout.Decide}, Responses: a.ofrepErrors(),
	}, &Evaluations{}, a.evaluateAll)
}

// ofrepErrors describes the errors of OFREP. A route that does not exist, or not with
// that method, still answers a problem.
func (a *API) ofrepErrors() map[string]*huma.Response {
	schemas := a.huma.OpenAPI().Components.Schemas
	out := map[string]*huma.Response{"default": {Description: "Not evaluated", Content: map[string]*huma.MediaType{
		"application/json": {Schema: huma.SchemaFromType(schemas, typeOf(&EvaluationError{}))},
		problemType:        {Schema: huma.SchemaFromType(schemas, typeOf(&Problem{}))},
	}}}
	return out
}

func typeOf(v any) reflect.Type { return reflect.TypeOf(v).Elem() }

// notEvaluated is a failure with a code of OFREP's own.
func notEvaluated(status int, code, details string) *Problem {
	return newProblem(status, code, details, "")
}

// evaluationError puts a problem into OFREP's shape.
func evaluationError(key string, p *Problem) EvaluationError {
	e := EvaluationError{Key: key, ErrorCode: ofrepGeneral, ErrorDetails: p.Detail}
	switch p.Code {
	case ofrepNoKey, ofrepContext, ofrepParse, ofrepNoFlag:
		e.ErrorCode = p.Code
	case codeBadJSON, codeTooLarge, codeMediaType:
		e.ErrorCode = ofrepParse
	}
	if p.Hint != "" {
		e.ErrorDetails += "; " + p.Hint
	}
	return e
}

// buffers hold bodies on their way in and out.
var buffers = sync.Pool{New: func() any {
	b := make([]byte, 0, 2048)
	return &b
}}

// largestBuffer bounds what the pool keeps.
const largestBuffer = 64 << 10

func giveBack(b *[]byte) {
	if cap(*b) <= largestBuffer {
		buffers.Put(b)
	}
}

func (a *API) evaluate(w http.ResponseWriter, r *http.Request) {
	v, _ := w.(*visit)
	buffer, _ := buffers.Get().(*[]byte)
	defer giveBack(buffer)
	target, err := v.readTarget(r, *buffer)
	if err != nil {
		a.writeProblem(w, r, err)
		return
	}
	// The target is copied out of the buffer by now, so the answer may go there.
	text, err := a.appendEvaluation((*buffer)[:0], r.PathValue("key"), target)
	if err != nil {
		a.writeProblem(w, r, err)
		return
	}
	text = append(text, '\n')
	*buffer = text
	w.Header()["Content-Type"] = isJSON
	_, _ = w.Write(*buffer) // the reader may have gone
}

func (a *API) evaluateAll(w http.ResponseWriter, r *http.Request) {
	v, _ := w.(*visit)
	buffer, _ := buffers.Get().(*[]byte)
	defer giveBack(buffer)
	target, err := v.readTarget(r, *buffer)
	if err != nil {
		a.writeProblem(w, r, err)
		return
	}
	text := (*buffer)[:0]
	text = append(text, `{"flags":[`...)
	for i, name := range a.flagNames() {
		if i > 0 {
			text = append(text, ',')
		}
		before := len(text)
		if text, err = a.appendEvaluation(text, name, target); err != nil {
			var failure *Problem
			errors.As(err, &failure)
			text = appendEvaluationError(text[:before], evaluationError(name, failure))
		}
	}
	text = append(text, "]}\n"...)
	*buffer = text
	// The tag is of the whole answer, so it changes whenever any of it would, a lapsed
	// lease included.
	sum := sha256.Sum256(*buffer)
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	w.Header().Set("ETag", tag)
	if given := r.Header["If-None-Match"]; len(given) == 1 && matches(given[0], tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header()["Content-Type"] = isJSON
	_, _ = w.Write(*buffer) // the reader may have gone
}

func matches(header, tag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		if one = strings.TrimPrefix(strings.TrimSpace(one), "W/"); one == tag || one == "*" {
			return true
		}
	}
	return false
}

// target is whom an evaluation is for: the zero one is nobody in particular, for whom
// only flags that do not depend on the user can be evaluated.
type target struct {
	user  rollout.UserID
	given bool
}

func (v *visit) readTarget(r *http.Request, buffer []byte) (target, error) {
	body, err := v.readBody(r, buffer)
	if err != nil {
		return target{}, err
	}
	key, given, err := parseTarget(body)
	if err != nil || !given {
		return target{}, err
	}
	user, err := rollout.ParseUserID(key)
	if err != nil {
		return target{}, notEvaluated(http.StatusBadRequest, ofrepContext, "context.targetingKey: "+err.Error())
	}
	return target{user, true}, nil
}

func (a *API) heldState() *rollout.State {
	if a.config.Follower == nil {
		return nil
	}
	return a.config.Follower.State()
}

// flagNames always has the kill switch, whose evaluation needs no state.
func (a *API) flagNames() []string {
	names := []string{rollout.KillSwitch}
	if state := a.heldState(); state != nil {
		for _, f := range state.Flags {
			if f.Name != rollout.KillSwitch {
				names = append(names, f.Name)
			}
		}
	}
	return names
}

// appendEvaluation evaluates a flag, or returns a problem with a code of OFREP's.
func (a *API) appendEvaluation(text []byte, key string, to target) ([]byte, error) {
	if key == rollout.KillSwitch {
		if !to.given {
			return text, notEvaluated(http.StatusBadRequest, ofrepNoKey, "context.targetingKey, the user id, is missing")
		}
		d := a.decide(to.user)
		a.metrics.decided(d)
		return appendDecided(text, d), nil
	}
	if a.config.Follower == nil {
		return text, notEvaluated(http.StatusServiceUnavailable, codeNotReady, "nothing is followed here")
	}
	s := a.config.Follower.Status()
	if s.State == nil {
		p := notEvaluated(http.StatusServiceUnavailable, codeNotReady, "there is no state yet")
		p.retryAfter = 1
		return text, p
	}
	flag, found := s.State.Flag(key)
	if !found {
		return text, notEvaluated(http.StatusNotFound, ofrepNoFlag, fmt.Sprintf("there is no flag %.40q", key))
	}
	reason := rollout.ReasonStatic
	if !s.Valid {
		reason = rollout.ReasonStale
	}
	return appendFlag(text, flag, reason, s.State.Revision), nil
}
