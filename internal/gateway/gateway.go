package gateway

import (
	"net/http"
	"sync"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/shadow"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// Gateway is an http.Handler. Make one with [New]; it is safe for concurrent use.
type Gateway struct {
	config   Config
	users    *finder
	guarded  []string // headers that the user depends on
	old, new *upstream
	// Copies have connections of their own, so that they take none of new's users'.
	shadowUp *upstream
	shadows  *shadow.Pool // nil without shadow traffic
	buffers  buffers
	streams  streams
	metrics  *instruments
	tell     throttle

	stop chan struct{}
	once sync.Once
	done sync.WaitGroup
}

// New checks the configuration, reads the files that it names, and starts. The
// gateway runs until [Gateway.Close].
func New(config Config) (*Gateway, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	config = config.withDefaults()
	users, err := newFinder(config.Users)
	if err != nil {
		return nil, err
	}
	old, err := newUpstream(rollout.Old, config.Old, config.TrustedProxies)
	if err != nil {
		return nil, err
	}
	canary, err := newUpstream(rollout.New, config.New, config.TrustedProxies)
	if err != nil {
		return nil, err
	}
	shadowUp, err := newUpstream(rollout.New, config.New, config.TrustedProxies)
	if err != nil {
		return nil, err
	}
	g := &Gateway{
		shadowUp: shadowUp,
		config:   config, users: users, guarded: users.guarded(), old: old, new: canary,
		streams: streams{open: map[*attempt]struct{}{}}, stop: make(chan struct{}),
	}
	g.metrics = newInstruments(g)
	if config.Shadow.Share > 0 && config.Shadow.Recorder != nil {
		g.shadows = shadow.NewPool(config.Shadow.Share, config.Shadow.Workers, config.Shadow.Queue)
	}
	g.done.Go(g.watchStreams)
	return g, nil
}

// Close ends the streams that are open, so that a server can stop, and the copies to
// new, and closes idle connections. Other requests under way go on.
func (g *Gateway) Close() {
	g.once.Do(func() { close(g.stop) })
	g.done.Wait()
	g.shadows.Close()
	g.shadowUp.transport.CloseIdleConnections()
	g.old.transport.CloseIdleConnections()
	g.new.transport.CloseIdleConnections()
}

// ServeHTTP sends one request on.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{g: g, w: &answerWriter{ResponseWriter: w, last: endsConnection(r)}, r: r, began: time.Now()}
	defer x.finish()
	if p := g.checkHead(r); p != nil {
		x.refuse(p)
		return
	}
	x.body = newBody(w, r, g.config.MaxBuffered)
	id, noUser, p := g.users.find(r, x.body)
	if p != nil {
		x.refuse(p)
		return
	}
	x.user, x.noUser = id, noUser
	x.decide()
	if x.decision.Variant == rollout.New {
		x.serveNew()
		return
	}
	x.serveOld()
}

// buffers lends what bodies are copied through.
type buffers struct{ pool sync.Pool }

// The size that httputil.ReverseProxy copies by.
const bufferSize = 32 << 10

// Get is part of httputil.BufferPool.
func (b *buffers) Get() []byte {
	if buf, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return buf[:]
	}
	return make([]byte, bufferSize)
}

// Put is part of httputil.BufferPool.
func (b *buffers) Put(buf []byte) { b.pool.Put((*[bufferSize]byte)(buf)) }

// answerWriter is the way to the client.
type answerWriter struct {
	http.ResponseWriter
	quiet bool // keep interim answers back: nothing of new's goes out before the decision is made again
	last  bool // end the connection after this answer
	begun bool
}

// WriteHeader begins the answer.
func (w *answerWriter) WriteHeader(status int) {
	interim := status < http.StatusOK && status != http.StatusSwitchingProtocols
	if interim && w.quiet {
		return
	}
	if !interim {
		w.begun = true
		if w.last {
			w.Header().Set("Connection", "close")
		}
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *answerWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
