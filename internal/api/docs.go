package api

import (
	"bytes"
	_ "embed" // the page and its style
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"sort"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/nlpcanary/nlpcanary/rollout"
)

//go:embed docs.html
var docsPage string

//go:embed docs.css
var docsStyle []byte

// docsOperation is an operation as the page shows it.
type docsOperation struct {
	ID, Method, Path, Tag, Summary, About, Needs string
	Params                                       []docsField
	Request, Answer                              []docsField
	RequestType, AnswerType                      string
}

// docsField is a parameter or a field of a body.
type docsField struct {
	Name, In, Kind, About string
	Required              bool
}

// The documentation is made once, from the API's own description. The page needs no
// script and no other host.

// docsPolicy lets the page use its own style and nothing else.
const docsPolicy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func (a *API) docsRoutes() {
	for _, file := range []struct {
		path, id, kind, summary string
		body                    *[]byte
	}{
		{"/openapi.json", "openapi", "application/json", "This API's description (OpenAPI 3.1)", &a.spec},
		{"/docs", "docs", "text/html; charset=utf-8", "This API's description for people", &a.page},
		{"/docs.css", "docs-style", "text/css; charset=utf-8", "The style of the description", &docsStyle},
	} {
		a.direct(huma.Operation{
			OperationID: file.id, Method: "GET", Path: file.path, Summary: file.summary,
			Responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{file.kind: {}}}},
		}, nil, func(w http.ResponseWriter, _ *http.Request) {
			h := w.Header()
			h.Set("Content-Type", file.kind)
			h.Set("Content-Security-Policy", docsPolicy)
			h.Set("Referrer-Policy", "no-referrer")
			_, _ = w.Write(*file.body) // the reader may have gone
		})
	}
}

// makeDocs writes the documentation, once all routes are registered.
func (a *API) makeDocs() error {
	var err error
	if a.spec, err = json.Marshal(a.huma.OpenAPI()); err != nil {
		return fmt.Errorf("encoding the OpenAPI document: %w", err)
	}
	page, err := template.New("docs").Parse(docsPage)
	if err != nil {
		return fmt.Errorf("reading the docs page: %w", err)
	}
	var text bytes.Buffer
	if err := page.Execute(&text, a.docs()); err != nil {
		return fmt.Errorf("making the docs page: %w", err)
	}
	a.page = text.Bytes()
	return nil
}

func (a *API) docs() any {
	spec := a.huma.OpenAPI()
	groups := map[string][]docsOperation{}
	for path, item := range spec.Paths {
		for method, op := range map[string]*huma.Operation{"GET": item.Get, "POST": item.Post, "PUT": item.Put, "DELETE": item.Delete} {
			if op != nil {
				groups[op.Tags[0]] = append(groups[op.Tags[0]], a.docsOf(method, path, op))
			}
		}
	}
	type group struct {
		Name       string
		Operations []docsOperation
	}
	var list []group
	for _, name := range []string{"data", "OFREP", "admin", "health"} {
		ops := groups[name]
		sort.Slice(ops, func(i, j int) bool { return ops[i].Path+ops[i].Method < ops[j].Path+ops[j].Method })
		list = append(list, group{name, ops})
	}
	return struct {
		Version string
		Groups  []group
	}{spec.Info.Version, list}
}

func (a *API) docsOf(method, path string, op *huma.Operation) docsOperation {
	d := docsOperation{ID: op.OperationID, Method: method, Path: path, Tag: op.Tags[0], Summary: op.Summary, About: op.Description}
	if need, guarded := op.Metadata[needs].(rollout.Permission); guarded {
		d.Needs = string(rollout.LeastRole(need))
	}
	for _, p := range op.Parameters {
		d.Params = append(d.Params, docsField{Name: p.Name, In: p.In, Kind: a.kindOf(p.Schema), About: p.Description, Required: p.Required})
	}
	if op.RequestBody != nil {
		d.Request, d.RequestType = a.fieldsOf(op.RequestBody.Content)
	}
	for _, status := range []string{"200", "201"} {
		if answer := op.Responses[status]; answer != nil {
			d.Answer, d.AnswerType = a.fieldsOf(answer.Content)
		}
	}
	return d
}

func (a *API) fieldsOf(content map[string]*huma.MediaType) ([]docsField, string) {
	var out []docsField
	for kind, media := range content {
		if media.Schema == nil {
			return nil, kind
		}
		schema := a.resolve(media.Schema)
		for name, property := range schema.Properties {
			required := false
			for _, r := range schema.Required {
				required = required || r == name
			}
			out = append(out, docsField{Name: name, Kind: a.kindOf(property), About: property.Description, Required: required})
		}
		sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
		return out, kind
	}
	return nil, ""
}

func (a *API) resolve(s *huma.Schema) *huma.Schema {
	if s.Ref == "" {
		return s
	}
	return a.huma.OpenAPI().Components.Schemas.SchemaFromRef(s.Ref)
}

func (a *API) kindOf(s *huma.Schema) string {
	if s == nil {
		return ""
	}
	if s.Ref != "" {
		return s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
	}
	kind := s.Type
	if s.Type == "array" && s.Items != nil {
		kind = "list of " + a.kindOf(s.Items)
	}
	if s.Nullable {
		kind += " or null"
	}
	if len(s.Enum) > 0 {
		if text, err := json.Marshal(s.Enum); err == nil {
			kind += " " + string(text)
		}
	}
	return kind
}
