package api

import (
	"encoding/json"
	"time"
)

// The JSON bodies of the API. Field names are fixed points of the product; what
// has not been measured is null, never 0.

// Status answers GET /api/v1/admin/nlp-canary/status.
type Status struct {
	Rollout    string `json:"rollout"`
	OldName    string `json:"old_architecture_name"`
	NewName    string `json:"new_architecture_name"`
	Stage      int    `json:"stage"`
	StageName  string `json:"stage_name"`
	Percentage int    `json:"percentage"`
	// TotalUsers is how many different users this rollout has seen, counted by
	// HyperLogLog (about 2 % standard error).
	TotalUsers            *int64     `json:"total_users"`
	EstimatedUsersNewArch *int64     `json:"estimated_users_new_arch"`
	EstimatedUsersOldArch *int64     `json:"estimated_users_old_arch"`
	CacheSize             int        `json:"cache_size"`
	LastUpdated           time.Time  `json:"last_updated"`
	UpdatedBy             string     `json:"updated_by"`
	Notes                 string     `json:"notes"`
	FeatureFlagEnabled    bool       `json:"feature_flag_enabled"`
	EffectivePercentage   int        `json:"effective_percentage" doc:"The percentage, or 0 while the kill switch is off."`
	Latched               bool       `json:"latched" doc:"Rolled back: nothing automatic advances until a person does."`
	Finalised             bool       `json:"finalised"`
	Overrides             int        `json:"overrides"`
	Revision              int64      `json:"revision"`
	Region                string     `json:"region"`
	SoakEndsAt            *time.Time `json:"soak_ends_at"`
	Instances             []Instance `json:"instances"`
	// Architectures are of the instance that answers; null from a command straight on the database.
	Architectures *Architectures `json:"architectures"`
	// Lease is of the instance that answers; null from a command straight on the database.
	Lease *Lease `json:"lease"`
	// Approvals of the next stage so far, and how many distinct people must approve.
	Approvals       []Approval `json:"approvals"`
	ApprovalsNeeded int        `json:"approvals_needed"`
	Guardian        Guardian   `json:"guardian"`
	// RollbackBound is the time in which a rollback holds everywhere ("3s"), or "none".
	RollbackBound string `json:"rollback_bound"`
	// Distrust says why no instance believes the database: it went back.
	Distrust string `json:"distrust,omitempty"`
	// Warnings are in words: a broken audit trail, an instance that lags behind.
	Warnings []string `json:"warnings"`
}

// Approval is one person's consent to the next stage.
type Approval struct {
	By string    `json:"by"`
	At time.Time `json:"at"`
}

// Guardian is what the guardian may do by itself.
type Guardian struct {
	Mode   string     `json:"mode" enum:"observe,guard,auto"`
	Paused string     `json:"paused" enum:",advance,all" doc:"What it leaves alone: nothing (empty), advancing, or everything."`
	By     string     `json:"paused_by,omitempty"`
	At     *time.Time `json:"paused_at,omitempty"`
	Why    string     `json:"paused_why,omitempty"`
}

// Architectures are what one instance runs.
type Architectures struct {
	Old RunningArchitecture `json:"old"`
	New RunningArchitecture `json:"new"`
}

// RunningArchitecture is an architecture as an instance runs it. All but the name are of
// a service; a built-in architecture has none.
type RunningArchitecture struct {
	Name     string `json:"name"`
	URL      string `json:"url,omitempty"`
	Protocol string `json:"protocol,omitempty" enum:"json,v2,spacy"`
	Breaker  string `json:"breaker,omitempty" enum:"closed,open,half-open" doc:"While it is open no text is sent."`
	NotReady string `json:"not_ready,omitempty" doc:"Why its health probe fails; while it does no text is sent."`
	UnderWay *int   `json:"under_way,omitempty" doc:"Requests to it under way."`
}

