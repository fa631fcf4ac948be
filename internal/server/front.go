package server

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/nlpcanary/nlpcanary/internal/gateway"
)

// front is the HTTP server. What answers may change while it serves: an instance that
// starts without its database begins with less.
type front struct {
	listener net.Listener
	server   *http.Server
	shown    atomic.Pointer[face] // nil before the first
	failed   chan error
	gateway  *gatewayFront // nil if there is none
}

// face is what answers. Its stopping is closed when it is to end, so that what would
// never end by itself, such as an event stream, ends.
type face struct {
	handler  http.Handler
	stopping chan struct{}
	gateway  *gateway.Gateway // nil if there is none
}

func newFront(listener net.Listener, log *slog.Logger) *front {
	f := &front{listener: listener, failed: make(chan error, 1)}
	f.server = &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.shown.Load().handler.ServeHTTP(w, r) }),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	f.server.RegisterOnShutdown(func() { close(f.shown.Load().stopping) })
	return f
}

// show lets a face answer from now on; the first begins to serve. It must not be called
// while the front ends.
func (f *front) show(next *face) {
	f.gateway.show(next.gateway)
	if was := f.shown.Swap(next); was != nil {
		close(was.stopping)
		return
	}
	go func() { f.failed <- f.server.Serve(f.listener) }()
}

// close ends what is left.
func (f *front) close() {
	f.gateway.close()
	_ = f.server.Close() // after serve there is nothing
}

// serve returns when the context has ended and requests under way have finished (at
// most 10 s), or when serving failed.
func (f *front) serve(ctx context.Context) error {
	serving, ctx := errgroup.WithContext(ctx)
	serving.Go(func() error { return f.serveAPI(ctx) })
	serving.Go(func() error { return f.gateway.serve(ctx) })
	return serving.Wait()
}

func (f *front) serveAPI(ctx context.Context) error {
	select {
	case err := <-f.failed:
		return fmt.Errorf("serving HTTP: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := f.server.Shutdown(grace); err != nil {
		return fmt.Errorf("stopping the HTTP server: %w", err)
	}
	return nil
}
