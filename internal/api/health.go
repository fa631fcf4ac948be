package api

import (
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Health answers the health checks.
type Health struct {
	Status string `json:"status" enum:"ok,not ready"`
	Reason string `json:"reason,omitempty"`
	// BreakGlass says that everyone is sent to old by the kill file or SIGUSR1.
	BreakGlass bool `json:"break_glass,omitempty"`
}

func (a *API) healthRoutes() {
	a.mux.HandleFunc("GET /livez", a.live)
	a.mux.HandleFunc("GET /readyz", a.ready)
	a.mux.Handle("GET /metrics", promhttp.HandlerFor(a.config.Registry, promhttp.HandlerOpts{}))
	a.describe(&huma.Operation{OperationID: "livez", Method: "GET", Path: "/livez", Tags: []string{"health"}, Summary: "Does the process answer?"}, &Health{})
	a.describe(&huma.Operation{OperationID: "readyz", Method: "GET", Path: "/readyz", Tags: []string{"health"}, Summary: "Does the instance hold a valid lease?",
		Description: "503 without one: decisions are then old, reason STALE."}, &Health{})
	a.describe(&huma.Operation{OperationID: "metrics-prometheus", Method: "GET", Path: "/metrics", Tags: []string{"health"}, Summary: "Metrics for Prometheus",
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{"text/plain": {}}}}}, nil)
}

func (a *API) live(w http.ResponseWriter, r *http.Request) {
	a.writeJSON(w, r, http.StatusOK, Health{Status: "ok"})
}

func (a *API) ready(w http.ResponseWriter, r *http.Request) {
	if a.config.Follower == nil {
		a.writeJSON(w, r, http.StatusServiceUnavailable, Health{Status: "not ready", Reason: "nothing is followed here"})
		return
	}
	s := a.config.Follower.Status()
	if !s.Valid {
		reason := "no valid lease"
		if s.LastError != nil {
			reason += ": " + a.classify(s.LastError).Detail
		}
		a.writeJSON(w, r, http.StatusServiceUnavailable, Health{Status: "not ready", Reason: reason, BreakGlass: s.BreakGlass})
		return
	}
	a.writeJSON(w, r, http.StatusOK, Health{Status: "ok", BreakGlass: s.BreakGlass})
}
