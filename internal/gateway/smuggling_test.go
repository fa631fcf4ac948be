package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/gateway"
)

// notebook is a service that writes down what it is asked, as it takes the bytes apart
// itself: a strict reader of its own, so that nothing that net/http would hide from it
// is hidden.
type notebook struct {
	mu   sync.Mutex
	seen []string // method, path and body
	bad  []string // what a strict reader would stumble over
}

func (n *notebook) serve(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go n.talk(c)
		}
	}()
	return "http://" + l.Addr().String()
}

func (n *notebook) talk(c net.Conn) {
	defer c.Close()
	r := bufio.NewReader(c)
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return
		}
		n.strict(line)
		length, chunked := -1, 0
		for {
			header, err := r.ReadString('\n')
			if err != nil {
				return
			}
			n.strict(header)
			if header == "\r\n" {
				break
			}
			name, value, _ := strings.Cut(header, ":")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "content-length":
				if length >= 0 {
					n.stumble("two lengths")
				}
				_, _ = fmt.Sscan(value, &length)
			case "transfer-encoding":
				chunked++
			}
		}
		if chunked > 1 || (chunked == 1 && length >= 0) {
			n.stumble("two framings")
		}
		var body []byte
		if chunked == 1 {
			for {
				size := 0
				head, err := r.ReadString('\n')
				if err != nil {
					return
				}
				n.strict(head)
				if _, err := fmt.Sscanf(head, "%x\r\n", &size); err != nil {
					n.stumble("a chunk's head " + head)
					return
				}
				chunk := make([]byte, size+2)
				if _, err := io.ReadFull(r, chunk); err != nil {
					return
				}
				if size == 0 {
					break
				}
				body = append(body, chunk[:size]...)
			}
		} else if length > 0 {
			body = make([]byte, length)
			if _, err := io.ReadFull(r, body); err != nil {
				return
			}
		}
		method, rest, _ := strings.Cut(line, " ")
		path, _, _ := strings.Cut(rest, " ")
		n.mu.Lock()
		n.seen = append(n.seen, method+" "+path+" "+string(body))
		n.mu.Unlock()
		if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"); err != nil {
			return
		}
	}
}

func (n *notebook) strict(line string) {
	if !strings.HasSuffix(line, "\r\n") || strings.ContainsAny(line[:len(line)-2], "\r\x00") {
		n.stumble(fmt.Sprintf("the line %q", line))
	}
}

func (n *notebook) stumble(over string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.bad = append(n.bad, over)
}

// turn gives what was written down, and turns to an empty page.
func (n *notebook) turn() (seen, bad []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	seen, bad = n.seen, n.bad
	n.seen, n.bad = nil, nil
	return seen, bad
}

