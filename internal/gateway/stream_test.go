package gateway_test

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/gateway"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// echoes takes a connection over, as a WebSocket's server does, and sends back what
// comes.
var echoes = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != "websocket" || r.Header.Get("Connection") != "Upgrade" {
		http.Error(w, "no upgrade", http.StatusBadRequest)
		return
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n")
	_ = rw.Flush()
	_, _ = io.Copy(conn, rw)
})

// openSocket shakes hands as a WebSocket's client.
func (s *stand) openSocket() (net.Conn, *bufio.Reader, answer) {
	s.t.Helper()
	conn := s.raw()
	fmt.Fprint(conn, "GET /ws HTTP/1.1\r\nHost: h\r\nX-User-Id: u\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGVzdA==\r\n\r\n")
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close() // a 101 has none: what follows is the connection's
	return conn, r, answer{status: resp.StatusCode, header: resp.Header}
}

// A WebSocket passes; when its user is taken back, it ends, and the next one is on old.
func TestWebSockets(t *testing.T) {
	s := newStand(t, echoes, echoes, nil)
	conn, r, got := s.openSocket()
	if got.status != http.StatusSwitchingProtocols || got.header.Get("Nlpcanary-Architecture") != "new" || got.header.Get("Sec-WebSocket-Accept") != "x" {
		t.Fatalf("status %d, headers %v", got.status, got.header)
	}
	for _, word := range []string{"first", "second"} {
		fmt.Fprint(conn, word)
		got := make([]byte, len(word))
		if _, err := io.ReadFull(r, got); err != nil || string(got) != word {
			t.Fatalf("got %q (%v), want %q", got, err, word)
		}
	}
	if n := s.counted(rollout.New).Total().Requests; n != 1 {
		t.Errorf("%d outcomes while it is open, want 1", n)
	}
	s.apply(rollout.Rollback{Target: rollout.Disabled})
	if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("after the rollback: %v, want the end", err)
	}
	if _, _, got = s.openSocket(); got.status != http.StatusSwitchingProtocols || got.header.Get("Nlpcanary-Architecture") != "old" {
		t.Errorf("status %d, headers %v; want old", got.status, got.header)
	}
	eventually(t, "the slot is free", func() bool { return s.metric("nlpcanary_gateway_in_flight", "new") == 0 })
	if n := s.counted(rollout.New).Total(); n.Requests != 1 || n.Errors != 0 {
		t.Errorf("outcomes %+v", n)
	}
}

// Whom new refuses a WebSocket by an error, old gives one.
func TestAWebSocketFallsBack(t *testing.T) {
	s := newStand(t, echoes, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }), nil)
	if _, _, got := s.openSocket(); got.status != http.StatusSwitchingProtocols || got.header.Get("Nlpcanary-Fallback") != "status" {
		t.Errorf("status %d, headers %v", got.status, got.header)
	}
}

// Each event arrives when it is sent; longer than the time for a whole answer; until
// the user is taken back.
func TestEventStreams(t *testing.T) {
	next := make(chan string)
	s := newStand(t, says("old"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		for {
			select {
			case text := <-next:
				fmt.Fprintf(w, "data: %s\n\n", text)
				w.(http.Flusher).Flush()
			case <-r.Context().Done():
				return
			}
		}
	}), func(c *gateway.Config) {
		c.Timeout, c.NewTimeout, c.AnswerTimeout = 300*time.Millisecond, 300*time.Millisecond, 300*time.Millisecond
	})
	conn := s.raw()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: h\r\nX-User-Id: u\r\n\r\n")
	next <- "0"
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.Header.Get("Nlpcanary-Architecture") != "new" {
		t.Fatalf("%v %v", resp, err)
	}
	defer resp.Body.Close()
	lines := bufio.NewReader(resp.Body)
	began := time.Now()
	for i := 0; i == 0 || time.Since(began) < 400*time.Millisecond; i++ {
		if i > 0 {
			next <- fmt.Sprint(i)
		}
		if line, err := lines.ReadString('\n'); err != nil || line != fmt.Sprintf("data: %d\n", i) {
			t.Fatalf("event %d: %q, %v", i, line, err)
		}
		_, _ = lines.ReadString('\n')
	}
	s.apply(rollout.Rollback{Target: rollout.Disabled})
	if _, err := io.ReadAll(lines); !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		t.Errorf("after the rollback: %v, want a broken stream", err)
	}
}

// Streams do not keep a gateway from stopping.
func TestStopping(t *testing.T) {
	s := newStand(t, echoes, echoes, nil)
	_, r, _ := s.openSocket()
	s.gateway.Close()
	if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
		t.Errorf("%v, want the end", err)
	}
	if _, r, _ = s.openSocket(); r != nil {
		if _, err := r.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("a stream begins after the stop: %v", err)
		}
	}
}

