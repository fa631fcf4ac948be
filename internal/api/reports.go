package api

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"github.com/nlpcanary/nlpcanary/internal/ingest"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// Bounds of one report.
const (
	maxReports    = 10_000
	maxReportBody = 8 << 20
	maxReportID   = 128
	// maxRefusals is how many broken rules an answer names.
	maxRefusals = 50
)

// ReportedOutcome is one outcome in a report. It describes what reportsjson.go reads.
type ReportedOutcome struct {
	ID               string  `json:"id" minLength:"1" maxLength:"128" doc:"Of your choice, and unique: an outcome counts once, however often it is reported within 48 hours (of the last ten million)."`
	UserID           string  `json:"user_id" doc:"1 to 256 bytes of UTF-8 without control characters. Never kept or logged."`
	Architecture     string  `json:"architecture" enum:"old,new" doc:"The one that was decided for the user, also where the other served in the end."`
	Revision         int64   `json:"revision,omitempty" doc:"At which it was decided; the present one if not given."`
	Region           string  `json:"region,omitempty" doc:"That of the instance which is asked, if not given."`
	ProcessingTimeMS float64 `json:"processing_time_ms" minimum:"0" maximum:"3600000"`
	Error            bool    `json:"error"`
	Timeout          bool    `json:"timeout" doc:"Not together with error."`
	Descriptions     int     `json:"descriptions" minimum:"0" maximum:"100000" doc:"How many were found."`
	Quality          *int    `json:"quality,omitempty" minimum:"1" maximum:"10"`
	TruePositives    *int    `json:"true_positives,omitempty" minimum:"0" maximum:"10000" doc:"Together with false_positives and false_negatives."`
	FalsePositives   *int    `json:"false_positives,omitempty" minimum:"0" maximum:"10000"`
	FalseNegatives   *int    `json:"false_negatives,omitempty" minimum:"0" maximum:"10000"`
}

// Reports is the body of POST /api/v1/outcomes.
type Reports struct {
	Outcomes []ReportedOutcome `json:"outcomes" maxItems:"10000"`
}

// ReportReceipt answers POST /api/v1/outcomes. What it counts is durable.
type ReportReceipt struct {
	Counted  int `json:"counted"`
	Repeated int `json:"repeated" doc:"Outcomes that had been reported before; they count once."`
}

const linesType = "application/x-ndjson"

func (a *API) reportRoutes() {
	schemas := a.huma.OpenAPI().Components.Schemas
	body := huma.SchemaFromType(schemas, typeOf(&Reports{}))
	a.direct(huma.Operation{
		OperationID: "report-outcomes", Method: "POST", Path: "/api/v1/outcomes", Summary: "Report what happened to texts that were processed elsewhere",
		Description: "All or none of a report is counted, and when it is answered with 200 it is durable. After any other answer, and after none, report the same again: an id counts once. " +
			"Or send the same objects as " + linesType + ", one on each line.",
		RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"application/json": {Schema: body},
			linesType:          {Schema: huma.SchemaFromType(schemas, typeOf(&ReportedOutcome{}))},
		}},
		Metadata: map[string]any{needs: rollout.Report, bounds: int64(maxReportBody)},
	}, &ReportReceipt{}, a.report)
}

func (a *API) report(w http.ResponseWriter, r *http.Request) {
	v, _ := w.(*visit)
	receipt, err := a.takeReport(v, r)
	if err != nil {
		a.writeProblem(w, r, err)
		return
	}
	w.Header()["Content-Type"] = isJSON
	fmt.Fprintf(w, `{"counted":%d,"repeated":%d}`+"\n", receipt.Counted, receipt.Repeated)
}

