package gateway

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// maxCaptured bounds the answers that are looked into, in bytes.
const maxCaptured = 1 << 20

// captureFor keeps an answer's body if something in it is to be counted.
func (x *exchange) captureFor(a *attempt, res *http.Response) *capture {
	c := x.g.config
	wanted := c.Quality.JSON != "" || c.Descriptions != "" || x.shadow != nil
	if !wanted || a.stream || a.status/100 != 2 || !looksLikeJSON(res.Header) {
		return nil
	}
	a.header = res.Header
	if x.shadow != nil && c.Quality.JSON == "" && c.Descriptions == "" {
		return &capture{limit: c.Shadow.MaxBody}
	}
	return &capture{limit: maxCaptured}
}

// finish runs when the request is over, however it ended.
func (x *exchange) finish() {
	took := time.Since(x.began)
	if x.refused == "" && x.first == nil {
		x.first = x.served // the proxy panicked: the answer broke off
	}
	if x.first != nil && !x.recorded {
		x.record(x.first)
	}
	if x.served != nil {
		x.g.streams.remove(x.served)
		if x.shadow != nil {
			x.shadow.submit(x.served)
		}
	}
	x.g.metrics.finished(x, took)
}

// record counts the outcome, with the architecture that was decided.
func (x *exchange) record(a *attempt) {
	why := a.reason()
	d := x.decision
	// Before the first state there is no rollout to credit an outcome to. A request
	// that its client gave up says nothing of the service.
	if x.recorded || d.Rollout == "" || why == reasonCanceled {
		return
	}
	x.recorded = true
	took := a.took
	if a.err != nil || took == 0 {
		took = time.Since(a.began)
	}
	o := outcome.Outcome{
		Rollout: d.Rollout, Epoch: d.Epoch, Variant: d.Variant, Region: d.Region, Revision: d.Revision,
		UserKey: x.key, Excluded: x.excluded(),
		ProcessingTime: min(took, outcome.MaxTime),
		Timeout:        why == reasonTimeout,
		Error:          why == reasonError || why == reasonSaturated || why == reasonStatus || (why == "" && a.status >= http.StatusInternalServerError),
		Descriptions:   x.countDescriptions(a),
		Marks:          x.marks(a),
		Fallback:       x.fallback != "" && d.Variant == rollout.New,
	}
	if err := x.g.config.Recorder.Add(o, time.Now()); err != nil {
		x.g.config.Logger.Error("an outcome was not counted", "error", err)
	}
}

// countDescriptions looks into the answer, after the client has it.
func (x *exchange) countDescriptions(a *attempt) int {
	if x.g.config.Descriptions == "" {
		return 0
	}
	raw := x.answerField(a, x.g.config.Descriptions)
	var list []json.RawMessage
	if len(raw) == 0 || json.Unmarshal(raw, &list) != nil {
		return 0
	}
	return min(len(list), outcome.MaxDescriptions)
}

func (x *exchange) answerField(a *attempt, pointer string) []byte {
	text, whole := a.answer.text()
	if !whole {
		return nil
	}
	_ = http.NewResponseController(x.w).Flush() // a writer that cannot flush keeps nothing back
	raw, err := jsonField(plain(text, a.header), steps(pointer))
	if err != nil {
		return nil
	}
	return raw
}

// plain undoes gzip, within the bound; nil if it cannot.
func plain(data []byte, h http.Header) []byte {
	switch h.Get("Content-Encoding") {
	case "", "identity":
		return data
	case "gzip":
		r, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil
		}
		text, err := io.ReadAll(io.LimitReader(r, maxCaptured+1))
		if err != nil || len(text) > maxCaptured {
			return nil
		}
		return text
	}
	return nil
}

// looksLikeJSON reports whether an answer is JSON, perhaps in gzip.
func looksLikeJSON(h http.Header) bool {
	if h.Get("Content-Encoding") != "gzip" {
		return isJSON(h)
	}
	return isJSON(http.Header{"Content-Type": h["Content-Type"]})
}

// marks is the quality that the answer of the decided service tells.
func (x *exchange) marks(a *attempt) outcome.Marks {
	c := x.g.config.Quality
	if a.err != nil || a.broke != nil || a.status/100 != 2 {
		return outcome.Marks{}
	}
	text := a.quality
	if c.JSON != "" {
		text = string(x.answerField(a, c.JSON))
	}
	if text == "" {
		return outcome.Marks{}
	}
	mark, ok := parseQuality(text)
	if !ok {
		x.g.metrics.badQuality.Inc()
		return outcome.Marks{}
	}
	return outcome.Feedback{Quality: &mark}.Marks()
}

// parseQuality reads a number from 1 to 10 and rounds it to a mark.
func parseQuality(text string) (int, bool) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || !(v >= 1 && v <= 10) {
		return 0, false
	}
	return int(math.Round(v)), true
}

// fellBack tells of fallbacks, at most once a second.
func (g *Gateway) fellBack(d rollout.Decision, a *attempt) {
	if n := g.tell.next(time.Now()); n > 0 {
		g.config.Logger.Warn("old serves in place of new", "reason", a.reason(), "error", a.err, "revision", d.Revision, "times", n)
	}
}

// throttle lets through one message a second, and counts the others.
type throttle struct {
	mu   sync.Mutex
	last time.Time
	kept int64
}

// next is how many messages the one to be written stands for; 0 if none is.
func (t *throttle) next(now time.Time) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept++
	if now.Sub(t.last) < time.Second {
		return 0
	}
	n := t.kept
	t.last, t.kept = now, 0
	return n
}

// quietLog is for ReverseProxy, whose messages tell of what is counted anyway.
var quietLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