// Bodies longer than what is kept stream both ways, whole, with trailers.
func TestLongBodiesAndTrailers(t *testing.T) {
	s := newStand(t, says("old"), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex()
		w.Header().Set("Trailer", "Sum")
		h := sha256.New()
		_, _ = io.Copy(io.MultiWriter(h, w), r.Body)
		w.Header().Set("Sum", fmt.Sprintf("%x %s", h.Sum(nil), r.Trailer.Get("Sent")))
	}), nil)
	for name, length := range map[string]int{"kept": 1000, "streaming": 5 << 20} {
		sent := sha256.New()
		body := io.TeeReader(io.LimitReader(strings.NewReader(strings.Repeat("some text ", length/10+1)), int64(length)), sent)
		r, err := http.NewRequestWithContext(t.Context(), "POST", s.url, io.NopCloser(body)) // in chunks
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-User-Id", "u")
		r.Trailer = http.Header{"Sent": []string{"too"}}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		got := sha256.New()
		n, err := io.Copy(got, resp.Body)
		resp.Body.Close()
		if want := fmt.Sprintf("%x too", sent.Sum(nil)); err != nil || n != int64(length) || resp.Trailer.Get("Sum") != want || fmt.Sprintf("%x too", got.Sum(nil)) != want {
			t.Errorf("%s: %d bytes, %v, trailer %q, want %q", name, n, err, resp.Trailer.Get("Sum"), want)
		}
	}
}

func TestHead(t *testing.T) {
	s := newStand(t, says("old"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "42")
		w.Header().Set("Served-By", "new")
	}), nil)
	a := s.send("HEAD", "/", "u", "")
	s.wantServed(a, "new", "STATIC", "")
	if a.header.Get("Content-Length") != "42" || a.text != "" {
		t.Errorf("headers %v, body %q", a.header, a.text)
	}
}

// A client that waits for 100 Continue gets it, whether the body is kept or streams; and
// a service may answer without it.
func TestContinue(t *testing.T) {
	for name, c := range map[string]struct {
		kept   int64
		new    http.Handler
		status int
		goOn   bool
	}{
		"kept":                  {1000, says("new"), 200, true},
		"streaming":             {1, says("new"), 200, true},
		"refused by the header": {1, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }), 403, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t, says("old"), c.new, func(g *gateway.Config) { g.MaxBuffered = c.kept })
			conn := s.raw()
			fmt.Fprint(conn, "POST / HTTP/1.1\r\nHost: h\r\nX-User-Id: u\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n")
			r := bufio.NewReader(conn)
			line, err := r.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			if goOn := strings.Contains(line, "100 Continue"); goOn != c.goOn {
				t.Fatalf("%q", line)
			}
			if !c.goOn {
				if !strings.Contains(line, "403") {
					t.Errorf("%q", line)
				}
				return
			}
			_, _ = r.ReadString('\n')
			fmt.Fprint(conn, "text")
			resp, err := http.ReadResponse(r, nil)
			if err != nil || resp.StatusCode != c.status {
				t.Fatalf("%v %v", resp, err)
			}
			defer resp.Body.Close()
			if body, _ := io.ReadAll(resp.Body); string(body) != "new POST / text" {
				t.Errorf("%q", body)
			}
		})
	}
}

// Interim answers of old pass.
func TestEarlyHintsOfOld(t *testing.T) {
	s := newStand(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Link", "</style.css>; rel=preload")
		w.WriteHeader(http.StatusEarlyHints)
	}), says("new"), nil)
	conn := s.raw()
	fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: h\r\n\r\n")
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.Contains(line, "103") {
		t.Errorf("%q, %v", line, err)
	}
}

// An answer that breaks off in the middle breaks off for the client too, and is the
// service's error; headers without end are refused.
func TestAnswersThatAreNoGood(t *testing.T) {
	s := newStand(t, says("old"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, "half")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}), nil)
	r, err := http.NewRequestWithContext(t.Context(), "GET", s.url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-User-Id", "u")
	if resp, err := http.DefaultClient.Do(r); err == nil { // it may break off before anything was passed on
		defer resp.Body.Close()
		if text, err := io.ReadAll(resp.Body); err == nil {
			t.Errorf("a broken answer looks whole: %q", text)
		}
	}
	eventually(t, "the outcome is counted", func() bool { return s.counted(rollout.New).Total().Errors == 1 })

	s = newStand(t, says("old"), http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", 100<<10))
	}), nil)
	s.wantServed(s.send("GET", "/", "u", ""), "old", "STATIC", "error")
}
