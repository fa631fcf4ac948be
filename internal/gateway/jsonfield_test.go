package gateway

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// FuzzJSONField compares with encoding/json: whatever field is found is the one that
// it finds, and what it cannot read has none.
func FuzzJSONField(f *testing.F) {
	for _, seed := range []string{`{"user":{"id":"a"}}`, `{"user":{"id":1e9},"x":[{},"]"]}`, `{"user":{"id":"\ud800"}}`, ` [1]`, `{"u\u0073er":{"id":true}}`, `{"user":{"id":"a","id":"b"}}`, `{"USER":1,"user":2}`, "{\"user\":{\"id\":\"\\\"\"}}\n", `{"":{"id":1}}`, `"`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, document []byte) {
		raw, err := jsonField(document, []string{"user", "id"})
		if errors.Is(err, errTwice) {
			return
		}
		var whole map[string]json.RawMessage
		if json.Unmarshal(document, &whole) != nil {
			if raw != nil {
				t.Fatalf("found %q in what is no object: %q", raw, document)
			}
			return
		}
		var inner map[string]json.RawMessage
		_ = json.Unmarshal(whole["user"], &inner) // no object: no field
		if want := inner["id"]; !bytes.Equal(bytes.TrimSpace(want), raw) {
			t.Fatalf("found %q, want %q in %q", raw, want, document)
		}
	})
}

// FuzzUser throws requests at the search for the user: it ends, and what it finds is a
// valid id from one place.
func FuzzUser(f *testing.F) {
	f.Add("X-User-Id", "u", "uid=c", "Bearer x", []byte(`{"user":"j"}`))
	f.Add("X_User_Id", "u", "uid=c; uid=d", "", []byte(`{"user":1}`))
	f.Add("Nlpcanary-Shadow", "", "uid=\"", "Bearer a.b.c", []byte(`{`))
	users, err := newFinder([]UserSource{{Header: "X-User-Id"}, {Cookie: "uid"}, {JSON: "/user"}})
	if err != nil {
		f.Fatal(err)
	}
	users.sources = append(users.sources, source{verifier: &verifier{header: "Authorization", claim: []string{"sub"}, keys: []key{{algorithm: "HS256", key: []byte(strings.Repeat("s", 32))}}}})
	g := &Gateway{guarded: users.guarded()}
	f.Fuzz(func(t *testing.T, name, value, cookie, token string, document []byte) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", bytes.NewReader(document))
		r.Header[http.CanonicalHeaderKey(name)] = []string{value}
		r.Header["Content-Type"] = []string{"application/json"}
		if cookie != "" {
			r.Header["Cookie"] = []string{cookie}
		}
		if token != "" {
			r.Header["Authorization"] = []string{token}
		}
		if g.checkHead(r) != nil {
			return
		}
		id, why, p := users.find(r, newBody(httptest.NewRecorder(), r, 1000))
		if _, err := rollout.ParseUserID(string(id)); (err == nil) != (p == nil && why == userKnown) {
			t.Fatalf("the user %q, %q, %v", id, why, p)
		}
	})
}
