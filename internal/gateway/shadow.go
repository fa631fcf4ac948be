package gateway

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/shadow"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// Shadow says which of old's requests are copied to new, whose answers are compared and
// thrown away.
type Shadow struct {
	// Share of the requests that may be copied, 0 to 1; 0 copies none.
	Share float64
	// Methods that may be copied; GET and HEAD if empty. Another method is for services
	// that do nothing but compute.
	Methods []string
	// Paths that may be copied begin with one of these; all if empty.
	Paths []string
	// MaxBody bounds the bodies that are kept for it, in bytes; DefaultShadowBody if 0.
	// Requests with a longer one are not copied, longer answers compared by status and
	// time alone.
	MaxBody int
	// Workers and Queue bound the copies under way and waiting; the defaults of package
	// shadow if 0.
	Workers, Queue int
	// Descriptions is a JSON pointer to the list of descriptions in an answer;
	// /descriptions if empty.
	Descriptions string
	// Recorder takes the pairs.
	Recorder *outcome.ShadowSet
}

// DefaultShadowBody bounds what a waiting copy takes in memory.
const DefaultShadowBody = 256 << 10

func (s Shadow) withDefaults() Shadow {
	if len(s.Methods) == 0 {
		s.Methods = []string{http.MethodGet, http.MethodHead}
	}
	setDefault(&s.MaxBody, DefaultShadowBody)
	setDefault(&s.Workers, shadow.DefaultWorkers)
	setDefault(&s.Queue, shadow.DefaultQueue)
	setDefault(&s.Descriptions, "/descriptions")
	return s
}

// Validate returns a [ConfigError] for the first field that breaks its rule. Fields
// that were left out are taken at their defaults.
func (s Shadow) Validate() error {
	s = s.withDefaults()
	switch {
	case !(s.Share >= 0 && s.Share <= 1):
		return &ConfigError{"share", "is a share from 0 to 1"}
	case s.MaxBody < 0 || s.MaxBody > 16<<20:
		return &ConfigError{"max_body", "is 1 byte to 16 MiB"}
	case s.Workers < 0 || s.Workers > 1024:
		return &ConfigError{"workers", "is 1 to 1024"}
	case s.Queue < 0 || s.Queue > 100_000:
		return &ConfigError{"queue", "is 1 to 100,000"}
	case !isPointer(s.Descriptions):
		return &ConfigError{"descriptions", rulePointer}
	case slices.ContainsFunc(s.Methods, func(m string) bool { return !isToken(m) || m == http.MethodConnect }):
		return &ConfigError{"methods", "are HTTP methods such as GET and POST"}
	case slices.ContainsFunc(s.Paths, func(p string) bool { return !strings.HasPrefix(p, "/") }):
		return &ConfigError{"paths", "begin with a slash"}
	}
	return nil
}

// Why a request that was drawn was not compared, as the metrics tell.
const (
	shadowCompared = "compared"
	shadowDropped  = "dropped"  // no room
	shadowTooLong  = "too_long" // the body of the request
	shadowCanceled = "canceled" // the gateway stopped, or the client of old's gave up
)

// shadowCopy is a request of old's on its way to new.
type shadowCopy struct {
	x       *exchange
	request *http.Request // addressed to new; without a body
	sent    *capture      // nil without a body
	body    []byte        // what was sent
	old     half
}

// half is what one service made of the request.
type half struct {
	status int
	took   time.Duration
	reason string
	body   *capture
	header http.Header
}

// drawShadow begins a copy if the request is drawn for one: one of old's whose user is
// there by his bucket. While the kill switch is off, the glass broken or the state
// stale, new gets nothing.
func (x *exchange) drawShadow() *shadowCopy {
	g := x.g
	if x.excluded() || x.decision.Variant != rollout.Old || x.decision.Rollout == "" || !g.shadows.Draw() || !x.mayShadow() {
		return nil
	}
	if !x.body.none && x.r.ContentLength > int64(g.config.Shadow.MaxBody) {
		g.metrics.shadow.WithLabelValues(shadowTooLong).Inc()
		return nil
	}
	c := &shadowCopy{x: x}
	if !x.body.none {
		c.sent = &capture{limit: g.config.Shadow.MaxBody}
	}
	return c
}

func (x *exchange) mayShadow() bool {
	s := &x.g.config.Shadow
	if x.r.Header["Upgrade"] != nil || !slices.Contains(s.Methods, x.r.Method) {
		return false
	}
	return len(s.Paths) == 0 || slices.ContainsFunc(s.Paths, func(p string) bool { return strings.HasPrefix(x.r.URL.Path, p) })
}

// address makes new's request out of old's, before that is addressed.
func (c *shadowCopy) address(pr *httputil.ProxyRequest) {
	out := pr.Out.Clone(context.Background()) // it outlives the client's request
	out.Body, out.GetBody, out.ContentLength = http.NoBody, nil, 0
	out.TransferEncoding, out.Trailer = nil, nil
	c.x.g.shadowUp.rewrite(&httputil.ProxyRequest{In: pr.In, Out: out})
	out.Header.Del("Expect")
	out.Header[headerShadow] = []string{"1"}
	c.request = out
}

