package api

import (
	"context"
	"fmt"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/advisor"
	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

func (a *API) metricsRoutes() {
	handle(a, route{method: "GET", path: canary + "metrics", id: "metrics", needs: rollout.View,
		summary: "What was measured of each architecture",
		about:   "What has not been measured is null. Users pinned by an override, and texts served while the kill switch was off or the state stale, are in neither cohort."}, a.measured)
	handle(a, route{method: "GET", path: canary + "metrics/series", id: "metrics-series", needs: rollout.View,
		summary: "What was measured of each architecture, step by step in time",
		about:   "For charts. Steps in which nothing was measured are left out. Of single minutes that are more than two days old only total_processed, error_rate and timeout_rate are known."}, a.series)
}

type metricsInput struct {
	Window string `query:"window" enum:"stage,rollout" default:"stage" doc:"Since the present split of users began, or since the rollout began."`
	Region string `query:"region" doc:"Only this region; all if not given."`
	From   string `query:"from" doc:"Only from this time on (RFC 3339), to the minute; to the hour where it is more than two days ago."`
	To     string `query:"to" doc:"Only before this time (RFC 3339), rounded likewise."`
}

type metricsOutput struct{ Body Metrics }

func (a *API) measured(ctx context.Context, in *metricsInput) (*metricsOutput, error) {
	query, err := selection(in.Region, in.From, in.To)
	if err != nil {
		return nil, err
	}
	state, err := a.config.Store.State(ctx)
	if err != nil {
		return nil, err
	}
	r := state.Rollout
	m := Metrics{Rollout: r.Name, Stage: int(r.Stage), Window: in.Window, Since: r.StartedAt, Timestamp: a.now().UTC(), Region: regionOrNil(query.Region), From: timeOrNil(query.From), To: timeOrNil(query.To)}
	query.Rollout = r.Name
	if in.Window == "stage" {
		query.Epoch, m.Since = r.Epoch, r.EpochSince
	}
	w, err := a.window(ctx, query)
	if err != nil {
		return nil, err
	}
	oldName, newName := a.names(r)
	m.OldArchitecture, m.NewArchitecture = architecture(oldName, cohortOf(w.Old)), architecture(newName, cohortOf(w.New))
	m.Comparison = []Comparison{}
	// Intervals hold at every look at a whole stage; not at a time that was picked, and
	// stages are never put together.
	if in.Window == "stage" && query.From.IsZero() && query.To.IsZero() {
		m.Comparison = comparisonOf(state, w, a.now())
	}
	// The gold set knows no regions and no times of day.
	if query.Region == nil && query.From.IsZero() && query.To.IsZero() {
		pairs, err := a.config.Store.GoldPairs(ctx, r.Name)
		if err != nil {
			return nil, err
		}
		byGold(&m.OldArchitecture, &m.NewArchitecture, pairs)
	}
	return &metricsOutput{Body: m}, nil
}

// selection reads what a query selects.
func selection(region, from, to string) (store.OutcomeQuery, error) {
	var query store.OutcomeQuery
	if region != "" {
		name, err := rollout.ParseRegion(region)
		if err != nil {
			return query, err
		}
		query.Region = &name
	}
	for _, bound := range []struct {
		name, text string
		into       *time.Time
	}{{"from", from, &query.From}, {"to", to, &query.To}} {
		if bound.text == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339, bound.text)
		if err != nil || at.Year() < 1970 || at.Year() > 2200 {
			return query, badField(bound.name, bound.name+" is not a time", "write it like 2030-01-02T15:04:05Z (RFC 3339)")
		}
		*bound.into = at.UTC()
	}
	if !query.From.IsZero() && !query.To.IsZero() && !query.From.Before(query.To) {
		return query, badField("to", "to is not after from", "from is the earlier time")
	}
	return query, nil
}

func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func regionOrNil(r *rollout.Region) *string {
	if r == nil {
		return nil
	}
	name := string(*r)
	return &name
}

func comparisonOf(state rollout.State, w outcome.Window, at time.Time) []Comparison {
	in := advisor.Input{At: at, State: state, Window: w}
	in.Judge(nil, nil)
	list := []Comparison{}
	for _, f := range in.Report.Findings {
		list = append(list, Comparison{
			Metric: string(f.Metric), Old: intervalOf(f.Old), New: intervalOf(f.New), Difference: intervalOf(f.Difference), Change: intervalOf(f.Change),
		})
	}
	return list
}

// cohort is what is known of the users on one architecture.
type cohort struct {
	outcome.Summary
	labels   outcome.Labels
	labelled int64    // texts
	quality  *float64 // mean mark, 1 to 10
}

func cohortOf(c outcome.Cohort) cohort {
	m := cohort{}
	m.Summary = c.Tally.Summary()
	sum := c.Tally.AllMarks()
	m.labels, m.labelled, m.quality = sum.Labels, sum.Labelled, sum.MeanQuality()
	return m
}

// window is what was measured. It is shared: nobody may change it.
func (a *API) window(ctx context.Context, query store.OutcomeQuery) (outcome.Window, error) {
	return a.counted.get(ctx, selectionKey(query), func(ctx context.Context) (outcome.Window, error) {
		a.flush(ctx)
		return a.config.Store.Window(ctx, query)
	})
}

// selectionKey tells selections apart.
func selectionKey(q store.OutcomeQuery) string {
	region := "all"
	if q.Region != nil {
		region = "in " + string(*q.Region)
	}
	return fmt.Sprint(q.Rollout, " ", q.Epoch, " ", region, " ", q.From.Unix(), " ", q.To.Unix())
}

func architecture(name string, m cohort) ArchitectureMetrics {
	s := m.Summary
	var source *string
	if m.labelled > 0 {
		users := "users"
		source = &users
	}
	return ArchitectureMetrics{
		F1Source: source,
		Name:     name, F1Score: m.labels.F1(), Precision: m.labels.Precision(), Recall: m.labels.Recall(),
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
