package evidence

import (
	"math"
	"slices"

	"github.com/nlpcanary/nlpcanary/outcome"
)

// Input is what is judged: one epoch.
type Input struct {
	Window *outcome.Window
	// Share is new's share of users by design in this epoch, such as .05; 0 if there is
	// no single one. Without it, first errors per user and the split are not tested.
	Share float64
	// Gold is what both architectures made of labelled texts, each text once.
	Gold []GoldPair
}

// Judge judges one epoch under a plan. It may be asked at every look, however often:
// harm is proven the first time that it says so, and the probability that it ever does
// where there is none is at most the plan's Alpha (see the package's invariants).
func Judge(in Input, plan Plan) Report {
	j := judge{plan: plan, share: in.Share, w: in.Window}
	var r Report
	for _, m := range Metrics() {
		var f Finding
		switch m {
		case Errors:
			f = j.errors()
		case Timeouts:
			f = j.timeouts()
		case Slow:
			f = j.slow()
		case GoldF1:
			f = j.gold(in.Gold)
		default:
			f = j.mean(m)
		}
		r.Findings = append(r.Findings, f)
	}
	r.combine(plan)
	r.Split = j.split()
	r.Risk = r.greatestRisk()
	r.Decision = r.decision(plan)
	return r
}

// judge has what all metrics of one window need.
type judge struct {
	plan  Plan
	share float64
	w     *outcome.Window
}

// quantity is the numerator and the denominator of a metric in one bucket.
type quantity func(s outcome.Sums, m outcome.Marks) (x, d float64)

func errorsPerRequest(s outcome.Sums, _ outcome.Marks) (x, d float64) {
	return float64(s.Errors), float64(s.Requests)
}

func timeoutsPerRequest(s outcome.Sums, _ outcome.Marks) (x, d float64) {
	return float64(s.Timeouts), float64(s.Requests)
}

// logTime is in logarithms of microseconds.
func logTime(s outcome.Sums, _ outcome.Marks) (x, d float64) {
	return float64(s.LogMicros) / 1e6, float64(s.Requests)
}

// meanTime is in milliseconds.
func meanTime(s outcome.Sums, _ outcome.Marks) (x, d float64) {
	return float64(s.Micros) / 1e3, float64(s.Requests)
}

func qualityMarks(_ outcome.Sums, m outcome.Marks) (x, d float64) {
	return float64(m.Quality), float64(m.Rated)
}

func f1Score(_ outcome.Sums, m outcome.Marks) (x, d float64) { return f1Sums(m.Labels) }

func labelledTexts(_ outcome.Sums, m outcome.Marks) (x, d float64) {
	return 0, float64(m.Labelled)
}

func descriptionsPerText(s outcome.Sums, _ outcome.Marks) (x, d float64) {
	return float64(s.Descriptions), float64(s.Requests)
}

func momentsOf(c *outcome.Cohort, q quantity) moments {
	var m moments
	for b := range outcome.Buckets {
		m.add(q(c.Tally.Bucket(b), c.Marks[b]))
	}
	return m
}

// both are the moments of the two cohorts.
func (j *judge) both(q quantity) (onNew, onOld moments) {
	return momentsOf(&j.w.New, q), momentsOf(&j.w.Old, q)
}

// finding is the common beginning of a metric's finding. The counts are of what the
// metric was measured on.
func (j *judge) finding(m Metric, onNew, onOld moments) Finding {
	weight, counted := j.plan.Weights[m]
	if !counted {
		weight = 1
	}
	f := Finding{
		Metric: m, Verdict: Undecided, DesignEffect: 1,
		HarmLimit: -math.Log(weight * j.plan.Alpha), SafeLimit: -math.Log(j.plan.AlphaSafe),
		NewRequests: int64(onNew.d), OldRequests: int64(onOld.d),
		NewEffective: onNew.effective(), OldEffective: onOld.effective(),
	}
	if onNew.d == 0 {
		f.Verdict = NoData
		f.Reasons = append(f.Reasons, NothingOnNew)
	}
	if onOld.d == 0 && m != Timeouts {
		f.Verdict = NoData
		f.Reasons = append(f.Reasons, NothingOnOld)
	}
	return f
}

const (
	// startRequests and startTexts are how many new must have before its mean is
	// compared, startUsers how many equally busy users they must be worth.
	startRequests = 100
	startTexts    = 50
	startUsers    = 30
)

func startOf(m Metric) float64 {
	if m == F1 || m == GoldF1 {
		return startTexts
	}
	return startRequests
}

// started reports whether there is enough for a test that rests on the central limit
// theorem, and for finding anything safe; it says why not.
func (f *Finding) started(onOld bool) bool {
	need := startOf(f.Metric)
	ok := true
	if f.NewRequests < int64(need) || onOld && f.OldRequests < int64(need) {
		f.Reasons = append(f.Reasons, FewRequests)
		ok = false
	}
	if f.NewEffective < startUsers || onOld && f.OldEffective < startUsers {
		f.Reasons = append(f.Reasons, FewUsers)
		ok = false
	}
	return ok
}

// startedMeans is the same for moments whose d counts requests.
func startedMeans(onNew, onOld moments, need float64) bool {
	return onNew.d >= need && onOld.d >= need && onNew.effective() >= startUsers && onOld.effective() >= startUsers
}

