package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// maxAdminBody bounds the bodies of changes, and of evaluation contexts.
const maxAdminBody = 64 << 10

// bodyWithin is how long a body may take to arrive.
const bodyWithin = 30 * time.Second

// route describes an operation of huma's.
type route struct {
	method, path, id, summary, about string
	needs                            rollout.Permission
	maxBody                          int64 // bytes; maxAdminBody if 0
	status                           int   // of success; 200 if 0
}

// handle registers an operation and turns its errors into problems.
func handle[I, O any](a *API, r route, handler func(context.Context, *I) (*O, error)) {
	if r.maxBody == 0 {
		r.maxBody = maxAdminBody
	}
	huma.Register(a.huma, huma.Operation{
		OperationID: r.id, Method: r.method, Path: r.path, Summary: r.summary, Description: r.about,
		// The gate reads the body before huma does, within its own bounds.
		Tags: []string{tagOf(r.path)}, MaxBodyBytes: -1, BodyReadTimeout: -1, DefaultStatus: r.status,
		Metadata: map[string]any{needs: r.needs, bounds: r.maxBody},
		Security: []map[string][]string{{bearer: {}}},
		Errors:   []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusUnprocessableEntity, http.StatusServiceUnavailable},
	}, func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, in)
		if err != nil {
			return nil, a.problemOf(ctx, err)
		}
		return out, nil
	})
}

// Keys of an operation's metadata: its permission (none: open to everybody), and the
// bound of its body.
const (
	needs  = "permission"
	bounds = "max body"
)

func tagOf(path string) string {
	switch {
	case strings.HasPrefix(path, "/api/v1/admin/"):
		return "admin"
	case strings.HasPrefix(path, "/ofrep/"):
		return "OFREP"
	case strings.HasPrefix(path, "/api/"):
		return "data"
	}
	return "health"
}

// direct registers a handler outside of huma, for what must be fast or is no JSON, and
// describes it. The answer is a pointer to what it answers with; nil if that is no JSON.
func (a *API) direct(op huma.Operation, answer any, handler http.HandlerFunc) {
	op.Tags = []string{tagOf(op.Path)}
	rt := a.newRoute(&op)
	a.describe(&op, answer)
	a.mux.HandleFunc(rt.pattern, func(w http.ResponseWriter, r *http.Request) {
		v, _ := w.(*visit)
		v.route, v.open, v.status = rt, true, 0
		if rt.guarded {
			who, err := a.admit(r, rt.needs)
			if err != nil {
				a.writeProblem(v, r, err)
				return
			}
			v.actor = who.Name
		}
		handler(v, r)
	})
}

func (a *API) newRoute(op *huma.Operation) *routed {
	rt := &routed{
		pattern: op.Method + " " + op.Path,
		ofrep:   strings.HasPrefix(op.Path, "/ofrep/"),
		changes: op.Method != http.MethodGet && tagOf(op.Path) == "admin",
		maxBody: maxAdminBody,
	}
	rt.needs, rt.guarded = op.Metadata[needs].(rollout.Permission)
	if n, set := op.Metadata[bounds].(int64); set {
		rt.maxBody = n
	}
	rt.count = a.metrics.route(rt.pattern)
	return rt
}

// describe adds a plain handler's operation to the API's description.
func (a *API) describe(op *huma.Operation, answer any) {
	schemas := a.huma.OpenAPI().Components.Schemas
	content := func(kind string, of any) map[string]*huma.MediaType {
		return map[string]*huma.MediaType{kind: {Schema: huma.SchemaFromType(schemas, typeOf(of))}}
	}
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	if answer != nil {
		op.Responses["200"] = &huma.Response{Description: "OK", Content: content("application/json", answer)}
	}
	if _, guarded := op.Metadata[needs]; guarded {
		op.Security = []map[string][]string{{bearer: {}}}
	}
	if _, set := op.Responses["default"]; !set {
		op.Responses["default"] = &huma.Response{Description: "A problem", Content: content(problemType, &Problem{})}
	}
	a.huma.OpenAPI().AddOperation(op)
}

// humaRoutes lets huma register its operations behind the gate.
type humaRoutes struct{ api *API }

// Handle registers an operation.
func (h humaRoutes) Handle(op *huma.Operation, handler func(huma.Context)) {
	rt := h.api.newRoute(op)
	h.api.mux.HandleFunc(rt.pattern, func(w http.ResponseWriter, r *http.Request) {
		v, _ := w.(*visit)
		v.route, v.open, v.status = rt, true, 0
		who, err := h.api.admit(r, rt.needs)
		if err == nil {
			v.actor = who.Name
			err = h.api.prepareBody(v, r)
		}
		if err != nil {
			h.api.writeProblem(v, r, err)
			return
		}
		r = r.WithContext(withVisit(WithIdentity(r.Context(), who), v))
		handler(humago.NewContext(op, r, v))
	})
}

// ServeHTTP is part of huma.Adapter.
func (h humaRoutes) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.api.answer(w, r) }

// prepareBody reads the body of an operation of huma's and checks its JSON. No body is
// an empty object, so that the answer names the fields that are missing.
func (a *API) prepareBody(v *visit, r *http.Request) error {
	if r.Method == http.MethodGet || r.Method == http.MethodHead || r.Method == http.MethodDelete {
		return nil
	}
	control := http.NewResponseController(v)
	// Not every writer has deadlines: one in process has none, and no slow sender.
	_ = control.SetReadDeadline(time.Now().Add(bodyWithin))
	body, err := v.readBody(r, nil)
	if err != nil {
		return err
	}
	// What waits for instances may take longer than a body, and a deadline that passes
	// meanwhile would look like a reader who has gone.
	_ = control.SetReadDeadline(time.Time{})
	if len(body) == 0 {
		body = []byte("{}")
	}
	if err := checkJSON(body); err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.Header.Del("Content-Type") // it was checked, and huma would take "x/y+json" as well
	return nil
}

// readBody reads a JSON body, into buf if it fits.
func (v *visit) readBody(r *http.Request, buf []byte) ([]byte, error) {
	limit, size := v.route.maxBody, r.ContentLength
	if size > limit {
		return nil, &http.MaxBytesError{Limit: limit}
	}
	if size != 0 && !isJSONType(r.Header["Content-Type"]) {
		return nil, newProblem(http.StatusUnsupportedMediaType, codeMediaType, "the body's Content-Type is not JSON", "send application/json, in UTF-8")
	}
	if size > 0 && size <= int64(cap(buf)) {
		_, err := io.ReadFull(r.Body, buf[:size])
		return buf[:size], bodyError(err)
	}
	body, err := io.ReadAll(http.MaxBytesReader(v.ResponseWriter, r.Body, limit))
	return body, bodyError(err)
}

func bodyError(err error) error {
	var tooLarge *http.MaxBytesError
	if err == nil || errors.As(err, &tooLarge) {
		return err
	}
	return newProblem(http.StatusBadRequest, codeInvalid, "the body could not be read to its end", "send as many bytes as Content-Length says, in good time")
}

// isJSONType: a body without a type counts as JSON.
func isJSONType(given []string) bool {
	if len(given) == 0 || given[0] == "application/json" {
		return true
	}
	kind, parameters, err := mime.ParseMediaType(given[0])
	charset, named := parameters["charset"]
	return err == nil && kind == "application/json" && (!named || strings.EqualFold(charset, "utf-8"))
}
