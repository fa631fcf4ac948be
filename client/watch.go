package client

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// silence is after what time without a sign of life a stream counts as dead. Servers give
// one every 15 s.
const silence = 40 * time.Second

// Why a stream of changes ended.
var (
	errMoved  = errors.New("another server is asked now")
	errSilent = errors.New("the stream of changes is silent")
	errEnded  = errors.New("the server ended the stream of changes")
)

// Watch hears of changes from the server that is asked for the lease.
func (s *source) Watch(ctx context.Context, wake func()) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	s.mu.Lock()
	server, moved := s.servers[s.current], s.moved
	s.mu.Unlock()
	alive := time.AfterFunc(silence, func() { cancel(errSilent) })
	defer alive.Stop()
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-moved:
			cancel(errMoved)
		case <-done:
		}
	}()
	err := s.hear(ctx, server, func(line []byte) {
		alive.Reset(silence)
		if bytes.HasPrefix(line, []byte("id:")) {
			wake()
		}
	})
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// hear reads a stream line by line until it ends.
func (s *source) hear(ctx context.Context, server string, line func([]byte)) error {
	request, err := s.request(ctx, http.MethodGet, server, "/api/v1/lease/changes", nil)
	if err != nil {
		return err
	}
	response, err := s.do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		line(lines.Bytes())
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("hearing of changes: %w", err)
	}
	return errEnded
}
