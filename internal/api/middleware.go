package api

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// visit is one request on its way: what the access log tells of it, and the writer of
// its answer. Plain handlers get it as their ResponseWriter, which spares them a copy
// of the request; operations of huma find it in the context.
type visit struct {
	http.ResponseWriter
	id    [1]string // a slice of it is the header
	began time.Time
	// route is nil until the mux has found one. Until then what is written comes from
	// the mux itself, in plain text, and is kept back.
	route  *routed
	actor  string
	status int
	open   bool // let the answer through
}

type visitKey struct{}

func withVisit(ctx context.Context, v *visit) context.Context {
	return context.WithValue(ctx, visitKey{}, v)
}

func requestID(ctx context.Context) string {
	if v, ok := ctx.Value(visitKey{}).(*visit); ok {
		return v.id[0]
	}
	return ""
}

// WriteHeader begins the answer.
func (v *visit) WriteHeader(status int) {
	if v.status == 0 && status >= http.StatusOK {
		v.status = status
	}
	if v.open {
		v.ResponseWriter.WriteHeader(status)
	}
}

// Write goes on with the answer.
func (v *visit) Write(b []byte) (int, error) {
	if !v.open {
		return len(b), nil
	}
	if v.status == 0 {
		v.status = http.StatusOK
	}
	return v.ResponseWriter.Write(b)
}

// Unwrap lets http.ResponseController reach the connection.
func (v *visit) Unwrap() http.ResponseWriter { return v.ResponseWriter }

// Values of headers that every answer has. Nobody appends to them.
var (
	noSniff = []string{"nosniff"}
	noStore = []string{"no-store"}
	isJSON  = []string{"application/json"}
)

// answer is the gate that every request goes through: a request id, the access log,
// recovery from panics, checks of the request's head, and problems for routes that do
// not exist.
func (a *API) answer(w http.ResponseWriter, r *http.Request) {
	v := &visit{ResponseWriter: w, began: time.Now()}
	v.id[0] = chooseRequestID(r.Header["X-Request-Id"])
	h := w.Header()
	h["X-Request-Id"] = v.id[:]
	h["X-Content-Type-Options"] = noSniff
	h["Cache-Control"] = noStore
	defer func() {
		a.afterPanic(recover(), v, r)
		a.logVisit(v, r)
	}()
	if err := checkHead(r); err != nil {
		a.writeProblem(v, r, err)
		return
	}
	a.mux.ServeHTTP(v, r)
	if v.route == nil {
		a.noRoute(v, r)
	}
}

// logVisit names the pattern of the route, never the path or the query, which may
// hold a user id.
func (a *API) logVisit(v *visit, r *http.Request) {
	took := time.Since(v.began)
	a.metrics.visit(v, took)
	ctx, level := r.Context(), v.level()
	if !a.log.Enabled(ctx, level) {
		return
	}
	a.log.LogAttrs(ctx, level, "request", slog.String("method", methodOf(r)), slog.String("route", v.pattern()), slog.Int("status", v.status),
		slog.Float64("ms", float64(took.Microseconds())/1000), slog.String("request_id", v.id[0]), slog.String("actor", v.actor))
}

// pattern is that of the route, since the path of a request may hold anything.
func (v *visit) pattern() string {
	if v.route == nil {
		return "none"
	}
	return v.route.pattern
}

// level keeps the many requests of the data plane and of health checks out of the log
// unless something went wrong with them.
func (v *visit) level() slog.Level {
	switch {
	case v.status >= http.StatusInternalServerError:
		return slog.LevelWarn
	case v.route != nil && v.route.changes:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}

// methodOf keeps made-up methods, which may be anything, out of the log.
func methodOf(r *http.Request) string {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions:
		return r.Method
	}
	return "other"
}

// noRoute answers 404, or 405 with the methods that there are: the mux has said which
// it is.
func (a *API) noRoute(v *visit, r *http.Request) {
	h := v.Header()
	h.Del("Location")
	h.Del("Content-Type")
	if v.status == http.StatusMethodNotAllowed {
		a.writeProblem(v, r, newProblem(http.StatusMethodNotAllowed, codeMethod, methodOf(r)+" is not allowed here", "use "+h.Get("Allow")))
		return
	}
	a.writeProblem(v, r, newProblem(http.StatusNotFound, codeNotFound, "there is no such route", "see /docs for the routes there are"))
}

// afterPanic turns a handler's panic into a problem, logged once with its stack. The
// panic's value is logged only if it is the runtime's own: another may hold a part of
// the request.
func (a *API) afterPanic(reason any, v *visit, r *http.Request) {
	if reason == nil {
		return
	}
	if err, ok := reason.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(reason)
	}
	what := fmt.Sprintf("%T", reason)
	if own, ok := reason.(runtime.Error); ok {
		what = own.Error()
	}
	a.log.ErrorContext(r.Context(), "a handler panicked", "panic", what, "stack", string(debug.Stack()), "request_id", v.id[0], "route", v.pattern())
	if v.status == 0 {
		a.writeProblem(v, r, newProblem(http.StatusInternalServerError, codeInternal, "internal error", "the server's log tells more under this request id"))
	}
}

// routed is what the gate knows of a route.
type routed struct {
	pattern string
	needs   rollout.Permission
	guarded bool
	changes bool  // logged: somebody changes something
	ofrep   bool  // errors in OFREP's shape
	maxBody int64 // bytes
	count   routeInstruments
}
