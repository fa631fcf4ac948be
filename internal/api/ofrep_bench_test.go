package api_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// BenchmarkOFREP compares one evaluation, with its request id, token, role, lease,
// decision, counters and log level, with the least that any server would do: decode
// the same JSON, hash, and encode the same JSON. Both over loopback with keep-alive.
// The aim is at least 80 % of the floor: 1.25 times its ns/op.
func BenchmarkOFREP(b *testing.B) {
	in := newInstance(b, options{config: func(c *api.Config) {
		c.Logger = slog.New(slog.NewJSONHandler(io.Discard, nil)) // at the level of a server
	}})
	floor := httptest.NewServer(http.HandlerFunc(bareEvaluation))
	defer floor.Close()
	path := "/ofrep/v1/evaluate/flags/" + rollout.KillSwitch
	for _, side := range []struct {
		name, url string
	}{{"floor", floor.URL + path}, {"ofrep", in.server.URL + path}} {
		b.Run(side.name, func(b *testing.B) {
			transport := &http.Transport{MaxIdleConnsPerHost: 64}
			defer transport.CloseIdleConnections()
			b.ReportAllocs()
			for b.Loop() {
				evaluateOnce(b, transport, side.url, in.tokens[client])
			}
		})
	}
}

func evaluateOnce(b *testing.B, transport *http.Transport, url, token string) {
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPost, url, bytes.NewReader([]byte(`{"context":{"targetingKey":"user-4711"}}`)))
	if err != nil {
		b.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	response, err := transport.RoundTrip(r)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, response.Body); err != nil || response.StatusCode != http.StatusOK {
		b.Fatalf("status %d, %v", response.StatusCode, err)
	}
	response.Body.Close()
}

// bareEvaluation is the floor.
func bareEvaluation(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Context struct {
			TargetingKey string `json:"targetingKey"`
		} `json:"context"`
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	sum := sha256.Sum256([]byte(request.Context.TargetingKey))
	bucket := int(binary.BigEndian.Uint32(sum[:4]) % 100)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(api.Evaluation{
		Key: rollout.KillSwitch, Value: bucket < 100, Variant: "new", Reason: "STATIC",
		Metadata: map[string]any{"stage": 4, "stage_name": "FULL_ROLLOUT", "percentage": 100, "bucket": bucket, "revision": 5, "region": "eu"},
	})
}

// BenchmarkOFREPHandler is the same without the network, where the difference shows
// undiluted.
func BenchmarkOFREPHandler(b *testing.B) {
	in := newInstance(b, options{config: func(c *api.Config) {
		c.Logger = slog.New(slog.NewJSONHandler(io.Discard, nil))
	}})
	path := "/ofrep/v1/evaluate/flags/" + rollout.KillSwitch
	mux := http.NewServeMux()
	mux.HandleFunc("POST /ofrep/v1/evaluate/flags/{key}", bareEvaluation)
	for _, side := range []struct {
		name    string
		handler http.Handler
	}{{"floor", mux}, {"ofrep", in.api.Handler()}} {
		b.Run(side.name, func(b *testing.B) {
			b.ReportAllocs()
			body := []byte(`{"context":{"targetingKey":"user-4711"}}`)
			reader := bytes.NewReader(body)
			r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, path, io.NopCloser(reader))
			r.ContentLength = int64(len(body))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Authorization", "Bearer "+in.tokens[client])
			for b.Loop() {
				reader.Reset(body)
				w := httptest.NewRecorder()
				side.handler.ServeHTTP(w, r)
				if w.Code != http.StatusOK {
					b.Fatal(w.Body)
				}
			}
		})
	}
}
