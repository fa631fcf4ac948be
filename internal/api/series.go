package api

import (
	"context"
	"fmt"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/store"
)

// maxPoints bounds a series.
const maxPoints = 3000

// steps of a series, and how far back each goes if not told.
var steps = map[string]struct{ step, back time.Duration }{
	"minute": {store.MinuteStep, 2 * time.Hour},
	"hour":   {store.HourStep, 7 * 24 * time.Hour},
	"day":    {store.DayStep, 90 * 24 * time.Hour},
}

type seriesInput struct {
	Window string `query:"window" enum:"stage,rollout" default:"stage" doc:"Only the present split of users, or all of the rollout."`
	Region string `query:"region" doc:"Only this region; all if not given."`
	From   string `query:"from" doc:"From this time on (RFC 3339), rounded to a whole step; 2 hours, 7 days or 90 days before to, by the step, if not given."`
	To     string `query:"to" doc:"Before this time (RFC 3339), rounded likewise; now if not given."`
	Step   string `query:"step" enum:"minute,hour,day" default:"hour" doc:"How much time a point stands for."`
}

type seriesOutput struct{ Body MetricsSeries }

func (a *API) series(ctx context.Context, in *seriesInput) (*seriesOutput, error) {
	query, err := selection(in.Region, in.From, in.To)
	if err != nil {
		return nil, err
	}
	step := steps[in.Step]
	if query.To.IsZero() {
		query.To = a.now().UTC()
	}
	if query.From.IsZero() {
		query.From = query.To.Add(-step.back)
	}
	if n := query.To.Sub(query.From) / step.step; n > maxPoints || n < 0 {
		return nil, badField("step", fmt.Sprintf("from %s to %s are more than %d steps, or none", query.From.Format(time.RFC3339), query.To.Format(time.RFC3339), maxPoints), "ask for less time, or a longer step")
	}
	state, err := a.config.Store.State(ctx)
	if err != nil {
		return nil, err
	}
	query.Rollout = state.Rollout.Name
	if in.Window == "stage" {
		query.Epoch = state.Rollout.Epoch
	}
	body := MetricsSeries{Rollout: query.Rollout, Window: in.Window, Step: in.Step, Region: regionOrNil(query.Region), From: query.From, To: query.To, Points: []MetricsPoint{}}
	a.flush(ctx)
	points, err := a.config.Store.Series(ctx, query, step.step)
	if err != nil {
		return nil, err
	}
	for _, p := range points {
		body.Points = append(body.Points, MetricsPoint{p.Start, stepOf(p.Old), stepOf(p.New)})
	}
	return &seriesOutput{body}, nil
}

func stepOf(c store.Cell) StepMetrics {
	m := StepMetrics{TotalProcessed: c.Counts.Requests, ErrorRate: c.Counts.ErrorRate(), TimeoutRate: c.Counts.TimeoutRate()}
	if c.Tally == nil {
		return m
	}
	s := c.Tally.Summary()
	marks := c.Tally.AllMarks()
	m.AvgProcessingTimeMS, m.P95ProcessingTimeMS = s.AvgMS, s.P95MS
	m.AvgQualityScore, m.F1Score = marks.MeanQuality(), marks.Labels.F1()
	return m
}
