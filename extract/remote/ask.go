package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/nlpcanary/nlpcanary/extract"
)

// ask makes one request and reads its answer.
func (s *Service) ask(ctx context.Context, doc extract.Document) (extract.Result, error) {
	body, err := s.speaker.request(doc)
	if err != nil {
		return extract.Result{}, fmt.Errorf("encoding the request: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.speaker.target(), bytes.NewReader(body))
	if err != nil {
		return extract.Result{}, fmt.Errorf("making the request: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	// Extraction can be repeated: this lets net/http send the request again if an idle
	// connection turns out to be closed. An empty value is not sent.
	request.Header["Idempotency-Key"] = []string{}
	answer, err := s.client.Do(request)
	if err != nil {
		return extract.Result{}, fmt.Errorf("calling the service: %w", withoutURL(err))
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		s.drain(answer.Body)
		return extract.Result{}, &StatusError{answer.StatusCode}
	}
	raw, err := io.ReadAll(io.LimitReader(answer.Body, s.config.MaxResponse+1))
	if err != nil {
		return extract.Result{}, fmt.Errorf("reading the answer: %w", withoutURL(err))
	}
	if int64(len(raw)) > s.config.MaxResponse {
		return extract.Result{}, wrong("it is longer than %d bytes", s.config.MaxResponse)
	}
	return s.speaker.answer(doc, raw)
}

// drain reads the rest of a short answer, so that its connection can be used again.
func (s *Service) drain(body io.Reader) {
	const short = 4 << 10
	_, _ = io.CopyN(io.Discard, body, short) // what cannot be read costs a connection
}

// withoutURL takes the address off an error: it may hold a password, and the name of
// the architecture says enough.
func withoutURL(err error) error {
	var at *url.Error
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