// decide turns evidence into a verdict.
func (f *Finding) decide() {
	switch {
	case f.Verdict == NoData:
	case f.LogHarm >= f.HarmLimit:
		f.worse(ProvenWorse)
	case f.LogSafe >= f.SafeLimit:
		f.Verdict = Safe
		f.Reasons = append(f.Reasons, ProvenSafe, Exaggerated)
	}
}

// worse sets the verdict for proven harm.
func (f *Finding) worse(proof Reason) {
	f.Verdict = Worse
	f.Reasons = append(f.Reasons, proof)
	switch {
	case f.Past:
		f.Verdict = Harm
		f.Reasons = append(f.Reasons, PastLimit)
	case !slices.Contains(f.Reasons, OldToo):
		f.Reasons = append(f.Reasons, InsideLimit)
	}
	f.Reasons = append(f.Reasons, Exaggerated)
}

func (j *judge) split() Split {
	s := Split{
		Share: j.share, Limit: -math.Log(j.plan.AlphaSplit),
		OldUsers: j.w.Old.Tally.Users(), NewUsers: j.w.New.Tally.Users(),
	}
	s.LogE = logSplit(float64(s.NewUsers), float64(s.OldUsers), s.Share)
	s.Mismatch = s.LogE >= s.Limit
	return s
}

// weighted is a metric that has a weight in the combined evidence.
type weighted struct {
	metric    Metric
	logWeight float64
}

// weighted lists the metrics with a weight in the order of Metrics, and what is left of 1.
func (p *Plan) weighted() (list []weighted, rest float64) {
	rest = 1
	for _, m := range Metrics() {
		if w := p.Weights[m]; w > 0 {
			list = append(list, weighted{m, math.Log(w)})
			rest -= w
		}
	}
	return list, rest
}

// combineLogs is ln(sum_m w_m E_m). Weight that belongs to nothing measured counts as
// evidence of 1, and so does what is left of the weights.
func combineLogs(list []weighted, rest float64, logs []float64) float64 {
	var buffer [10]float64
	logWeights := buffer[:0]
	for _, w := range list {
		logWeights = append(logWeights, w.logWeight)
	}
	if rest > 1e-9 {
		logs = append(logs, 0)
		logWeights = append(logWeights, math.Log(rest))
	}
	return mix(logWeights, logs)
}

// combine adds up the evidence of harm: sum_m w_m E_m against 1/alpha (statistics.md,
// "Decisions").
func (r *Report) combine(plan Plan) {
	c := &r.Combined
	c.Limit = -math.Log(plan.Alpha)
	list, rest := plan.weighted()
	var logs []float64
	for _, w := range list {
		logs = append(logs, r.Finding(w.metric).LogHarm)
	}
	c.LogE = combineLogs(list, rest, logs)
	c.Proven = c.LogE >= c.Limit
	if !c.Proven {
		return
	}
	trigger := r.trigger(plan)
	c.Trigger = trigger.Metric
	if trigger.Verdict != Harm && trigger.Verdict != Worse {
		trigger.worse(ProvenTogether)
	}
	c.Rollback = trigger.Verdict == Harm
}

// trigger is the metric that a proof of harm rests on: of those that are HARM by
// themselves the one with the most evidence, else of all.
func (r *Report) trigger(plan Plan) *Finding {
	var best *Finding
	weighted := func(f *Finding) float64 { return f.LogHarm + math.Log(plan.Weights[f.Metric]) }
	for i := range r.Findings {
		f := &r.Findings[i]
		if plan.Weights[f.Metric] <= 0 || f.Verdict == NoData {
			continue
		}
		if best == nil || f.Verdict == Harm && best.Verdict != Harm ||
			(f.Verdict == Harm) == (best.Verdict == Harm) && weighted(f) > weighted(best) {
			best = f
		}
	}
	return best
}

func (r *Report) greatestRisk() *float64 {
	var greatest *float64
	for i := range r.Findings {
		if risk := r.Findings[i].Risk; risk != nil && (greatest == nil || *risk > *greatest) {
			greatest = risk
		}
	}
	return greatest
}

// likelyHarm is the risk from which on the stage is expected to end by a rollback.
const likelyHarm = .5

// decision is the forecast of the likelier end of the stage. An advance needs every
// guardrail, so the last one to be proven safe counts.
func (r *Report) decision(plan Plan) *Decision {
	var worst *Finding
	for i := range r.Findings {
		f := &r.Findings[i]
		if plan.Weights[f.Metric] > 0 && f.Risk != nil && f.ToHarm != nil && (worst == nil || *f.Risk > *worst.Risk) {
			worst = f
		}
	}
	if worst != nil && *worst.Risk >= likelyHarm {
		return &Decision{true, worst.Metric, *worst.ToHarm}
	}
	var last *Decision
	for _, m := range r.Unproven() {
		f := r.Finding(m)
		if m == F1 && f.ToSafe == nil {
			f = r.Finding(GoldF1)
		}
		if f.ToSafe == nil {
			return nil // it cannot be said when, so neither for the whole
		}
		if last == nil || f.ToSafe.Median > last.Median {
			last = &Decision{false, m, *f.ToSafe}
		}
	}
	return last
}
