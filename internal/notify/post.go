package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// poster sends JSON to one address.
type poster struct {
	client *http.Client
	url    string
}

// post sends the body and returns a [*Permanent] or [*Later] where the answer says so.
// No error repeats the address.
func (p poster) post(ctx context.Context, body []byte, header map[string]string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return &Permanent{errors.New("the address is not one")}
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "nlpcanary")
	for name, value := range header {
		request.Header.Set(name, value)
	}
	response, err := p.client.Do(request)
	if err != nil {
		var inner *url.Error
		if errors.As(err, &inner) {
			err = inner.Err // the outer one names the address
		}
		if errors.Is(err, ErrPrivateAddress) {
			return &Permanent{err}
		}
		return fmt.Errorf("sending: %w", err)
	}
	// What the other side says may help, but it is not ours to keep for long.
	said, _ := io.ReadAll(io.LimitReader(response.Body, 512))
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10))
	_ = response.Body.Close()
	return verdict(response, said)
}

func verdict(response *http.Response, said []byte) error {
	status := response.StatusCode
	if status >= 200 && status < 300 {
		return nil
	}
	err := fmt.Errorf("the answer is %d %s: %.200q", status, http.StatusText(status), said)
	switch {
	case status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable:
		return &Later{err, retryAfter(response.Header.Get("Retry-After"))}
	case status == http.StatusRequestTimeout || status >= 500:
		return err
	case status >= 300 && status < 400:
		return &Permanent{fmt.Errorf("the answer is a redirect (%d), and redirects are not followed: configure the address that is meant", status)}
	}
	return &Permanent{err}
}

// retryAfter reads seconds or a date; 0 if it is neither.
func retryAfter(text string) time.Duration {
	if seconds, err := strconv.Atoi(text); err == nil && seconds > 0 && seconds < 1<<20 {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, time.Until(at))
	}
	return 0
}

// encode is JSON of values that are always encodable.
func encode(value any) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, &Permanent{fmt.Errorf("encoding an alert: %w", err)}
	}
	return buffer.Bytes(), nil
}
