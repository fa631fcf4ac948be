package api

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// OFREP, the OpenFeature Remote Evaluation Protocol, version 0.3
// (github.com/open-feature/protocol): evaluation of one flag, and of all.

const ofrepRoot = "/ofrep/v1/evaluate/flags"

// maxOFREP bounds an evaluation context, in bytes.
const maxOFREP = 64 << 10

// The error codes of OFREP.
const (
	ofrepNoKey   = "TARGETING_KEY_MISSING"
	ofrepContext = "INVALID_CONTEXT"
	ofrepParse   = "PARSE_ERROR"
	ofrepNoFlag  = "FLAG_NOT_FOUND"
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

type evaluationRequest struct {
	Context struct {
		TargetingKey *string `json:"targetingKey"`
	} `json:"context"`
}

func (a *API) ofrepRoutes() {
	a.mux.HandleFunc("POST "+ofrepRoot+"/{key}", a.guard(rollout.Decide, a.evaluate))
	a.mux.HandleFunc("POST "+ofrepRoot, a.guard(rollout.Decide, a.evaluateAll))
	request := &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{
		Type: "object", Properties: map[string]*huma.Schema{"context": {Type: "object", Properties: map[string]*huma.Schema{"targetingKey": {Type: "string", Description: "The user id."}}}},
	}}}}
	a.describe(&huma.Operation{
		OperationID: "ofrep-evaluate", Method: "POST", Path: ofrepRoot + "/{key}", Tags: []string{"OFREP"}, Summary: "Evaluate one flag",
		Description: "The flag " + rollout.KillSwitch + " is true where the user is sent to new.",
		Parameters:  []*huma.Param{{Name: "key", In: "path", Required: true, Schema: &huma.Schema{Type: "string"}}},
		RequestBody: request, Metadata: map[string]any{needs: rollout.Decide},
		Responses: ofrepErrors(a, "400", "404"),
	}, &Evaluation{})
	a.describe(&huma.Operation{
		OperationID: "ofrep-evaluate-all", Method: "POST", Path: ofrepRoot, Tags: []string{"OFREP"}, Summary: "Evaluate all flags",
		Description: "Answers 304 to an If-None-Match that still holds.",
		Parameters:  []*huma.Param{{Name: "If-None-Match", In: "header", Schema: &huma.Schema{Type: "string"}}},
		RequestBody: request, Metadata: map[string]any{needs: rollout.Decide},
		Responses: ofrepErrors(a, "400"),
	}, &Evaluations{})
}

func ofrepErrors(a *API, statuses ...string) map[string]*huma.Response {
	out := map[string]*huma.Response{}
	schema := huma.SchemaFromType(a.huma.OpenAPI().Components.Schemas, typeOf(&EvaluationError{}))
	for _, status := range statuses {
		out[status] = &huma.Response{Description: "Not evaluated", Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}
	}
	return out
}

func typeOf(v any) reflect.Type { return reflect.TypeOf(v).Elem() }

func (a *API) evaluate(w http.ResponseWriter, r *http.Request) {
	key := r.PathValue("key")
	user, failed := readContext(w, r)
	if failed != nil {
		failed.Key = key
		a.writeJSON(w, r, http.StatusBadRequest, failed)
		return
	}
	evaluation, found := a.evaluateFlag(key, user)
	if !found {
		a.writeJSON(w, r, http.StatusNotFound, EvaluationError{Key: key, ErrorCode: ofrepNoFlag, ErrorDetails: fmt.Sprintf("there is no flag %.40q", key)})
		return
	}
	a.writeJSON(w, r, http.StatusOK, evaluation)
}

func (a *API) evaluateAll(w http.ResponseWriter, r *http.Request) {
	user, failed := readContext(w, r)
	if failed != nil {
		a.writeJSON(w, r, http.StatusBadRequest, failed)
		return
	}
	all := Evaluations{Flags: []Evaluation{}}
	for _, name := range a.flagNames() {
		if e, found := a.evaluateFlag(name, user); found {
			all.Flags = append(all.Flags, e)
		}
	}
	body, err := json.Marshal(all)
	if err != nil {
		a.writeProblem(w, r, err)
		return
	}
	// The tag is of the whole answer, so it changes whenever any of it would, a lapsed
	// lease included.
	sum := sha256.Sum256(body)
	tag := `"` + hex.EncodeToString(sum[:12]) + `"`
	w.Header().Set("ETag", tag)
	if matches(r.Header.Get("If-None-Match"), tag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(append(body, '\n')) // the reader may have gone
}

func matches(header, tag string) bool {
	for one := range strings.SplitSeq(header, ",") {
		if one = strings.TrimPrefix(strings.TrimSpace(one), "W/"); one == tag || one == "*" {
			return true
		}
	}
	return false
}

// readContext reads the user from an evaluation request. Whatever else the context
// holds is for other flag systems and is passed over.
func readContext(w http.ResponseWriter, r *http.Request) (rollout.UserID, *EvaluationError) {
	bad := func(code, details string) (rollout.UserID, *EvaluationError) {
		return "", &EvaluationError{ErrorCode: code, ErrorDetails: details}
	}
	if kind := r.Header.Get("Content-Type"); kind != "" {
		if media, _, err := mime.ParseMediaType(kind); err != nil || media != "application/json" {
			return bad(ofrepParse, "the body must be application/json")
		}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxOFREP))
	if err != nil {
		var tooLarge *http.MaxBytesError
		if errors.As(err, &tooLarge) {
			return bad(ofrepParse, fmt.Sprintf("the body is larger than %d bytes", maxOFREP))
		}
		return bad(ofrepParse, "the body could not be read")
	}
	var request evaluationRequest
	if err := unmarshalStrictly(body, &request); err != nil {
		return bad(ofrepParse, err.Error())
	}
	if request.Context.TargetingKey == nil || *request.Context.TargetingKey == "" {
		return bad(ofrepNoKey, "context.targetingKey, the user id, is missing")
	}
	user, err := rollout.ParseUserID(*request.Context.TargetingKey)
	if err != nil {
		return bad(ofrepContext, "context.targetingKey: "+err.Error())
	}
	return user, nil
}

func (a *API) heldState() *rollout.State {
	if a.config.Follower == nil {
		return nil
	}
	return a.config.Follower.State()
}

// flagNames always has the kill switch, whose evaluation needs no state.
func (a *API) flagNames() []string {
	state := a.heldState()
	names := []string{}
	if state != nil {
		for _, f := range state.Flags {
			if f.Name != rollout.KillSwitch {
				names = append(names, f.Name)
			}
		}
	}
	return append(names, rollout.KillSwitch)
}

func (a *API) evaluateFlag(key string, user rollout.UserID) (Evaluation, bool) {
	if key == rollout.KillSwitch {
		d := a.decide(user)
		a.metrics.decided(d)
		return Evaluation{
			Key: key, Value: d.Variant == rollout.New, Variant: string(d.Variant), Reason: string(d.Reason),
			Metadata: map[string]any{
				"stage": int(d.Stage), "stage_name": d.Stage.String(), "percentage": int(d.Percentage),
				"bucket": int(d.Bucket), "revision": d.Revision, "region": string(d.Region),
			},
		}, true
	}
	state := a.heldState()
	if state == nil {
		return Evaluation{}, false
	}
	flag, found := state.Flag(key)
	if !found {
		return Evaluation{}, false
	}
	variant := "off"
	if flag.Enabled {
		variant = "on"
	}
	return Evaluation{Key: key, Value: flag.Enabled, Variant: variant, Reason: string(rollout.ReasonStatic), Metadata: map[string]any{"revision": state.Revision}}, true
}
