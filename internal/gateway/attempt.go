package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"sync"
	"time"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// Why an upstream's answer did not serve, as the Nlpcanary-Fallback header and the
// metrics tell.
const (
	reasonTimeout   = "timeout"
	reasonSaturated = "saturated"
	reasonStatus    = "status"     // 500 or above
	reasonTakenBack = "taken_back" // the user was, while new worked
	reasonCanceled  = "canceled"   // the client gave up
	reasonError     = "error"
)

var (
	errTimeout   = errors.New("the service did not answer in time")
	errTakenBack = errors.New("the user was taken back to old meanwhile")
	errStatus    = errors.New("the service answered with an error")
	errStopping  = errors.New("the gateway stops")
)

// attempt is a request's way to one upstream and back.
type attempt struct {
	x      *exchange
	up     *upstream
	began  time.Time
	ctx    context.Context
	cancel context.CancelCauseFunc
	clock  clock

	// What came back.
	status int
	took   time.Duration // until the headers, and then waiting for the body, not for the client
	stream bool          // a WebSocket or event stream
	late   bool          // taken back, but the request cannot be repeated
	err    error         // why nothing went to the client
	broke  error         // why the answer's body ended early
	answer *capture      // the body, if it is looked into
	header http.Header   // with answer
	// quality is what the answer's header says of it.
	quality string
}

// try sends the request to an upstream. The answer has gone to the client unless
// err is set.
func (x *exchange) try(up *upstream, within time.Duration) *attempt {
	a := &attempt{x: x, up: up, began: time.Now()}
	if !up.enter() {
		a.err = errSaturated
		return a
	}
	defer up.leave()
	a.ctx, a.cancel = context.WithCancelCause(x.r.Context())
	defer a.cancel(nil)
	out := x.r.WithContext(a.ctx)
	control := http.NewResponseController(x.w)
	var copied *capture
	if x.shadow != nil {
		copied = x.shadow.sent
	}
	x.body.put(out, copied, func() {
		a.clock.set(within, func() { _ = control.SetReadDeadline(time.Time{}) })
	})
	x.w.quiet = up.variant == rollout.New
	if x.body.none || x.body.kept {
		a.clock.start(within, a.cancel)
	} else {
		// The service may answer before it has read everything.
		_ = control.EnableFullDuplex()
		// The client may take its time with a body. The service's begins after it.
		_ = control.SetReadDeadline(time.Now().Add(x.g.config.AnswerTimeout)) // a writer in a test may have none
		a.clock.start(x.g.config.AnswerTimeout, a.cancel)
	}
	defer a.clock.stop()
	proxy := httputil.ReverseProxy{
		Rewrite: a.rewrite, ModifyResponse: a.arrived, ErrorHandler: a.failed,
		Transport: up.transport, BufferPool: &x.g.buffers, ErrorLog: quietLog,
	}
	x.served = a // also if the proxy panics because the answer broke off
	proxy.ServeHTTP(x.w, out)
	return a
}

func (a *attempt) rewrite(pr *httputil.ProxyRequest) {
	if a.x.shadow != nil {
		a.x.shadow.address(pr)
	}
	a.up.rewrite(pr)
	if a.x.body.kept {
		// The client has sent its body: there is nothing to wait for.
		pr.Out.Header.Del("Expect")
	} else {
		// The trailers come after the body, into the map of the client's request.
		pr.Out.Trailer = a.x.r.Trailer
	}
}

// failed is called instead of an answer, before anything went to the client.
func (a *attempt) failed(_ http.ResponseWriter, _ *http.Request, err error) { a.err = err }