// Instance is a running instance in a status.
type Instance struct {
	ID         string    `json:"id"`
	Region     string    `json:"region"`
	Version    string    `json:"version"`
	Address    string    `json:"address"`
	Revision   int64     `json:"revision" doc:"The revision that it honours."`
	StartedAt  time.Time `json:"started_at"`
	SeenAt     time.Time `json:"seen_at"`
	LeaseMS    int64     `json:"lease_ms" doc:"How long it trusts a state after a renewal."`
	LeaseAgeMS int64     `json:"lease_age_ms" doc:"How long ago it renewed its lease, by its clock and that of the one who answers."`
	BreakGlass bool      `json:"break_glass" doc:"Its kill file or SIGUSR1 sends everyone to old."`
	CacheSize  int       `json:"cache_size"`
	Live       bool      `json:"live" doc:"Its lease may still be valid."`
}

// Lease is until when an instance may trust its state.
type Lease struct {
	Valid       bool   `json:"valid"`
	RemainingMS int64  `json:"remaining_ms"`
	LengthMS    int64  `json:"length_ms"`
	LastError   string `json:"last_error,omitempty"`
}

// Metrics answers GET /api/v1/admin/nlp-canary/metrics.
type Metrics struct {
	Rollout         string              `json:"rollout"`
	Stage           int                 `json:"stage"`
	Window          string              `json:"window" enum:"stage,rollout"`
	Since           time.Time           `json:"since"`
	OldArchitecture ArchitectureMetrics `json:"old_architecture"`
	NewArchitecture ArchitectureMetrics `json:"new_architecture"`
	// Comparison is of the whole stage: empty where only a part of the time was asked
	// for, or several stages.
	Comparison []Comparison `json:"comparison" doc:"Estimates with intervals that hold at every look at the stage."`
	Region     *string      `json:"region"`
	From       *time.Time   `json:"from"`
	To         *time.Time   `json:"to"`
	Timestamp  time.Time    `json:"timestamp"`
}

// Comparison is one metric on both architectures, each with an interval that holds at
// every look. Difference is new less old in the metric's own unit, Change new relative to
// old less 1. What was not measured is null.
type Comparison struct {
	Metric     string    `json:"metric"`
	Old        *Interval `json:"old"`
	New        *Interval `json:"new"`
	Difference *Interval `json:"difference"`
	Change     *Interval `json:"change"`
}

// MetricsSeries answers GET /api/v1/admin/nlp-canary/metrics/series.
type MetricsSeries struct {
	Rollout string         `json:"rollout"`
	Window  string         `json:"window" enum:"stage,rollout"`
	Step    string         `json:"step" enum:"minute,hour,day"`
	Region  *string        `json:"region"`
	From    time.Time      `json:"from"`
	To      time.Time      `json:"to"`
	Points  []MetricsPoint `json:"points"`
}

// MetricsPoint is one step of time.
type MetricsPoint struct {
	Start           time.Time   `json:"start"`
	OldArchitecture StepMetrics `json:"old_architecture"`
	NewArchitecture StepMetrics `json:"new_architecture"`
}

// StepMetrics is what was measured of one cohort in one step.
type StepMetrics struct {
	TotalProcessed      int64    `json:"total_processed"`
	ErrorRate           *float64 `json:"error_rate"`
	TimeoutRate         *float64 `json:"timeout_rate"`
	AvgProcessingTimeMS *float64 `json:"avg_processing_time_ms"`
	P95ProcessingTimeMS *float64 `json:"p95_processing_time_ms"`
	AvgQualityScore     *float64 `json:"avg_quality_score"`
	F1Score             *float64 `json:"f1_score"`
}

