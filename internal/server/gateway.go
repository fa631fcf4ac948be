package server

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/gateway"
)

// Gateway says how an instance stands in front of two services.
type Gateway struct {
	// Addr is host:port to listen on; port 0 chooses a free one.
	Addr string
	// Config is the gateway's; what it shares with the instance is filled in.
	Config gateway.Config
	// Ready, if set, is called once the gateway listens, with its base URL.
	Ready func(url string)
}

// gateway decides by the instance's follower and counts in its outcomes; nil if none
// is configured.
func (p *dataPlane) gateway(config Config) (*gateway.Gateway, error) {
	if config.Gateway == nil {
		return nil, nil
	}
	c := config.Gateway.Config
	c.Shadow = config.Shadow
	c.Shadow.Recorder = p.shadows
	c.Follower, c.Keyer, c.Sealer, c.Recorder = p.follower, p.keyer, p.sealer, p.recorder
	c.Registry, c.Logger = p.registry, p.log
	return gateway.New(c)
}

// gatewayFront is the HTTP server of the gateway. Like the API's it serves from the
// start: an instance that waits for its database sends everyone to old.
type gatewayFront struct {
	listener net.Listener
	server   *http.Server
	shown    atomic.Pointer[gateway.Gateway] // nil before the first
	ready    func(url string)
	failed   chan error
}

// newGatewayFront refuses a bad configuration before anything else happens; nil if
// none is configured.
func newGatewayFront(ctx context.Context, config Config) (*gatewayFront, error) {
	if config.Gateway == nil {
		return nil, nil
	}
	c := config.Gateway.Config
	c.Logger, c.Shadow = config.Logger, config.Shadow
	if err := c.Validate(); err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", config.Gateway.Addr)
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", config.Gateway.Addr, err)
	}
	f := &gatewayFront{listener: listener, ready: config.Gateway.Ready, failed: make(chan error, 1)}
	f.server = gateway.HTTPServer(c, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.shown.Load().ServeHTTP(w, r) }))
	// Streams would never end by themselves.
	f.server.RegisterOnShutdown(func() { f.shown.Load().Close() })
	return f, nil
}

// show lets a gateway answer from now on; the first begins to serve.
func (f *gatewayFront) show(next *gateway.Gateway) {
	if f == nil {
		return
	}
	if was := f.shown.Swap(next); was != nil {
		was.Close()
		return
	}
	go func() { f.failed <- f.server.Serve(f.listener) }()
}

func (f *gatewayFront) announce(stdout io.Writer) {
	if f == nil {
		return
	}
	url := "http://" + f.listener.Addr().String()
	fmt.Fprintf(stdout, "the gateway serves on %s\n", url)
	if f.ready != nil {
		f.ready(url)
	}
}

// serve returns when the context has ended and requests under way have finished (at
// most 10 s), or when serving failed.
func (f *gatewayFront) serve(ctx context.Context) error {
	if f == nil {
		return nil
	}
	select {
	case err := <-f.failed:
		return fmt.Errorf("serving the gateway: %w", err)
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := f.server.Shutdown(grace); err != nil {
		return fmt.Errorf("stopping the gateway: %w", err)
	}
	return nil
}

// close ends what is left.
func (f *gatewayFront) close() {
	if f == nil {
		return
	}
	_ = f.server.Close() // after serve there is nothing
	_ = f.listener.Close()
	if g := f.shown.Load(); g != nil {
		g.Close()
	}
}
