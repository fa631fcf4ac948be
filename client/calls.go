package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// ServerError is a server's refusal.
type ServerError struct {
	Status int    // of HTTP
	Code   string // for programs, such as "unauthenticated"; empty if the answer was not nlpcanary's
	Detail string // what was wrong
	Hint   string // what would be right
	// Fields names what was wrong, where that is known.
	Fields []FieldError
}

// FieldError is what is wrong with a field of a request.
type FieldError struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

func (e *ServerError) Error() string {
	text := fmt.Sprintf("the server answered %d: %s", e.Status, e.Detail)
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}

// calls makes requests of servers.
type calls struct {
	http  *http.Client
	token string
}

// request prepares one with an id of its own, which the answer repeats.
func (c *calls) request(ctx context.Context, method, server, path string, body any) (*http.Request, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encoding a request: %w", err)
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, server+path, content)
	if err != nil {
		return nil, fmt.Errorf("making a request: %w", err)
	}
	var id [12]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand documents it)
	request.Header.Set("X-Request-Id", hex.EncodeToString(id[:]))
	request.Header.Set("Authorization", "Bearer "+c.token)
	request.Header.Set("Cache-Control", "no-store")
	request.Header.Set("User-Agent", "nlpcanary-sdk")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	return request, nil
}

// errNotOurs: something between us and the server answered what somebody else had asked.
var errNotOurs = errors.New("the answer is not to this request: is there a cache in between?")

// do sends a request. The body of the answer, which is 200 or 304, is the caller's to
// close; every other answer is a [ServerError].
func (c *calls) do(request *http.Request) (*http.Response, error) {
	response, err := c.http.Do(request)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // without the path, which may hold an outcome's id
		}
		return nil, fmt.Errorf("asking %s: %w", request.URL.Host, err)
	}
	ok := response.StatusCode == http.StatusOK || response.StatusCode == http.StatusNotModified
	if ok && response.Header.Get("X-Request-Id") == request.Header.Get("X-Request-Id") {
		return response, nil
	}
	defer response.Body.Close()
	if ok {
		return nil, fmt.Errorf("asking %s: %w", request.URL.Host, errNotOurs)
	}
	return nil, refusal(response)
}

// refusal reads a problem; what is not one comes from something in between.
func refusal(response *http.Response) error {
	var problem struct {
		Code   string       `json:"code"`
		Detail string       `json:"detail"`
		Hint   string       `json:"hint"`
		Errors []FieldError `json:"errors"`
	}
	e := &ServerError{Status: response.StatusCode, Detail: http.StatusText(response.StatusCode)}
	if json.NewDecoder(io.LimitReader(response.Body, 1<<20)).Decode(&problem) == nil && problem.Detail != "" {
		e.Code, e.Detail, e.Hint, e.Fields = problem.Code, problem.Detail, problem.Hint, problem.Errors
	}
	return e
}

// call makes a request and drops the body of its answer.
func (c *calls) call(ctx context.Context, method, server, path string, body any) error {
	request, err := c.request(ctx, method, server, path, body)
	if err != nil {
		return err
	}
	response, err := c.do(request)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, response.Body) // so that the connection can be used again
	return response.Body.Close()
}