// ArchitectureMetrics is what was measured of one cohort.
type ArchitectureMetrics struct {
	Name                string   `json:"name"`
	F1Score             *float64 `json:"f1_score"`
	Precision           *float64 `json:"precision"`
	Recall              *float64 `json:"recall"`
	F1Source            *string  `json:"f1_source" enum:"users,gold" doc:"Where f1_score, precision and recall come from: texts that users labelled, or, while there are none, the newest run of the gold set. The two are never mixed."`
	AvgQualityScore     *float64 `json:"avg_quality_score"`
	AvgProcessingTimeMS *float64 `json:"avg_processing_time_ms"`
	P50ProcessingTimeMS *float64 `json:"p50_processing_time_ms"`
	P95ProcessingTimeMS *float64 `json:"p95_processing_time_ms"`
	P99ProcessingTimeMS *float64 `json:"p99_processing_time_ms"`
	ErrorRate           *float64 `json:"error_rate"`
	TimeoutRate         *float64 `json:"timeout_rate"`
	TotalProcessed      int64    `json:"total_processed"`
	Descriptions        *int64   `json:"descriptions"`
	Labelled            int64    `json:"labelled"`
	Users               *int64   `json:"users"`
}

// Shadow answers GET /api/v1/admin/nlp-canary/shadow: sums over requests of old's users
// that new processed too.
type Shadow struct {
	Rollout             string            `json:"rollout"`
	Stage               int               `json:"stage"`
	Window              string            `json:"window" enum:"stage,rollout"`
	Since               time.Time         `json:"since"`
	Pairs               int64             `json:"pairs"`
	OnlyOldFailed       int64             `json:"only_old_failed" doc:"Pairs in which old failed or timed out, and new did not."`
	OnlyNewFailed       int64             `json:"only_new_failed"`
	Compared            int64             `json:"compared" doc:"Pairs whose descriptions were compared."`
	Same                int64             `json:"same" doc:"Of them, those without any difference."`
	Added               int64             `json:"added" doc:"Descriptions that only new found."`
	Lost                int64             `json:"lost" doc:"Descriptions that only old found."`
	Changed             int64             `json:"changed" doc:"Descriptions that both found, with another type or other bounds."`
	ErrorRate           *PairedDifference `json:"error_rate"`
	TimeoutRate         *PairedDifference `json:"timeout_rate"`
	ProcessingTimeMS    *PairedDifference `json:"processing_time_ms"`
	DescriptionsPerText *PairedDifference `json:"descriptions_per_text"`
	Timestamp           time.Time         `json:"timestamp"`
}

// PairedDifference is new less old over pairs.
type PairedDifference struct {
	Old        float64  `json:"old"`
	New        float64  `json:"new"`
	Difference Interval `json:"difference"`
}

// GoldRuns answers GET /api/v1/admin/nlp-canary/gold.
type GoldRuns struct {
	Rollout string    `json:"rollout"`
	Runs    []GoldRun `json:"runs" doc:"Newest first."`
}

// GoldRun is one run of the gold set through both architectures.
type GoldRun struct {
	At        time.Time `json:"at"`
	Revision  int64     `json:"revision"`
	Gold      string    `json:"gold"`
	Documents int       `json:"documents"`
	Failed    int       `json:"failed" doc:"Documents left out, as one of the architectures failed on them."`
	Old       GoldScore `json:"old_architecture"`
	New       GoldScore `json:"new_architecture"`
}

// GoldScore is what one architecture made of a gold set.
type GoldScore struct {
	Name      string   `json:"name"`
	Correct   int64    `json:"correct"`
	Wrong     int64    `json:"wrong"`
	Missed    int64    `json:"missed"`
	F1Score   *float64 `json:"f1_score"`
	Precision *float64 `json:"precision"`
	Recall    *float64 `json:"recall"`
}

