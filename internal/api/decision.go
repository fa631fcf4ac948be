package api

import (
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// Decisions are on the path of every request that a user of nlpcanary serves, so they
// and OFREP's evaluations are plain handlers: about a third of the time of a huma
// operation. They are described like the others.

func (a *API) decisionRoutes() {
	a.direct(huma.Operation{
		OperationID: "decision", Method: "GET", Path: "/api/v1/decision",
		Summary:     "The architecture for a user",
		Description: "The user id is in the query, or better in the header X-User-ID, since queries get into the logs of proxies.",
		Parameters: []*huma.Param{
			{Name: "user_id", In: "query", Schema: &huma.Schema{Type: "string"}, Description: "1 to 256 bytes of UTF-8 without control characters."},
			{Name: "X-User-ID", In: "header", Schema: &huma.Schema{Type: "string"}},
		},
		Metadata: map[string]any{needs: rollout.Decide},
	}, &Decision{}, a.decision)
}

func (a *API) decision(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	id := r.Header.Get("X-User-Id")
	for name, values := range query {
		switch {
		case name != "user_id":
			a.writeProblem(w, r, badField(name, "there is no query parameter of this name", "the parameter is user_id"))
			return
		case len(values) > 1 || id != "":
			a.writeProblem(w, r, badField("user_id", "the user id is given more than once", "give it once, as user_id or as X-User-ID"))
			return
		}
		id = values[0]
	}
	user, err := rollout.ParseUserID(id)
	if err != nil {
		a.writeProblem(w, r, err)
		return
	}
	d := a.decide(user)
	a.metrics.decided(d)
	a.writeJSON(w, r, http.StatusOK, Decision{
		Architecture: string(d.Variant), Reason: string(d.Reason), Bucket: bucketBody(d.Bucket),
		Stage: int(d.Stage), Percentage: int(d.Percentage), Revision: d.Revision, Region: string(d.Region),
	})
}

// decide asks the instance; without one there is no lease, and so old it is.
func (a *API) decide(user rollout.UserID) rollout.Decision {
	if a.config.Follower == nil {
		return (*rollout.Plan)(nil).Decide(user)
	}
	return a.config.Follower.Decide(user)
}

func (a *API) writeJSON(w http.ResponseWriter, r *http.Request, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		a.writeProblem(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // the reader may have gone
}