// However a request is framed, the service sees one request for it, in one framing, or
// none if it was refused; and what follows it in the same bytes is never served as
// another one, unless both ends must agree that it is one.
func TestNothingIsSmuggled(t *testing.T) {
	const user = "X-User-Id: u\r\n"
	const second = "GET /smuggled HTTP/1.1\r\nHost: h\r\n\r\n"
	cases := []struct {
		name, text string
		seen       []string // by the service; nil for refused
	}{
		{"plain", "POST /a HTTP/1.1\r\nHost: h\r\n" + user + "Content-Length: 3\r\n\r\nabc", []string{"POST /a abc"}},
		{"chunks", "POST /a HTTP/1.1\r\nHost: h\r\n" + user + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", []string{"POST /a abc"}},
		{"CL.TE", "POST /a HTTP/1.1\r\nHost: h\r\n" + user + "Content-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + second, []string{"POST /a "}},
		{"TE.CL", "POST /a HTTP/1.1\r\nHost: h\r\n" + user + "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n23\r\n" + second + "\r\n0\r\n\r\n", []string{"POST /a " + second}},
		{"TE.TE, twice", "POST /a HTTP/1.1\r\nHost: h\r\n" + user + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n" + second, nil},
		{"TE.TE, a list", "POST /a HTTP/1.1\r\nHost: h\r\n" + user + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n" + second, nil},
		{"TE, xchunked", "POST /a HTTP/1.1\r\nHost: h\r\n" + user + "Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + second, nil},
		{"TE, a space before the colon", "POST /a HTTP/1.1\r\nHost: h\r\n" + user + "Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + second, nil},
		{"TE, a vertical tab", "POST /a HTTP/1.1\r\nHost: h\r\n" + user + "Transfer-Encoding: \vchunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + second, nil},
		{"TE, a tab", "POST /a HTTP/1.1\r\nHost: h\r\n" + user + "Transfer-Encoding:\tchunked\r\nContent-Length: 40\r\n\r\n0\r\n\r\n" + second, []string{"POST /a "}},
		{"TE, quoted", "POST /a HTTP/1.1\r\nHost: h\r\n" + user + "Transfer-Encoding: \"chunked\"\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + second, nil},
		{"TE, folded", "POST /a HTTP/1.1\r\nHost: h\r\n" + user + "Transfer-Encoding:\r\n chunked\r\nContent-Length: 40\r\n\r\n0\r\n\r\n" + second, []string{"POST /a "}},
		{"TE in another header's fold", "POST /a HTTP/1.1\r\nHost: h\r\n" + user + "X: y\r\n Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc", []string{"POST /a abc"}},
		{"TE of HTTP/1.0", "POST /a HTTP/1.0\r\nHost: h\r\n" + user + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n" + second, []string{"POST /a 0\r\n\r\n"}},
		{"two lengths", "POST /a HTTP/1.1\r\nHost: h\r\n" + user + "Content-Length: 3\r\nContent-Length: 38\r\n\r\nabc" + second, nil},
		{"two lengths, the same", "POST /a HTTP/1.1\r\nHost: h\r\n" + user + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", []string{"POST /a abc"}},
		{"a list of lengths", "POST /a HTTP/1.1\r\nHost: h\r\n" + user + "Content-Length: 3, 38\r\n\r\nabc" + second, nil},
		{"a signed length", "POST /a HTTP/1.1\r\nHost: h\r\n" + user + "Content-Length: +3\r\n\r\nabc" + second, nil},
		{"a negative length", "POST /a HTTP/1.1\r\nHost: h\r\n" + user + "Content-Length: -3\r\n\r\nabc" + second, nil},
		{"a length in hexadecimal", "POST /a HTTP/1.1\r\nHost: h\r\n" + user + "Content-Length: 0x3\r\n\r\nabc" + second, nil},
		{"a huge length", "POST /a HTTP/1.1\r\nHost: h\r\n" + user + "Content-Length: 18446744073709551619\r\n\r\nabc" + second, nil},
		{"a length under an alias", "POST /a HTTP/1.1\r\nHost: h\r\n" + user + "Content_Length: 38\r\nContent-Length: 3\r\n\r\nabc", []string{"POST /a abc"}},
		{"bare LF", "POST /a HTTP/1.1\nHost: h\nX-User-Id: u\nContent-Length: 3\n\nabc", []string{"POST /a abc"}},
		{"bare CR", "POST /a HTTP/1.1\r\nHost: h\r\n" + user + "X: y\rContent-Length: 3\r\n\r\nabc", nil},
		{"bare LF in chunks", "POST /a HTTP/1.1\r\nHost: h\r\n" + user + "Transfer-Encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n", nil},
		{"NUL in a header", "GET /a HTTP/1.1\r\nHost: h\r\n" + user + "X: a\x00b\r\n\r\n", nil},
		{"NUL in a name", "GET /a HTTP/1.1\r\nHost: h\r\n" + user + "X\x00Y: a\r\n\r\n", nil},
		{"NUL in the path", "GET /a\x00 HTTP/1.1\r\nHost: h\r\n" + user + "\r\n", nil},
		{"chunk extensions", "POST /a HTTP/1.1\r\nHost: h\r\n" + user + "Transfer-Encoding: chunked\r\n\r\n3;x=\"y\"\r\nabc\r\n0;z\r\n\r\n", []string{"POST /a abc"}},
		{"a chunk's size with a prefix", "POST /a HTTP/1.1\r\nHost: h\r\n" + user + "Transfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n0\r\n\r\n" + second, nil},
		{"a chunk's size too large", "POST /a HTTP/1.1\r\nHost: h\r\n" + user + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff3\r\nabc\r\n0\r\n\r\n" + second, nil},
		{"a chunk longer than it says", "POST /a HTTP/1.1\r\nHost: h\r\n" + user + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n" + second, nil},
		{"a length in the trailer", "POST /a HTTP/1.1\r\nHost: h\r\n" + user + "Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n3\r\nabc\r\n0\r\nContent-Length: 99\r\n\r\n", nil},
		{"two hosts", "GET /a HTTP/1.1\r\nHost: h\r\nHost: i\r\n" + user + "\r\n", nil},
		{"no host", "GET /a HTTP/1.1\r\n" + user + "\r\n", nil},
		{"a GET with a body", "GET /a HTTP/1.1\r\nHost: h\r\n" + user + "Content-Length: 35\r\n\r\n" + second, []string{"GET /a " + second}},
		{"another host in the line", "GET http://127.0.0.1:1/a HTTP/1.1\r\nHost: h\r\n" + user + "\r\n", []string{"GET /a "}},
		{"CONNECT", "CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: h\r\n" + user + "\r\n" + second, nil},
		{"pipelined, both whole", "GET /a HTTP/1.1\r\nHost: h\r\n" + user + "\r\nGET /b HTTP/1.1\r\nHost: h\r\n" + user + "\r\n", []string{"GET /a ", "GET /b "}},
		{"pipelined after chunks", "POST /a HTTP/1.1\r\nHost: h\r\n" + user + "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" + second, []string{"POST /a abc"}},
	}
	for name, kept := range map[string]int64{"kept": 1000, "streaming": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			note := &notebook{}
			upstream := note.serve(t)
			s := newStandAt(t, upstream, upstream+"/", func(g *gateway.Config) { g.MaxBuffered = kept })
			for _, c := range cases {
				conn := s.raw()
				if _, err := io.WriteString(conn, c.text); err != nil {
					t.Fatal(err)
				}
				answers := readAnswers(conn, max(1, len(c.seen)))
				conn.Close()
				seen, bad := note.turn()
				if len(bad) > 0 {
					t.Errorf("%s: the service stumbles over %q", c.name, bad)
				}
				if !slices.Equal(seen, c.seen) {
					t.Errorf("%s: the service saw %q, want %q; answers %v", c.name, seen, c.seen, answers)
				}
				if len(answers) != max(1, len(c.seen)) {
					t.Errorf("%s: answers %v to %d requests", c.name, answers, len(c.seen))
				}
				for _, status := range answers {
					if (status == 200) != (c.seen != nil) {
						t.Errorf("%s: answers %v", c.name, answers)
					}
				}
			}
		})
	}
}

// readAnswers reads statuses: as many as are expected, and more if more come.
func readAnswers(conn net.Conn, expected int) []int {
	var statuses []int
	for r := bufio.NewReader(conn); ; {
		within := 10 * time.Second
		if len(statuses) >= expected {
			within = 50 * time.Millisecond // nothing more should come
		}
		_ = conn.SetReadDeadline(time.Now().Add(within))
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			return statuses
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		statuses = append(statuses, resp.StatusCode)
	}
}

// A client can neither delete nor forge what the gateway tells the services.
func TestHeadersThatClientsMayNotSend(t *testing.T) {
	got := make(chan http.Header, 1)
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got <- r.Header.Clone()
		w.Header().Set("Nlpcanary-Architecture", "forged")
		w.Header().Set("Nlpcanary_reason", "forged")
	})
	s := newStand(t, says("old"), echo, nil)
	a := s.send("GET", "/", "u", "", "X-Forwarded-For", "6.6.6.6", "X_Forwarded_For", "6.6.6.6", "Forwarded", "for=6.6.6.6",
		"Nlpcanary-Shadow", "1", "NLPCANARY_SHADOW", "1", "Connection", "X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto, X-Other", "X-Other", "o", "X-Kept", "k")
	if a.status != 200 || a.header.Get("Nlpcanary-Architecture") != "new" || a.header["Nlpcanary_reason"] != nil {
		t.Errorf("status %d, headers %v", a.status, a.header)
	}
	h := <-got
	if h.Get("X-Forwarded-For") != "127.0.0.1" || h.Get("X-Forwarded-Host") == "" || h.Get("X-Forwarded-Proto") != "http" || h.Get("X-Kept") != "k" || h.Get("X-User-Id") != "u" {
		t.Errorf("the service got %v", h)
	}
	for _, name := range []string{"Forwarded", "X_forwarded_for", "Nlpcanary-Shadow", "Nlpcanary_shadow", "X-Other"} {
		if h[name] != nil {
			t.Errorf("the service got %s", name)
		}
	}
	for _, connection := range []string{"X-User-Id", "close, x-user-id"} {
		if a := s.send("GET", "/", "u", "", "Connection", connection); a.status != 400 || !strings.Contains(a.text, "ambiguous_user") {
			t.Errorf("Connection: %s gives %d %s", connection, a.status, a.text)
		}
	}
}

func TestForwardedHeadersOfATrustedProxy(t *testing.T) {
	got := make(chan http.Header, 1)
	s := newStand(t, says("old"), http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header.Clone() }), func(c *gateway.Config) {
		c.TrustedProxies = prefixes("127.0.0.0/8")
	})
	s.send("GET", "/", "u", "", "X-Forwarded-For", "10.1.1.1", "X-Forwarded-Proto", "https", "X-Forwarded-Host", "nlp.example")
	h := <-got
	if h.Get("X-Forwarded-For") != "10.1.1.1, 127.0.0.1" || h.Get("X-Forwarded-Proto") != "https" || h.Get("X-Forwarded-Host") != "nlp.example" {
		t.Errorf("the service got %v", h)
	}
}