// submit hands the copy over when old's answer is with the client.
func (c *shadowCopy) submit(a *attempt) {
	g := c.x.g
	reason := a.reason()
	sent, whole := c.sent.text()
	switch {
	case c.request == nil || a.stream || reason == reasonCanceled || reason == reasonSaturated:
		g.metrics.shadow.WithLabelValues(shadowCanceled).Inc()
		return
	case c.sent != nil && !whole:
		g.metrics.shadow.WithLabelValues(shadowTooLong).Inc()
		return
	}
	c.body = sent
	c.old = half{a.status, a.took, reason, a.answer, a.header}
	if a.err != nil {
		c.old.took = time.Since(a.began)
	}
	if !g.shadows.Submit(c.run) {
		g.metrics.shadow.WithLabelValues(shadowDropped).Inc()
	}
}

// run asks new and compares. Its users may have been taken to new meanwhile, or new be
// switched off: then it is left.
func (c *shadowCopy) run(ctx context.Context) {
	g := c.x.g
	if now := g.config.Follower.Decide(c.x.user); now.Reason != rollout.ReasonSplit && now.Reason != rollout.ReasonStatic {
		g.metrics.shadow.WithLabelValues(shadowCanceled).Inc()
		return
	}
	canary := c.ask(ctx)
	if ctx.Err() != nil {
		g.metrics.shadow.WithLabelValues(shadowCanceled).Inc()
		return
	}
	d := c.x.decision
	pair := outcome.Shadow{Rollout: d.Rollout, Epoch: d.Epoch, Region: d.Region, UserKey: c.x.key, Old: c.old.outcome(), New: canary.outcome()}
	before, known := c.old.spans(g.config.Shadow.Descriptions)
	after, alsoKnown := canary.spans(g.config.Shadow.Descriptions)
	if known && alsoKnown {
		difference := shadow.Compare(before, after)
		pair.Compared, pair.Old.Descriptions, pair.New.Descriptions = true, len(before), len(after)
		pair.Added, pair.Lost, pair.Changed = difference.Added, difference.Lost, difference.Changed
	}
	if err := g.config.Shadow.Recorder.Add(pair); err != nil {
		g.config.Logger.Error("a pair was not counted", "error", err)
		return
	}
	g.metrics.shadow.WithLabelValues(shadowCompared).Inc()
}

// ask sends the request to new and reads the whole answer.
func (c *shadowCopy) ask(ctx context.Context) half {
	ctx, cancel := context.WithTimeout(ctx, c.x.g.config.NewTimeout)
	defer cancel()
	request := c.request.WithContext(ctx)
	if len(c.body) > 0 {
		request.Body, request.ContentLength = io.NopCloser(bytes.NewReader(c.body)), int64(len(c.body))
	}
	h := half{body: &capture{limit: c.x.g.config.Shadow.MaxBody}}
	began := time.Now()
	res, err := c.x.g.shadowUp.transport.RoundTrip(request)
	if err == nil {
		defer res.Body.Close()
		h.status, h.header = res.StatusCode, res.Header
		_, err = io.Copy(captureWriter{h.body}, io.LimitReader(res.Body, maxShadowAnswer))
		if err == nil {
			h.body.end()
		}
	}
	h.took = time.Since(began)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		h.reason = reasonTimeout
	case err != nil:
		h.reason = reasonError
	}
	return h
}

// maxShadowAnswer is how far an answer is read that may have no end, in bytes.
const maxShadowAnswer = 64 << 20

// outcome is the half as it is counted, by the rule of every outcome.
func (h half) outcome() outcome.Half {
	return outcome.Half{
		Time:    min(h.took, outcome.MaxTime),
		Timeout: h.reason == reasonTimeout,
		Error:   h.reason != "" && h.reason != reasonTimeout || h.reason == "" && h.status >= http.StatusInternalServerError,
	}
}

// spans are the descriptions of a good answer; false if they are not known.
func (h half) spans(pointer string) ([]shadow.Span, bool) {
	text, whole := h.body.text()
	if h.reason != "" || h.status/100 != 2 || !whole || !looksLikeJSON(h.header) {
		return nil, false
	}
	raw, err := jsonField(plain(text, h.header), steps(pointer))
	if err != nil || len(raw) == 0 {
		return nil, false
	}
	var list []struct {
		Type    string `json:"type"`
		Start   int    `json:"start"`
		End     int    `json:"end"`
		Text    string `json:"text"`
		Content string `json:"content"`
	}
	if json.Unmarshal(raw, &list) != nil || len(list) > outcome.MaxDescriptions {
		return nil, false
	}
	spans := make([]shadow.Span, 0, len(list))
	for _, d := range list {
		s := shadow.Span{Type: d.Type, Start: d.Start, End: d.End}
		if s.Start == 0 && s.End == 0 {
			setDefault(&d.Text, d.Content)
			s.Text = d.Text
		}
		spans = append(spans, s)
	}
	return spans, true
}

// captureWriter copies into a capture.
type captureWriter struct{ c *capture }

func (w captureWriter) Write(p []byte) (int, error) {
	w.c.add(p)
	return len(p), nil
}