// StageChange answers advance and rollback.
type StageChange struct {
	Message       string    `json:"message"`
	OldStage      int       `json:"old_stage"`
	OldPercentage int       `json:"old_percentage"`
	NewStage      int       `json:"new_stage"`
	NewPercentage int       `json:"new_percentage"`
	Admin         string    `json:"admin"`
	Timestamp     time.Time `json:"timestamp"`
	IsRollback    bool      `json:"is_rollback,omitempty"`
	Revision      int64     `json:"revision"`
	Changed       bool      `json:"changed"`
	DryRun        bool      `json:"dry_run,omitempty"`
	Warnings      []string  `json:"warnings"`
	// Convergence tells which instances honour a rollback.
	Convergence *Convergence `json:"convergence,omitempty"`
}

// Convergence says how far a change has come.
type Convergence struct {
	Held      int       `json:"held" doc:"Instances that honour the change, or whose lease has ended."`
	Total     int       `json:"total"`
	ElapsedMS int64     `json:"elapsed_ms"`
	Complete  bool      `json:"complete"`
	Awaited   []Awaited `json:"awaited"`
}

// Awaited is an instance that does not honour a change yet.
type Awaited struct {
	ID          string    `json:"id"`
	Revision    int64     `json:"revision"`
	LeaseEndsAt time.Time `json:"lease_ends_at" doc:"From then on it sends everyone to old, whatever it knows."`
}

// History answers GET /api/v1/admin/nlp-canary/history.
type History struct {
	History      []HistoryEntry `json:"history"`
	TotalEntries int64          `json:"total_entries"`
}

// HistoryEntry is one stage change.
type HistoryEntry struct {
	ID         int64     `json:"id"`
	Rollout    string    `json:"rollout"`
	Stage      int       `json:"stage"`
	StageName  string    `json:"stage_name"`
	Percentage int       `json:"percentage"`
	UpdatedAt  time.Time `json:"updated_at"`
	UpdatedBy  string    `json:"updated_by"`
	Notes      string    `json:"notes"`
	Revision   int64     `json:"revision"`
}

// Change answers every change that has no body of its own.
type Change struct {
	Message   string          `json:"message"`
	Subject   string          `json:"subject"`
	Before    json.RawMessage `json:"before"`
	After     json.RawMessage `json:"after"`
	Admin     string          `json:"admin"`
	Timestamp time.Time       `json:"timestamp"`
	Revision  int64           `json:"revision"`
	Changed   bool            `json:"changed"`
	DryRun    bool            `json:"dry_run,omitempty"`
	Warnings  []string        `json:"warnings"`
	// Convergence tells which instances honour a turned kill switch.
	Convergence *Convergence `json:"convergence,omitempty"`
}

// Recommendations answers GET /api/v1/admin/nlp-canary/recommendations.
type Recommendations struct {
	CurrentStage      int      `json:"current_stage"`
	CurrentPercentage int      `json:"current_percentage"`
	RiskLevel         string   `json:"risk_level" enum:"low,medium,high,critical,unknown" doc:"By risk_probability: below 5 % low, below 25 % medium, below 75 % high, else critical."`
	RiskProbability   *float64 `json:"risk_probability" doc:"The probability that new is past a rollback limit in some metric: a forecast, not a proof."`
	// Action is the one thing to do, Why its reason.
	Action          string           `json:"action" enum:"rollback,hold,advance,wait"`
	Why             string           `json:"why"`
	Recommendations []Recommendation `json:"recommendations" doc:"The action first."`
	Verdicts        []Verdict        `json:"verdicts"`
	Combined        Combined         `json:"combined"`
	Split           Split            `json:"split"`
	Prediction      *Prediction      `json:"prediction" doc:"When this stage will be decided; null if that cannot be said."`
	NextStage       *int             `json:"next_stage"`
	LearnedFrom     int              `json:"learned_from" doc:"The number of finished rollouts that forecasts rest on; 0 for default assumptions."`
	Caveat          string           `json:"caveat"`
	MetricsSummary  MetricsSummary   `json:"metrics_summary"`
	Timestamp       time.Time        `json:"timestamp"`
}

