package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Health answers the health checks.
type Health struct {
	Status string `json:"status" enum:"ok"`
	// BreakGlass says that everyone is sent to old by the kill file or SIGUSR1.
	BreakGlass bool `json:"break_glass,omitempty"`
}

func (a *API) healthRoutes() {
	a.direct(huma.Operation{OperationID: "livez", Method: "GET", Path: "/livez", Summary: "Does the process answer?"}, &Health{}, a.live)
	a.direct(huma.Operation{OperationID: "readyz", Method: "GET", Path: "/readyz", Summary: "Does the instance hold a valid lease?",
		Description: "503 without one: decisions are then old, reason STALE."}, &Health{}, a.ready)
	a.direct(huma.Operation{OperationID: "metrics-prometheus", Method: "GET", Path: "/metrics", Summary: "Metrics for Prometheus",
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{"text/plain": {}}}}}, nil,
		promhttp.HandlerFor(a.config.Registry, promhttp.HandlerOpts{}).ServeHTTP)
}

func (a *API) live(w http.ResponseWriter, r *http.Request) {
	a.writeJSON(w, r, http.StatusOK, Health{Status: "ok"})
}

func (a *API) ready(w http.ResponseWriter, r *http.Request) {
	if a.config.Follower == nil {
		a.writeProblem(w, r, newProblem(http.StatusServiceUnavailable, codeNotReady, "this process is no instance: it follows nothing", "ask a server"))
		return
	}
	s := a.config.Follower.Status()
	if !s.Valid {
		reason := "there is no valid lease"
		if s.LastError != nil {
			reason += ": " + a.classify(s.LastError).Detail
		}
		p := newProblem(http.StatusServiceUnavailable, codeNotReady, reason, "decisions are old, reason STALE, until the database answers again")
		p.retryAfter = 1
		a.writeProblem(w, r, p)
		return
	}
	a.writeJSON(w, r, http.StatusOK, Health{Status: "ok", BreakGlass: s.BreakGlass})
}