func (a *API) takeReport(v *visit, r *http.Request) (ingest.Receipt, error) {
	if a.config.Ingest == nil {
		return ingest.Receipt{}, newProblem(http.StatusServiceUnavailable, codeOverloaded, "outcomes are not taken here", "ask a server")
	}
	// What is decoded and waits is bounded, so that a flood cannot fill the memory.
	leave, err := a.reports.enter(r.Context())
	if err != nil {
		return ingest.Receipt{}, err
	}
	defer leave()
	// Not every writer has deadlines: one in process has none, and no slow sender.
	_ = http.NewResponseController(v).SetReadDeadline(time.Now().Add(bodyWithin))
	lines := isLines(r.Header["Content-Type"])
	if lines {
		r.Header["Content-Type"] = isJSON // its size and its end are checked in the same way
	}
	body, err := v.readBody(r, nil)
	if err != nil {
		return ingest.Receipt{}, err
	}
	c := reportChecker{api: a}
	if err := parseReports(body, lines, c.add, c.refuse); err != nil {
		return ingest.Receipt{}, err
	}
	if err := c.problem(); err != nil {
		return ingest.Receipt{}, err
	}
	receipt, err := a.config.Ingest.Add(r.Context(), c.reports)
	switch {
	case errors.Is(err, ingest.ErrBusy), errors.Is(err, ingest.ErrClosed):
		return receipt, overloaded()
	case err != nil:
		return receipt, err
	}
	return receipt, nil
}

func isLines(given []string) bool {
	if len(given) == 0 {
		return false
	}
	kind, _, _ := bytes.Cut([]byte(given[0]), []byte(";"))
	switch string(bytes.TrimSpace(kind)) {
	case linesType, "application/ndjson", "application/jsonl":
		return true
	}
	return false
}

// reportChecker turns what was sent into outcomes, and collects what is wrong.
type reportChecker struct {
	api      *API
	at       int // the present object
	broken   bool
	reports  []ingest.Report
	refusals []ProblemField
	refused  int
	ahead    int64 // a revision that this instance does not know yet
	// The plan of the last object's revision and region: nearly always the next one's.
	revision int64
	region   rollout.Region
	plan     *rollout.Plan
}

func (c *reportChecker) refuse(field, rule string) {
	c.broken = true
	c.refused++
	if len(c.refusals) < maxRefusals {
		c.refusals = append(c.refusals, ProblemField{Field: "outcomes[" + strconv.Itoa(c.at) + "]." + field, Message: rule})
	}
}

// problem is what is wrong with the report as a whole; nil if nothing is.
func (c *reportChecker) problem() error {
	switch {
	case c.at > maxReports:
		return newProblem(http.StatusRequestEntityTooLarge, codeTooLarge, fmt.Sprintf("the report has %d outcomes", c.at), fmt.Sprintf("send at most %d at a time", maxReports))
	case c.refused > 0:
		p := newProblem(http.StatusUnprocessableEntity, codeInvalid, fmt.Sprintf("%s %s; nothing of the report was counted", c.refusals[0].Field, c.refusals[0].Message),
			"errors names each field and its rule")
		if c.refused > len(c.refusals) {
			p.Detail += fmt.Sprintf(" (%d broken rules, of which the first %d are named)", c.refused, len(c.refusals))
		}
		p.Errors = c.refusals
		return p
	case c.ahead > 0:
		p := newProblem(http.StatusServiceUnavailable, codeNotReady, fmt.Sprintf("revision %d has not reached this instance yet", c.ahead), "report the same again in a second")
		p.retryAfter = 1
		return p
	}
	return nil
}

// add checks one object.
func (c *reportChecker) add(sent *reported) {
	defer func() { c.at++ }()
	if c.broken {
		c.broken = false // by a field of this object
		return
	}
	if c.at >= maxReports || c.ahead > 0 {
		return
	}
	if !validReportID(sent.id) {
		c.refuse("id", "is 1 to 128 bytes of UTF-8 without control characters")
	}
	user, err := rollout.ParseUserID(string(sent.user))
	if err != nil {
		c.refuse("user_id", "is 1 to 256 bytes of UTF-8 without control characters")
	}
	o := outcome.Outcome{
		Variant: rollout.Variant(""), Region: c.regionOf(sent),
		ProcessingTime: sent.took, Error: sent.failed, Timeout: sent.timeout, Descriptions: clampInt(sent.descriptions),
	}
	switch string(sent.architecture) {
	case string(rollout.Old):
		o.Variant = rollout.Old
	case string(rollout.New):
		o.Variant = rollout.New
	}
	c.addMarks(sent, &o)
	if !c.broken && c.decide(sent, user, &o) {
		if err := o.Validate(); err != nil {
			c.refuseInvalid(err)
		}
	}
	if !c.broken && c.ahead == 0 {
		c.reports = append(c.reports, ingest.Report{ID: c.api.config.Ingest.ID(sent.id), Outcome: o})
	}
	c.broken = false
}