// Recommendation is one piece of advice.
type Recommendation struct {
	Type     string `json:"type" enum:"rollback,hold,advance,wait,info"`
	Priority string `json:"priority" enum:"critical,high,medium,low"`
	Message  string `json:"message"`
}

// Verdict is what the evidence says of one metric.
type Verdict struct {
	Metric  string   `json:"metric"`
	Verdict string   `json:"verdict" enum:"HARM,WORSE,SAFE,UNDECIDED,NO_DATA"`
	Message string   `json:"message"`
	Reasons []string `json:"reasons"`
	// Old and New are in the metric's own unit, Difference is new less old, Change new
	// relative to old less 1.
	Old        *Interval `json:"old"`
	New        *Interval `json:"new"`
	Difference *Interval `json:"difference"`
	Change     *Interval `json:"change"`
	// The natural logarithms of the e-values, and what they must reach.
	LogEHarm     float64  `json:"log_e_harm"`
	HarmLimit    float64  `json:"harm_limit"`
	LogESafe     float64  `json:"log_e_safe"`
	SafeLimit    float64  `json:"safe_limit"`
	DesignEffect float64  `json:"design_effect" doc:"By how much requests of the same users inflate the variance."`
	OldRequests  int64    `json:"old_requests"`
	NewRequests  int64    `json:"new_requests"`
	OldUsers     float64  `json:"old_effective_users" doc:"How many equally busy users the requests are worth."`
	NewUsers     float64  `json:"new_effective_users"`
	Risk         *float64 `json:"risk_probability"`
}

// Interval is an estimate with bounds that hold at every look at once, at 95 %. A bound
// that the data does not give is null.
type Interval struct {
	Estimate *float64 `json:"estimate"`
	Low      *float64 `json:"low"`
	High     *float64 `json:"high"`
}

// Combined is the evidence of harm over all metrics.
type Combined struct {
	LogE    float64 `json:"log_e"`
	Limit   float64 `json:"limit"`
	Proven  bool    `json:"proven"`
	Trigger string  `json:"trigger,omitempty" doc:"The metric that the proof rests on."`
}

// Split is the test of whether users are split as designed.
type Split struct {
	Share    float64 `json:"share" doc:"Of users that should be on new; 0 if there is no single one."`
	OldUsers int64   `json:"old_users"`
	NewUsers int64   `json:"new_users"`
	LogE     float64 `json:"log_e"`
	Limit    float64 `json:"limit"`
	Mismatch bool    `json:"mismatch"`
}

// Prediction is when the evidence decides.
type Prediction struct {
	Outcome string `json:"outcome" enum:"rollback,advance"`
	Metric  string `json:"metric" doc:"The one that decides."`
	// Requests on new from now on: the median and an 80 % band, whose end may be open.
	Requests Interval `json:"requests"`
	// Seconds at the present rate of requests; null if there are none.
	Seconds *Interval `json:"seconds"`
}

// Alerts answers GET /api/v1/admin/nlp-canary/alerts.
type Alerts struct {
	Alerts    []Alert   `json:"alerts"`
	Timestamp time.Time `json:"timestamp"`
}

// Alert is something that is wrong, or was.
type Alert struct {
	Rule       string     `json:"rule"`
	Subject    string     `json:"subject" doc:"What it is about, such as an instance or a metric; may be empty."`
	Severity   string     `json:"severity" enum:"info,warning,critical"`
	Summary    string     `json:"summary"`
	Firing     bool       `json:"firing"`
	Since      time.Time  `json:"since"`
	ResolvedAt *time.Time `json:"resolved_at"`
}

// MetricsSummary is the metrics that a recommendation rests on.
type MetricsSummary struct {
	OldArchitecture ArchitectureMetrics `json:"old_architecture"`
	NewArchitecture ArchitectureMetrics `json:"new_architecture"`
}

