package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/api"
)

// The paths of the admin API.
const (
	canaryPath   = "/api/v1/admin/nlp-canary"
	flagsPath    = "/api/v1/admin/feature-flags"
	overridePath = canaryPath + "/overrides"
	tokensPath   = "/api/v1/admin/tokens"
	settingsPath = "/api/v1/admin/settings"
	auditPath    = "/api/v1/admin/audit"
	doctorPath   = "/api/v1/admin/doctor"
)

// maxAnswer bounds what is read of an answer.
const maxAnswer = 64 << 20

// requestTime is how long one request may take, beyond what it was asked to wait.
const requestTime = 30 * time.Second

// reply is the JSON of an answer as it came.
type reply []byte

// client calls the API, of a server or in this process. It is safe for concurrent
// use.
type client struct {
	http  *http.Client
	base  string // of every URL, without a slash at its end
	token string // empty in process
	log   *slog.Logger
	end   func() error // closes what the client stands on
}

// direct reports whether the client works straight on the database.
func (c *client) direct() bool { return c.token == "" && c.base == inProcessBase }

func (c *client) close() error { return c.end() }

func (c *client) get(ctx context.Context, path string, query url.Values, into any) (reply, error) {
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return c.call(ctx, http.MethodGet, path, nil, into)
}

func (c *client) post(ctx context.Context, path string, body, into any) (reply, error) {
	return c.call(ctx, http.MethodPost, path, body, into)
}

// call makes one request. A status of 400 or more becomes a [problemError].
func (c *client) call(ctx context.Context, method, path string, body, into any) (reply, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, requestTime, errNoAnswer)
	defer cancel()
	request, err := c.request(ctx, method, path, body)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	c.log.Debug("api", "method", method, "path", request.URL.Path, "status", response.StatusCode, "took", time.Since(began))
	if response.StatusCode >= http.StatusBadRequest {
		return nil, problemOf(response, raw)
	}
	if into != nil {
		if err := json.Unmarshal(raw, into); err != nil {
			return nil, &failure{
				exit: exitError, err: err,
				message: fmt.Sprintf("%s did not answer as nlpcanary does: %v", c.base, err),
				hint:    "check that --server names an nlpcanary server of this version",
			}
		}
	}
	return raw, nil
}

func (c *client) request(ctx context.Context, method, path string, body any) (*http.Request, error) {
	var content io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encoding the request: %w", err)
		}
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, c.base+path, content)
	if err != nil {
		return nil, usage(err.Error(), "--server is a URL such as http://127.0.0.1:8080")
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	request.Header.Set("Accept", "application/json, application/problem+json")
	request.Header.Set("User-Agent", "nlpcanary/"+moduleVersion())
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	return request, nil
}

var errNoAnswer = errors.New("no answer in time")

// unreachable explains why there was no answer. An interruption by the person at
// the keyboard stays what it is.
func (c *client) unreachable(ctx context.Context, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // without the URL, which is named below
	}
	if errors.Is(context.Cause(ctx), errNoAnswer) {
		err = fmt.Errorf("%w (%s)", errNoAnswer, requestTime)
	}
	if c.direct() {
		return err
	}
	return &failure{
		exit: exitError, code: "server_unreachable", err: err,
		message: fmt.Sprintf("cannot reach %s: %v", c.base, err),
		hint:    "check --server (or NLPCANARY_SERVER) and that the server runs; without --server, --database works straight on the database",
	}
}

// problemOf reads a problem; what is not one, from a proxy in between, becomes one.
func problemOf(response *http.Response, raw []byte) error {
	problem := &problemError{}
	kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if strings.HasSuffix(kind, "json") && json.Unmarshal(raw, &problem.Problem) == nil && problem.Status != 0 {
		return problem
	}
	problem.Problem = api.Problem{
		Type: "about:blank", Title: http.StatusText(response.StatusCode), Status: response.StatusCode,
		Detail: fmt.Sprintf("the server answered %s", response.Status),
		Hint:   "check that --server names an nlpcanary server, and any proxy before it",
	}
	return problem
}

// status reads where the rollout stands.
func (c *client) status(ctx context.Context) (api.Status, reply, error) {
	var status api.Status
	raw, err := c.get(ctx, canaryPath+"/status", nil, &status)
	return status, raw, err
}

// change is the body that every change of the API takes.
type change struct {
	Note         string `json:"note,omitempty"`
	BaseRevision int64  `json:"base_revision,omitempty"`
	DryRun       bool   `json:"dry_run,omitempty"`
}

func (f changeFlags) body() change { return change{Note: f.Note, DryRun: f.DryRun} }

// basedOnNow names the revision that stands, so that a change which somebody else
// makes in between shows as a conflict.
func (f changeFlags) basedOnNow(ctx context.Context, c *client) (change, error) {
	status, _, err := c.status(ctx)
	if err != nil {
		return change{}, err
	}
	body := f.body()
	body.BaseRevision = status.Revision
	return body, nil
}
