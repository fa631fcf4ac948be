package api

import (
	"context"
	"fmt"

	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

func (a *API) metricsRoutes() {
	handle(a, route{method: "GET", path: canary + "metrics", id: "metrics", needs: rollout.View,
		summary: "What was measured of each architecture",
		about:   "What has not been measured is null. Users pinned by an override, and texts served while the kill switch was off or the state stale, are in neither cohort."}, a.measured)
}

type metricsInput struct {
	Window string `query:"window" enum:"stage,rollout" default:"stage" doc:"Since the present split of users began, or since the rollout began."`
}

type metricsOutput struct{ Body Metrics }

func (a *API) measured(ctx context.Context, in *metricsInput) (*metricsOutput, error) {
	state, err := a.config.Store.State(ctx)
	if err != nil {
		return nil, err
	}
	r := state.Rollout
	query := store.OutcomeQuery{Rollout: r.Name}
	m := Metrics{Rollout: r.Name, Stage: int(r.Stage), Window: in.Window, Since: r.StartedAt, Timestamp: a.now().UTC()}
	if in.Window == "stage" {
		query.Epoch, m.Since = r.Epoch, r.EpochSince
	}
	old, canary, err := a.measure(ctx, query)
	if err != nil {
		return nil, err
	}
	oldName, newName := a.names(r)
	m.OldArchitecture, m.NewArchitecture = architecture(oldName, old), architecture(newName, canary)
	return &metricsOutput{Body: m}, nil
}

// cohort is what is known of the users on one architecture.
type cohort struct {
	outcome.Summary
	labels   outcome.Labels
	labelled int64    // texts
	quality  *float64 // mean mark, 1 to 10
}

func (a *API) measure(ctx context.Context, query store.OutcomeQuery) (old, canary cohort, err error) {
	w, err := a.window(ctx, query)
	if err != nil {
		return old, canary, err
	}
	return cohortOf(w.Old), cohortOf(w.New), nil
}

func cohortOf(c outcome.Cohort) cohort {
	m := cohort{}
	m.Summary = c.Tally.Summary()
	var sum outcome.Marks
	for _, marks := range c.Marks {
		sum.Add(marks)
	}
	m.labels, m.labelled = sum.Labels, sum.Labelled
	if sum.Rated > 0 {
		mean := float64(sum.Quality) / float64(sum.Rated)
		m.quality = &mean
	}
	return m
}

// window is what was measured. It is shared: nobody may change it.
func (a *API) window(ctx context.Context, query store.OutcomeQuery) (outcome.Window, error) {
	return a.counted.get(ctx, fmt.Sprint(query.Rollout, " ", query.Epoch), func(ctx context.Context) (outcome.Window, error) {
		a.flush(ctx)
		return a.config.Store.Window(ctx, query)
	})
}

func architecture(name string, m cohort) ArchitectureMetrics {
	s := m.Summary
	return ArchitectureMetrics{
		Name: name, F1Score: m.labels.F1(), Precision: m.labels.Precision(), Recall: m.labels.Recall(),
		AvgQualityScore: m.quality, AvgProcessingTimeMS: s.AvgMS,
		P50ProcessingTimeMS: s.P50MS, P95ProcessingTimeMS: s.P95MS, P99ProcessingTimeMS: s.P99MS,
		ErrorRate: s.ErrorRate, TimeoutRate: s.TimeoutRate, TotalProcessed: s.Total,
		Descriptions: s.Descriptions, Labelled: m.labelled, Users: s.Users,
	}
}

// flush may fail: then the outcomes are stored later, and what is stored is shown.
func (a *API) flush(ctx context.Context) {
	if a.config.Flush == nil {
		return
	}
	if err := a.config.Flush(ctx); err != nil {
		a.log.DebugContext(ctx, "outcomes are not stored yet", "error", err)
	}
}
