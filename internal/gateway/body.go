package gateway

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// body is a request's body: none, kept whole in memory so that it can be sent twice,
// or streaming through.
type body struct {
	w     http.ResponseWriter
	r     *http.Request
	limit int64 // of what is kept

	none  bool
	kept  bool
	whole []byte    // if kept
	rest  io.Reader // what streams, if a beginning was read in vain

	// What happened to a streaming body. It is read by the transport's goroutine.
	touched atomic.Bool // something was read of it for an upstream
	waiting atomic.Bool // a read waits for the client
	broken  atomic.Bool // the client did not send it to its end
}

func newBody(w http.ResponseWriter, r *http.Request, limit int64) *body {
	return &body{w: w, r: r, limit: limit, none: r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0}
}

// keepWithin is how long a body that is kept may take to arrive.
const keepWithin = 30 * time.Second

// keep reads the body into memory unless it is longer than the limit. What was read
// in vain streams before the rest.
func (b *body) keep() *problem {
	if b.none || b.kept || b.rest != nil || b.r.ContentLength > b.limit {
		return nil
	}
	control := http.NewResponseController(b.w)
	_ = control.SetReadDeadline(time.Now().Add(keepWithin)) // a writer in a test may have none
	var buf bytes.Buffer
	if n := b.r.ContentLength; n > 0 {
		buf.Grow(int(n) + bytes.MinRead)
	}
	_, err := buf.ReadFrom(io.LimitReader(b.r.Body, b.limit+1))
	if err != nil {
		return &problem{status: http.StatusBadRequest, code: "incomplete_body", detail: "the body did not arrive to its end", hint: "send as many bytes as Content-Length says, in good time", ends: true}
	}
	_ = control.SetReadDeadline(time.Time{})
	if int64(buf.Len()) > b.limit {
		b.rest = io.MultiReader(&buf, b.r.Body)
		return nil
	}
	b.kept, b.whole = true, buf.Bytes()
	return nil
}

// repeatable reports whether the body can be sent to an upstream, once more if it was
// sent already.
func (b *body) repeatable() bool { return b.none || b.kept || !b.touched.Load() }

// put makes the body that of a request to an upstream. A streaming one calls ended
// when it was read to its end, and copies what is read into copied, if there is one.
func (b *body) put(out *http.Request, copied *capture, ended func()) {
	switch {
	case b.none:
		out.Body, out.ContentLength = http.NoBody, 0
	case b.kept:
		out.Body = io.NopCloser(bytes.NewReader(b.whole))
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.whole)), nil }
		if len(out.Trailer) == 0 { // trailers go only after chunks
			out.ContentLength, out.TransferEncoding = int64(len(b.whole)), nil
		}
		if copied != nil {
			copied.add(b.whole)
			copied.end()
		}
	default:
		var from io.Reader = b.r.Body
		if b.rest != nil {
			from = b.rest
		}
		out.Body = &streamed{body: b, from: from, copied: copied, ended: ended}
	}
}

// streamed is a body on its way from the client to an upstream.
type streamed struct {
	body   *body
	from   io.Reader
	copied *capture
	ended  func()
}

func (s *streamed) Read(p []byte) (int, error) {
	s.body.touched.Store(true)
	s.body.waiting.Store(true)
	n, err := s.from.Read(p)
	s.body.waiting.Store(false)
	if s.copied != nil {
		s.copied.add(p[:n])
	}
	switch {
	case errors.Is(err, io.EOF):
		if s.copied != nil {
			s.copied.end()
		}
		s.ended()
	case err != nil:
		s.body.broken.Store(true)
	}
	return n, err
}

// Close leaves the client's body to the server that read it.
func (s *streamed) Close() error { return nil }

// capture is a bounded copy of a body that passes by. It has a lock because a service
// may answer while its request's body is still being read.
type capture struct {
	limit int

	mu      sync.Mutex
	data    []byte
	tooLong bool
	whole   bool // it passed by to its end
}

func (c *capture) add(p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.tooLong:
	case len(c.data)+len(p) > c.limit:
		c.tooLong, c.data = true, nil
	default:
		c.data = append(c.data, p...)
	}
}

func (c *capture) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.whole = true
}

// text is the copy; false if there is none, or not all of it.
func (c *capture) text() ([]byte, bool) {
	if c == nil {
		return nil, false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.data, c.whole && !c.tooLong
}
