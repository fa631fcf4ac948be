package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/nlpcanary/nlpcanary/rollout"
)

func unwrap(ctx huma.Context) (*http.Request, http.ResponseWriter) { return humago.Unwrap(ctx) }

// visit is what the access log tells of a request. It travels in the context so that
// handlers can add who asked.
type visit struct {
	id    string
	actor string
}

type visitKey struct{}

func requestID(ctx context.Context) string {
	if v, ok := ctx.Value(visitKey{}).(*visit); ok {
		return v.id
	}
	return ""
}

func noteActor(ctx context.Context, name string) {
	if v, ok := ctx.Value(visitKey{}).(*visit); ok {
		v.actor = name
	}
}

// chain is what every request goes through: a request id, the access log, recovery
// from panics, headers for safety, checks of the request's headers, and problems for
// routes that do not exist.
func (a *API) chain(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := time.Now()
		v := &visit{id: chooseRequestID(r.Header.Get("X-Request-Id"))}
		r = r.WithContext(context.WithValue(r.Context(), visitKey{}, v))
		answer := &recorder{ResponseWriter: w}
		h := w.Header()
		h.Set("X-Request-Id", v.id)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'; frame-ancestors 'none'")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		_, pattern := a.mux.Handler(r)
		defer func() {
			a.afterPanic(recover(), answer, r)
			a.logVisit(r, pattern, answer.status, time.Since(began), v)
		}()
		switch err := checkHeaders(r); {
		case err != nil:
			a.writeProblem(answer, r, err)
		case pattern == "":
			a.noRoute(answer, r)
		default:
			next.ServeHTTP(answer, r)
		}
	})
}

// logVisit names the pattern of the route, never the path or the query, which may
// hold a user id.
func (a *API) logVisit(r *http.Request, pattern string, status int, took time.Duration, v *visit) {
	a.metrics.visit(r.Method, pattern, status, took)
	if pattern == "" {
		pattern = "none"
	}
	level := a.levelOf(pattern, status)
	a.log.Log(r.Context(), level, "request", "method", r.Method, "route", pattern, "status", status,
		"ms", float64(took.Microseconds())/1000, "request_id", v.id, "actor", v.actor)
}

// once is for headers of which a second one would have to be ignored silently.
var once = []string{"Authorization", "Idempotency-Key", "If-Match", "If-None-Match", "Content-Type", "X-Request-Id", "X-User-Id", "Last-Event-Id"}

func checkHeaders(r *http.Request) error {
	for _, name := range once {
		if len(r.Header.Values(name)) > 1 {
			p := newProblem(http.StatusBadRequest, codeInvalid, "the header "+name+" is given more than once", "send it once")
			p.Errors = []ProblemField{{Field: name, Message: p.Detail}}
			return p
		}
	}
	if strings.Contains(r.URL.RawQuery, ";") {
		return newProblem(http.StatusBadRequest, codeInvalid, "the query has a semicolon in it", "separate parameters by &, and write a semicolon as %3B")
	}
	return nil
}

// chooseRequestID takes the caller's id if it is harmless, or draws one.
func chooseRequestID(given string) string {
	if validRequestID(given) {
		return given
	}
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand documents it)
	return hex.EncodeToString(random[:])
}

func validRequestID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for _, c := range id {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("-_.", c) {
			return false
		}
	}
	return true
}

// noRoute answers 404, or 405 with the methods that there are.
func (a *API) noRoute(w http.ResponseWriter, r *http.Request) {
	probe := &discard{header: http.Header{}}
	a.mux.ServeHTTP(probe, r)
	if allowed := probe.header.Get("Allow"); probe.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", allowed)
		a.writeProblem(w, r, newProblem(http.StatusMethodNotAllowed, codeInvalid, r.Method+" is not allowed here", "use "+allowed))
		return
	}
	a.writeProblem(w, r, newProblem(http.StatusNotFound, codeNotFound, "there is no such route", "see /docs for the routes there are"))
}

// afterPanic turns a handler's panic into a problem, logged once with its stack.
func (a *API) afterPanic(reason any, w *recorder, r *http.Request) {
	if reason == nil {
		return
	}
	if err, ok := reason.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(reason)
	}
	a.log.ErrorContext(r.Context(), "a handler panicked", "panic", fmt.Sprintf("%T", reason), "stack", string(debug.Stack()), "request_id", requestID(r.Context()))
	if w.status == 0 {
		a.writeProblem(w, r, newProblem(http.StatusInternalServerError, codeInternal, "internal error", "the server's log tells more under this request id"))
	}
}

// recorder remembers the status.
type recorder struct {
	http.ResponseWriter
	status int
}

func (w *recorder) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *recorder) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// discard takes an answer that is not sent.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }

// route describes an operation.
type route struct {
	method, path, id, summary, about string
	needs                            rollout.Permission
	maxBody                          int64 // bytes; 64 KiB if 0
	status                           int   // of success; 200 if 0
}

// handle registers an operation and turns its errors into problems.
func handle[I, O any](a *API, r route, handler func(context.Context, *I) (*O, error)) {
	if r.maxBody == 0 {
		r.maxBody = 64 << 10
	}
	huma.Register(a.huma, huma.Operation{
		OperationID: r.id, Method: r.method, Path: r.path, Summary: r.summary, Description: r.about,
		Tags: []string{tagOf(r.path)}, MaxBodyBytes: r.maxBody, BodyReadTimeout: -1, DefaultStatus: r.status,
		Metadata: map[string]any{needs: r.needs},
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
