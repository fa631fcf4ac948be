package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/nlpcanary/nlpcanary/internal/api"
)

// client asks the demo's server over HTTP.
type client struct {
	base  string
	token string
	http  *http.Client
}

func newClient(base, token string) *client {
	return &client{base: base, token: token, http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
}

func (c *client) extract(ctx context.Context, user, text, language string) (api.Extraction, error) {
	var out api.Extraction
	err := c.call(ctx, http.MethodPost, "/api/v1/extract", map[string]string{"user_id": user, "text": text, "language": language}, &out)
	return out, err
}

func (c *client) admin(ctx context.Context, method, name string, body, out any) error {
	return c.call(ctx, method, "/api/v1/admin/nlp-canary/"+name, body, out)
}

func (c *client) call(ctx context.Context, method, path string, body, out any) error {
	var sent io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("encoding a request: %w", err)
		}
		sent = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, sent)
	if err != nil {
		return fmt.Errorf("making a request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		var p api.Problem
		if err := json.NewDecoder(resp.Body).Decode(&p); err != nil {
			return fmt.Errorf("%s %s answered %s", method, path, resp.Status)
		}
		return fmt.Errorf("%s %s answered %s: %s", method, path, resp.Status, p.Detail)
	}
	if out == nil {
		_, err := io.Copy(io.Discard, resp.Body)
		return err
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("reading the answer of %s %s: %w", method, path, err)
	}
	return nil
}
