package server_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/extract"
	"github.com/nlpcanary/nlpcanary/internal/server"
)

// slow takes its time and tells when it begins.
type slow struct {
	extract.Extractor
	began chan struct{}
}

func (s slow) Extract(ctx context.Context, doc extract.Document) (extract.Result, error) {
	close(s.began)
	time.Sleep(500 * time.Millisecond)
	return s.Extractor.Extract(ctx, doc)
}

// A stop lets requests under way finish, and ends event streams, which would not end
// by themselves.
func TestAStopFinishesRequestsAndEndsStreams(t *testing.T) {
	began := make(chan struct{})
	s := run(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"), func(c *server.Config) {
		c.New = slow{extract.NewEnsemble(), began}
	})
	do := func(method, path, body string) (*http.Response, error) {
		req, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+s.token)
		req.Header.Set("Content-Type", "application/json")
		return http.DefaultClient.Do(req)
	}
	events, err := do("GET", "/api/v1/events", "")
	if err != nil {
		t.Fatal(err)
	}
	defer events.Body.Close()
	if _, err := bufio.NewReader(events.Body).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	answered := make(chan string, 1)
	go func() {
		resp, err := do("POST", "/api/v1/extract", `{"user_id": "u", "text": "A tall woman in grey stood at the gate."}`)
		if err != nil {
			answered <- err.Error()
			return
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		answered <- resp.Status + " " + string(body)
	}()
	<-began
	stopping := time.Now()
	if err := s.stop(); err != nil {
		t.Fatal(err)
	}
	if got := <-answered; !strings.HasPrefix(got, "200 OK") || !strings.Contains(got, `"architecture":"new"`) {
		t.Errorf("the request under way was answered %s", got)
	}
	if took := time.Since(stopping); took > 5*time.Second {
		t.Errorf("stopping took %s: the event stream did not end", took)
	}
}
