package gateway

import (
	"net/http"
	"time"

	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// exchange is one request on its way.
type exchange struct {
	g     *Gateway
	w     *answerWriter
	r     *http.Request
	began time.Time
	body  *body

	user     rollout.UserID
	noUser   string // why there is none
	decision rollout.Decision
	key      rollout.UserKey
	deadline time.Time // for the beginning of an answer

	refused  string // the code of the problem, if the request was refused
	first    *attempt
	fallback string // why old served in place of new
	served   *attempt
	recorded bool
	shadow   *shadowCopy // nil if the request is not copied
	id       string      // of the outcome, for feedback
}

// decide chooses the service. Without a user it is old.
func (x *exchange) decide() {
	x.decision = x.g.config.Follower.Decide(x.user)
	switch x.noUser { // then the empty id was decided, which is for old whatever the state
	case userInvalid:
		x.decision.Reason = rollout.ReasonError
	case userMissing, userUnverified:
		x.decision.Reason = rollout.ReasonDefault
	default:
		x.key = x.g.config.Keyer.Key(x.user)
	}
}

// stillNew makes the decision again.
func (x *exchange) stillNew() bool {
	return x.g.config.Follower.Decide(x.user).Variant == rollout.New
}

func (x *exchange) serveOld() {
	x.deadline = time.Now().Add(x.g.config.Timeout)
	x.shadow = x.drawShadow()
	a := x.try(x.g.old, x.g.config.Timeout)
	x.first = a
	if a.err != nil {
		x.fail(a)
	}
}

// serveNew lets new serve, and old if new fails.
func (x *exchange) serveNew() {
	if p := x.body.keep(); p != nil {
		x.refuse(p)
		return
	}
	x.deadline = time.Now().Add(x.g.config.Timeout)
	a := x.try(x.g.new, x.g.config.NewTimeout)
	x.first = a
	if a.err == nil {
		return
	}
	why := a.reason()
	left := time.Until(x.deadline)
	if why == reasonCanceled || left <= 0 || !x.mayRepeat(a.reached()) {
		x.fail(a)
		return
	}
	x.fallback = why
	x.record(a)
	x.g.fellBack(x.decision, a)
	if second := x.try(x.g.old, left); second.err != nil {
		x.fail(second)
	}
}

// mayRepeat reports whether old may serve the request that new failed, or may have
// failed.
func (x *exchange) mayRepeat(reached bool) bool {
	if !x.body.repeatable() {
		return false
	}
	switch {
	case !reached:
		return true
	case x.g.config.Fallback == FallbackNever:
		return false
	case x.g.config.Fallback == FallbackIdempotent:
		return isIdempotent(x.r)
	}
	return true
}

// refuse answers a request that nobody serves.
func (x *exchange) refuse(p *problem) {
	x.refused = p.code
	p.write(x.w)
}

// fail answers a request that an upstream failed.
func (x *exchange) fail(a *attempt) {
	p := &problem{status: http.StatusBadGateway, code: "upstream_failed", detail: "the service could not be reached or broke off"}
	switch a.reason() {
	case reasonCanceled:
		p = &problem{status: http.StatusBadRequest, code: "incomplete_body", detail: "the request did not arrive to its end", ends: true}
	case reasonTimeout:
		p = &problem{status: http.StatusGatewayTimeout, code: "upstream_timeout", detail: "the service did not answer in time"}
	case reasonSaturated:
		p = &problem{status: http.StatusServiceUnavailable, code: "overloaded", detail: "too many requests are under way in the service", retryAfter: 1}
	}
	x.served = a
	a.status = p.status
	x.describe(a, x.w.Header())
	p.write(x.w)
}

// describe puts into an answer's headers what served it and why.
func (x *exchange) describe(a *attempt, h http.Header) {
	if x.g.config.HideHeaders {
		return
	}
	h[headerArchitecture] = []string{string(a.up.variant)}
	h[headerReason] = []string{string(x.decision.Reason)}
	if x.fallback != "" {
		h[headerFallback] = []string{x.fallback}
	}
	if x.noUser != userKnown {
		h[headerUser] = []string{x.noUser}
	}
	if id := x.outcomeID(); id != "" {
		h[headerOutcomeID] = []string{id}
	}
}

// outcomeID is sealed when it is first needed.
func (x *exchange) outcomeID() string {
	if x.id == "" && x.decision.Rollout != "" && x.noUser == userKnown {
		x.id = x.g.config.Sealer.Seal(x.ticket())
	}
	return x.id
}

func (x *exchange) ticket() outcome.Ticket {
	d := x.decision
	return outcome.Ticket{
		Rollout: d.Rollout, Epoch: d.Epoch, Variant: d.Variant, Region: d.Region,
		Minute: outcome.MinuteOf(x.began), UserKey: x.key, Excluded: x.excluded(),
	}
}

// excluded reports whether the request counts in no cohort: it has no user, or the
// user was not where the bucket would have put him.
func (x *exchange) excluded() bool {
	return x.noUser != userKnown || (x.decision.Reason != rollout.ReasonSplit && x.decision.Reason != rollout.ReasonStatic)
}