// Flag is a feature flag.
type Flag struct {
	Name         string    `json:"name"`
	Enabled      bool      `json:"enabled"`
	Category     string    `json:"category"`
	Description  string    `json:"description"`
	DefaultValue bool      `json:"default_value"`
	CreatedAt    time.Time `json:"created_at"`
	UpdatedAt    time.Time `json:"updated_at"`
}

// Override is a user pinned to an architecture.
type Override struct {
	User         string    `json:"user" doc:"The user's keyed hash, 32 hexadecimal digits."`
	Architecture string    `json:"architecture" enum:"old,new"`
	Label        string    `json:"label"`
	CreatedAt    time.Time `json:"created_at"`
	CreatedBy    string    `json:"created_by"`
}

// Token is an API token without its secret.
type Token struct {
	ID        string     `json:"id"`
	Name      string     `json:"name"`
	Role      string     `json:"role" enum:"client,viewer,operator,admin"`
	CreatedAt time.Time  `json:"created_at"`
	CreatedBy string     `json:"created_by"`
	ExpiresAt *time.Time `json:"expires_at"`
	Expired   bool       `json:"expired"`
}

// NewToken is a token just made: the only time that its secret is shown.
type NewToken struct {
	Token
	Secret   string `json:"secret"`
	Revision int64  `json:"revision"`
}

// Decision answers GET /api/v1/decision.
type Decision struct {
	Architecture string `json:"architecture" enum:"old,new"`
	Reason       string `json:"reason"`
	Bucket       *int   `json:"bucket"`
	Stage        int    `json:"stage"`
	Percentage   int    `json:"percentage"`
	Revision     int64  `json:"revision"`
	Region       string `json:"region"`
}

// Extraction answers POST /api/v1/extract.
type Extraction struct {
	Architecture     string        `json:"architecture" enum:"old,new" doc:"The architecture that served the answer."`
	Reason           string        `json:"reason"`
	Bucket           *int          `json:"bucket"`
	Stage            int           `json:"stage"`
	Revision         int64         `json:"revision"`
	Fallback         bool          `json:"fallback" doc:"The new architecture failed and old served instead."`
	FallbackReason   string        `json:"fallback_reason,omitempty"`
	OutcomeID        string        `json:"outcome_id"`
	ProcessingTimeMS float64       `json:"processing_time_ms"`
	Language         string        `json:"language"`
	Degraded         []string      `json:"degraded,omitempty"`
	Descriptions     []Description `json:"descriptions"`
}

// Description is one passage found.
type Description struct {
	Type       string   `json:"type"`
	Text       string   `json:"text"`
	Start      int      `json:"start" doc:"In characters (runes) from the start of the text."`
	End        int      `json:"end"`
	StartByte  int      `json:"start_byte"`
	EndByte    int      `json:"end_byte"`
	Confidence float64  `json:"confidence"`
	Priority   float64  `json:"priority"`
	Quality    float64  `json:"quality" doc:"1 to 10."`
	Sources    []string `json:"sources"`
	Consensus  float64  `json:"consensus"`
}

// Problem is an RFC 9457 problem. Code is for programs; Detail says what was
// wrong and Hint what would be right.
type Problem struct {
	Type      string         `json:"type"`
	Title     string         `json:"title"`
	Status    int            `json:"status"`
	Detail    string         `json:"detail,omitempty"`
	Hint      string         `json:"hint,omitempty"`
	Code      string         `json:"code,omitempty"`
	RequestID string         `json:"request_id,omitempty"`
	Errors    []ProblemField `json:"errors,omitempty"`
	// Of a conflict: the revision that stands, and who made it.
	CurrentRevision int64  `json:"current_revision,omitempty"`
	ChangedBy       string `json:"changed_by,omitempty"`

	retryAfter int // seconds, for the header
}

// ProblemField is one field that broke a rule.
type ProblemField struct {
	Field   string `json:"field"`
	Message string `json:"message"`
	Value   any    `json:"value,omitempty"`
}