// arrived is called when the answer's headers are there, and nothing of it is with
// the client yet.
func (a *attempt) arrived(res *http.Response) error {
	x := a.x
	a.took = time.Since(a.began)
	a.status = res.StatusCode
	if a.up.variant == rollout.New {
		again := x.mayRepeat(true)
		if !x.stillNew() {
			if again {
				return errTakenBack
			}
			a.late = true
		}
		if a.status >= http.StatusInternalServerError && again {
			return fmt.Errorf("%w: status %d", errStatus, a.status)
		}
	}
	a.stream = a.status == http.StatusSwitchingProtocols || isEventStream(res)
	limit := x.g.config.AnswerTimeout - a.took
	if a.stream {
		limit = 0
	}
	if !a.clock.answered(limit) {
		return errTimeout
	}
	cleanAnswer(res.Header)
	x.describe(a, res.Header)
	x.w.quiet = false
	if q := x.g.config.Quality.Header; q != "" {
		a.quality = res.Header.Get(q)
	}
	if a.stream {
		control := http.NewResponseController(x.w)
		_ = control.SetReadDeadline(time.Time{})
		_ = control.SetWriteDeadline(time.Time{})
		x.record(a)
		x.g.streams.add(a)
	}
	if a.status != http.StatusSwitchingProtocols {
		a.answer = x.captureFor(a, res)
		res.Body = &watched{ReadCloser: res.Body, a: a}
	}
	return nil
}

// watched is an answer's body. It takes the time that the service takes, and not the
// one that the client takes.
type watched struct {
	io.ReadCloser
	a *attempt
}

func (w *watched) Read(p []byte) (int, error) {
	began := time.Now()
	n, err := w.ReadCloser.Read(p)
	w.a.took += time.Since(began)
	if w.a.answer != nil {
		w.a.answer.add(p[:n])
	}
	switch {
	case errors.Is(err, io.EOF):
		if w.a.answer != nil {
			w.a.answer.end()
		}
	case err != nil:
		w.a.broke = err
	}
	return n, err
}

// reached reports whether the request may have come to the upstream.
func (a *attempt) reached() bool {
	var op *net.OpError
	return !errors.Is(a.err, errSaturated) && (!errors.As(a.err, &op) || op.Op != "dial")
}

// reason is why the answer did not serve, or not to its end; empty if it did.
func (a *attempt) reason() string {
	err := a.err
	if err == nil {
		err = a.broke
	}
	var inTime net.Error
	switch {
	case err == nil:
		return ""
	case errors.Is(err, errSaturated):
		return reasonSaturated
	case a.x.gone():
		return reasonCanceled
	case errors.Is(err, errTakenBack), errors.Is(context.Cause(a.ctx), errTakenBack), errors.Is(context.Cause(a.ctx), errStopping):
		return reasonTakenBack
	case errors.Is(err, errStatus):
		return reasonStatus
	case errors.Is(err, errTimeout), errors.Is(context.Cause(a.ctx), errTimeout), errors.As(err, &inTime) && inTime.Timeout():
		if a.x.body.waiting.Load() {
			return reasonCanceled // the client did not send its body
		}
		return reasonTimeout
	}
	return reasonError
}

// gone reports whether the client gave up.
func (x *exchange) gone() bool { return x.r.Context().Err() != nil || x.body.broken.Load() }

// clock ends an attempt that takes too long.
type clock struct {
	mu    sync.Mutex
	timer *time.Timer
	fixed bool // the answer began: the end of the request's body changes nothing any more
}

func (c *clock) start(d time.Duration, cancel context.CancelCauseFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.timer = time.AfterFunc(d, func() { cancel(errTimeout) })
}

// set begins anew and runs also, unless the time is over or the answer began.
func (c *clock) set(d time.Duration, also func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.fixed && c.timer.Stop() {
		c.timer.Reset(d)
		also()
	}
}

// answered leaves the given time for the rest of the answer, or for ever if it is 0;
// false if it comes too late.
func (c *clock) answered(rest time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fixed = true
	if !c.timer.Stop() {
		return false
	}
	if rest != 0 {
		c.timer.Reset(rest)
	}
	return true
}

func (c *clock) stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fixed = true
	c.timer.Stop()
}
