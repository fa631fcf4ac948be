package faultproxy_test

import (
	"bufio"
	"io"
	"net"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/faultproxy"
)

// echo is a server that answers each line with itself.
func echo(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				_, _ = io.Copy(c, c)
			}()
		}
	}()
	return listener.Addr().String()
}

type talker struct {
	net.Conn
	in *bufio.Reader
}

func connect(t *testing.T, p *faultproxy.Proxy) *talker {
	t.Helper()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &talker{c, bufio.NewReader(c)}
}

// ask sends a line and says how long its echo took.
func (c *talker) ask(t *testing.T, line string, patience time.Duration) (time.Duration, error) {
	t.Helper()
	began := time.Now()
	if _, err := c.Write([]byte(line + "\n")); err != nil {
		return 0, err
	}
	_ = c.SetReadDeadline(began.Add(patience))
	got, err := c.in.ReadString('\n')
	if err == nil && got != line+"\n" {
		t.Errorf("sent %q, got %q", line, got)
	}
	return time.Since(began), err
}

func start(t *testing.T) *faultproxy.Proxy {
	t.Helper()
	p, err := faultproxy.Listen(t.Context(), echo(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

func TestForwards(t *testing.T) {
	c := connect(t, start(t))
	if _, err := c.ask(t, "hello", 5*time.Second); err != nil {
		t.Fatal(err)
	}
}

func TestHoldsAndGoesOn(t *testing.T) {
	for name, fault := range map[string]faultproxy.Fault{"up": {HoldUp: true}, "down": {HoldDown: true}, "both": {HoldUp: true, HoldDown: true}} {
		t.Run(name, func(t *testing.T) {
			p := start(t)
			c := connect(t, p)
			if _, err := c.ask(t, "before", 5*time.Second); err != nil {
				t.Fatal(err)
			}
			p.Set(fault)
			if _, err := c.ask(t, "held", 50*time.Millisecond); err == nil {
				t.Fatal("an answer came through a black hole")
			}
			p.Set(faultproxy.Fault{})
			_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
			if got, err := c.in.ReadString('\n'); err != nil || got != "held\n" {
				t.Fatalf("after the fault %q, %v; want what was held", got, err)
			}
		})
	}
}

func TestDelaysWithoutThrottling(t *testing.T) {
	p := start(t)
	c := connect(t, p)
	p.Set(faultproxy.Fault{DelayDown: 100 * time.Millisecond})
	began := time.Now()
	for range 20 {
		if _, err := c.Write([]byte("x\n")); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
	}
	for range 20 {
		_ = c.SetReadDeadline(time.Now().Add(5 * time.Second))
		if _, err := c.in.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took < 100*time.Millisecond || took > time.Second {
		t.Errorf("20 lines with a delay of 100 ms took %s", took)
	}
}

func TestListenOnly(t *testing.T) {
	p := start(t)
	listens, works := connect(t, p), connect(t, p)
	if _, err := listens.ask(t, "LISTEN something", 5*time.Second); err != nil {
		t.Fatal(err)
	}
	p.Set(faultproxy.Fault{HoldUp: true, HoldDown: true, ListenOnly: true})
	if _, err := works.ask(t, "hello", 5*time.Second); err != nil {
		t.Errorf("a connection that does not listen was held: %v", err)
	}
	if _, err := listens.ask(t, "hello", 50*time.Millisecond); err == nil {
		t.Error("the connection that listens was not held")
	}
}

func TestReset(t *testing.T) {
	p := start(t)
	c := connect(t, p)
	if _, err := c.ask(t, "before", 5*time.Second); err != nil {
		t.Fatal(err)
	}
	p.Set(faultproxy.Fault{Reset: true})
	if _, err := c.ask(t, "after", 5*time.Second); err == nil {
		t.Error("a connection lived through a reset")
	}
	p.Set(faultproxy.Fault{})
	if _, err := connect(t, p).ask(t, "again", 5*time.Second); err != nil {
		t.Errorf("after the fault: %v", err)
	}
}
