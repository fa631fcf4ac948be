package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// document is the part of an OpenAPI document that tests look at.
type document struct {
	OpenAPI string `json:"openapi"`
	Info    struct{ Title, Version string }
	Paths   map[string]map[string]operation
	Comps   struct {
		Schemas         map[string]any `json:"schemas"`
		SecuritySchemes map[string]any `json:"securitySchemes"`
	} `json:"components"`
}

type operation struct {
	OperationID string
	Summary     string
	Security    []map[string][]string
	Parameters  []struct{ Name, In string }
	Responses   map[string]struct {
		Description string
		Content     map[string]struct{ Schema any }
	}
}

func readDocument(tb testing.TB, in *instance) document {
	tb.Helper()
	var d document
	in.do(tb, call{method: "GET", path: "/openapi.json"}).ok(tb, &d)
	return d
}

// documented lists the routes of the OpenAPI document, such as "GET /livez".
func documented(tb testing.TB, in *instance) map[string]operation {
	tb.Helper()
	routes := map[string]operation{}
	for path, item := range readDocument(tb, in).Paths {
		for method, op := range item {
			routes[strings.ToUpper(method)+" "+path] = op
		}
	}
	return routes
}

func TestTheOpenAPIDocumentIsComplete(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{})
	d := readDocument(t, in)
	if !strings.HasPrefix(d.OpenAPI, "3.1") || d.Info.Title == "" || d.Info.Version == "" {
		t.Errorf("openapi %q, info %+v", d.OpenAPI, d.Info)
	}
	text := in.do(t, call{method: "GET", path: "/openapi.json"}).text
	for _, part := range strings.Split(text, `"$ref":"`)[1:] {
		ref, _, _ := strings.Cut(part, `"`)
		if _, found := d.Comps.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")]; !found {
			t.Errorf("%s leads nowhere", ref)
		}
	}
	routes, ids := documented(t, in), map[string]bool{}
	for _, row := range matrix {
		if _, found := routes[row.route]; !found {
			t.Errorf("%s is not in the OpenAPI document", row.route)
		}
	}
	for route, op := range routes {
		if op.Summary == "" || op.OperationID == "" || ids[op.OperationID] {
			t.Errorf("%s: summary %q, operation id %q", route, op.Summary, op.OperationID)
		}
		ids[op.OperationID] = true
		for status, response := range op.Responses {
			if response.Description == "" {
				t.Errorf("%s: the response %s has no description", route, status)
			}
		}
		for _, part := range strings.Split(route, "{")[1:] {
			name, _, _ := strings.Cut(part, "}")
			if !slices.ContainsFunc(op.Parameters, func(p struct{ Name, In string }) bool { return p.Name == name && p.In == "path" }) {
				t.Errorf("%s: the path parameter %s is not described", route, name)
			}
		}
		guarded := len(op.Security) > 0
		if _, known := d.Comps.SecuritySchemes["bearer"]; guarded && !known {
			t.Errorf("%s: its security scheme is not described", route)
		}
		problems := 0
		for _, response := range op.Responses {
			if _, found := response.Content["application/problem+json"]; found {
				problems++
			}
		}
		if guarded && problems == 0 {
			t.Errorf("%s describes no problem", route)
		}
	}
}

func TestDocsNeedNoOtherHost(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{})
	page := in.do(t, call{method: "GET", path: "/docs"})
	for _, word := range []string{"http://", "https://", "//cdn", "<script"} {
		if strings.Contains(page.text, word) {
			t.Errorf("the page contains %q", word)
		}
	}
	for route, op := range documented(t, in) {
		_, path, _ := strings.Cut(route, " ")
		if !strings.Contains(page.text, `id="`+op.OperationID+`"`) || !strings.Contains(page.text, path) {
			t.Errorf("the page lacks %s", route)
		}
	}
	policy := page.header.Get("Content-Security-Policy")
	if page.status != http.StatusOK || !strings.Contains(policy, "default-src 'none'") || page.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("status %d, policy %q", page.status, policy)
	}
}
