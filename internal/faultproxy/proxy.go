// Package faultproxy is a TCP proxy that misbehaves on demand: it stands between an
// instance and its database when the bound on rollbacks is proven.
//
// What a fault holds back is kept and goes on when the fault ends, as TCP would send
// it again; nothing is ever lost out of the middle of a connection.
package faultproxy

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// Fault is what the proxy does to its connections.
type Fault struct {
	// HoldUp and HoldDown keep what goes to the target, or comes from it: a black hole
	// in one direction or both. A new connection is accepted and hangs.
	HoldUp, HoldDown bool
	// DelayDown is added to everything that comes from the target.
	DelayDown time.Duration
	// ListenOnly limits HoldUp and HoldDown to connections that have sent LISTEN: the
	// half-open connection on which notifications would come.
	ListenOnly bool
	// Reset breaks all connections, and each new one.
	Reset bool
}

// Proxy forwards connections to one target. It is safe for concurrent use.
type Proxy struct {
	target   string
	listener net.Listener

	mu      sync.Mutex
	fault   Fault
	changed chan struct{} // closed when the fault changes
	links   map[*link]struct{}
	closed  bool
	done    sync.WaitGroup
}

// link is one connection through the proxy.
type link struct {
	client, target net.Conn
	mu             sync.Mutex
	listens        bool
}

// Listen starts a proxy to host:port on a free port of 127.0.0.1.
func Listen(ctx context.Context, target string) (*Proxy, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for the proxy: %w", err)
	}
	p := &Proxy{target: target, listener: listener, changed: make(chan struct{}), links: map[*link]struct{}{}}
	p.done.Go(p.accept)
	return p, nil
}

// Addr is where the proxy listens, as host:port.
func (p *Proxy) Addr() string { return p.listener.Addr().String() }

// Set changes what the proxy does, from now on.
func (p *Proxy) Set(fault Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = fault
	close(p.changed)
	p.changed = make(chan struct{})
	if fault.Reset {
		for l := range p.links {
			l.reset()
		}
	}
}

// Close ends all connections and waits until everything has stopped.
func (p *Proxy) Close() error {
	p.mu.Lock()
	p.closed = true
	close(p.changed)
	p.changed = make(chan struct{})
	for l := range p.links {
		l.reset()
	}
	p.mu.Unlock()
	err := p.listener.Close()
	p.done.Wait()
	return err
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return // the listener was closed
		}
		p.done.Go(func() { p.serve(client) })
	}
}

func (p *Proxy) serve(client net.Conn) {
	dialer := net.Dialer{Timeout: 5 * time.Second}
	target, err := dialer.DialContext(context.Background(), "tcp", p.target)
	if err != nil {
		_ = client.Close() // the target is gone, and so the client learns it
		return
	}
	l := &link{client: client, target: target}
	p.mu.Lock()
	refuse := p.closed || p.fault.Reset
	if !refuse {
		p.links[l] = struct{}{}
	}
	p.mu.Unlock()
	if refuse {
		l.reset()
		return
	}
	var both sync.WaitGroup
	both.Go(func() { p.copy(l, client, target, true) })
	both.Go(func() { p.copy(l, target, client, false) })
	both.Wait()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

// piece is what was read, and the first moment at which it may go on.
type piece struct {
	data []byte
	at   time.Time
}

// copy forwards one direction. Reading goes on while pieces wait, so that a delay
// delays and does not throttle.
func (p *Proxy) copy(l *link, from, to net.Conn, up bool) {
	pieces := make(chan piece, 1024)
	var writing sync.WaitGroup
	writing.Go(func() {
		broken := false
		for next := range pieces {
			if !broken && (!p.pass(l, up, next.at) || !write(to, next.data)) {
				broken = true
				l.reset()
			}
		}
	})
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			data := bytes.Clone(buffer[:n])
			if up && bytes.Contains(bytes.ToLower(data), []byte("listen ")) {
				l.mu.Lock()
				l.listens = true
				l.mu.Unlock()
			}
			at := time.Now()
			if !up {
				at = at.Add(p.current().DelayDown)
			}
			pieces <- piece{data, at}
		}
		if err != nil {
			break
		}
	}
	close(pieces)
	writing.Wait()
	l.close()
}

func write(to net.Conn, data []byte) bool {
	_, err := to.Write(data)
	return err == nil
}

func (p *Proxy) current() Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.fault
}

// pass waits until a piece may go on; false when the proxy was closed.
func (p *Proxy) pass(l *link, up bool, at time.Time) bool {
	time.Sleep(time.Until(at))
	for {
		p.mu.Lock()
		fault, changed, closed := p.fault, p.changed, p.closed
		p.mu.Unlock()
		if closed {
			return false
		}
		hold := fault.HoldDown
		if up {
			hold = fault.HoldUp
		}
		l.mu.Lock()
		concerned := !fault.ListenOnly || l.listens
		l.mu.Unlock()
		if !hold || !concerned {
			return true
		}
		<-changed
	}
}

// reset breaks both sides hard, so that neither waits for the other.
func (l *link) reset() {
	for _, c := range []net.Conn{l.client, l.target} {
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // close with a reset
		}
	}
	l.close()
}

func (l *link) close() {
	// Closing twice, from both directions, is fine.
	_ = errors.Join(l.client.Close(), l.target.Close())
}