// decide checks that the architecture is the one that the user was sent to, and credits
// the outcome to the split of that time; false if it could not.
func (c *reportChecker) decide(sent *reported, user rollout.UserID, o *outcome.Outcome) bool {
	if o.Variant == "" {
		c.refuse("architecture", "is old or new")
		return false
	}
	if sent.given&fieldRevision != 0 && sent.revision < 1 {
		c.refuse("revision", "is 1 or more")
		return false
	}
	if c.plan == nil || c.revision != sent.revision || c.region != o.Region {
		a := c.api
		c.revision, c.region = sent.revision, o.Region
		c.plan = a.seen.plan(sent.revision, o.Region, a.config.Keyer)
		if newest := a.seen.newest(); c.plan == nil && (sent.revision > newest || newest == 0) {
			c.ahead = max(sent.revision, 1)
			return false
		}
	}
	if c.plan == nil {
		c.refuse("revision", fmt.Sprintf("%d is from before what this instance remembers, so what was decided then cannot be checked", sent.revision))
		return false
	}
	d := c.plan.Decide(user)
	if d.Variant != o.Variant {
		c.refuse("architecture", fmt.Sprintf("is not what was decided: at revision %d this user was sent to %s (%s). Report the decided architecture with the decision's revision, also where another one served; decisions with the reason STALE are not reported", d.Revision, d.Variant, d.Reason))
		return false
	}
	o.Rollout, o.Epoch, o.Revision = d.Rollout, d.Epoch, d.Revision
	o.UserKey = c.api.config.Keyer.Key(user)
	o.Excluded = d.Reason != rollout.ReasonSplit && d.Reason != rollout.ReasonStatic
	return true
}

func (c *reportChecker) regionOf(sent *reported) rollout.Region {
	own := rollout.Region(c.api.config.Region)
	switch {
	case sent.given&fieldRegion == 0 || string(sent.region) == string(own):
		return own
	case string(sent.region) == string(c.region):
		return c.region
	}
	region, err := rollout.ParseRegion(string(sent.region))
	if err != nil {
		c.refuse("region", "is at most 64 ASCII letters, digits, '-', '_' and '.'")
	}
	return region
}

func (c *reportChecker) addMarks(sent *reported, o *outcome.Outcome) {
	if sent.given&(fieldQuality|fieldCorrect|fieldWrong|fieldMissed) == 0 {
		return
	}
	number := func(field reportFields, n int64) *int {
		if sent.given&field == 0 {
			return nil
		}
		i := clampInt(n)
		return &i
	}
	f := outcome.Feedback{
		Quality: number(fieldQuality, sent.quality),
		Correct: number(fieldCorrect, sent.correct), Wrong: number(fieldWrong, sent.wrong), Missed: number(fieldMissed, sent.overlooked),
	}
	if err := f.Validate(); err != nil {
		c.refuseInvalid(err)
		return
	}
	o.Marks = f.Marks()
}

// clampInt keeps a number that is out of every range out of range.
func clampInt(n int64) int { return int(min(max(n, -1), 1<<30)) }

// reportNames are the names in a report of what feedback calls otherwise.
var reportNames = map[string]string{"correct": "true_positives", "wrong": "false_positives", "missed": "false_negatives"}

func (c *reportChecker) refuseInvalid(err error) {
	var invalid *outcome.InvalidError
	if !errors.As(err, &invalid) {
		c.refuse("", err.Error())
		return
	}
	field, rule := invalid.Field, invalid.Rule
	if name, other := reportNames[field]; other {
		field = name
		switch {
		case rule != "is 0 to 10,000":
			rule = "is given together with true_positives, false_positives and false_negatives, not all of them 0, or none of them"
		}
	}
	c.refuse(field, rule)
}

func validReportID(id []byte) bool {
	if len(id) == 0 || len(id) > maxReportID {
		return false
	}
	for i := 0; i < len(id); {
		if c := id[i]; c >= ' ' && c <= '~' {
			i++
			continue
		}
		r, size := utf8.DecodeRune(id[i:])
		if unicode.IsControl(r) { // the scanner has seen to its being UTF-8
			return false
		}
		i += size
	}
	return true
}
