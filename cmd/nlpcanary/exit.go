package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// The exit codes. They are a fixed point of the product.
const (
	exitOK          = 0
	exitError       = 1
	exitUsage       = 2   // invalid arguments
	exitDatabase    = 3   // the database cannot be opened, reached or used
	exitInterrupted = 130 // by Ctrl-C
)

// codeDatabase is the code of the API's problem when its database fails.
const codeDatabase = "database_unavailable"

// failure is an error with its exit code and what to do next.
type failure struct {
	exit    int
	message string
	hint    string
	code    string // for programs, with --json
	err     error  // the cause, if there is one
}

func (f *failure) Error() string { return f.message }
func (f *failure) Unwrap() error { return f.err }

func usage(message, hint string) error {
	return &failure{exit: exitUsage, message: message, hint: hint, code: "invalid_arguments"}
}

func failed(message, hint string) error {
	return &failure{exit: exitError, message: message, hint: hint}
}

// problemError is a problem that the API answered with.
type problemError struct {
	api.Problem
}

func (p *problemError) Error() string {
	text := p.Detail
	if text == "" {
		text = p.Title
	}
	for _, field := range p.Errors {
		if field.Message == "" || strings.Contains(text, field.Message) {
			continue
		}
		text += "\n  " + strings.TrimPrefix(field.Field+": ", ": ") + field.Message
	}
	return text
}

// explain is the one place that maps errors to exit codes and advice.
func explain(err error) *failure {
	var known *failure
	if errors.As(err, &known) {
		return known
	}
	var problem *problemError
	if errors.As(err, &problem) {
		return &failure{exit: problemExit(problem.Problem), message: problem.Error(), hint: problemHint(problem.Problem), code: problem.Code, err: err}
	}
	var refusal *rollout.Refusal
	switch {
	case errors.As(err, &refusal):
		exit := exitError
		if refusal.Code == rollout.CodeInvalid {
			exit = exitUsage
		}
		return &failure{exit: exit, message: refusal.Message, hint: refusal.Hint, code: string(refusal.Code), err: err}
	case errors.Is(err, store.ErrNotMigrated):
		return &failure{
			exit: exitDatabase, message: err.Error(), code: "not_migrated", err: err,
			hint: "is it the right database? --database (or NLPCANARY_DATABASE_URL) names another",
		}
	case errors.Is(err, store.ErrNewerSchema):
		return &failure{exit: exitDatabase, message: err.Error(), hint: "use the nlpcanary that this database was last served by, or a newer one", code: "newer_schema", err: err}
	case errors.Is(err, store.ErrDatabase):
		return &failure{
			exit: exitDatabase, message: err.Error(), code: codeDatabase, err: err,
			hint: "check --database (or NLPCANARY_DATABASE_URL) and that the database runs; on an instance itself, its kill file sends everyone to old without the database",
		}
	}
	return &failure{exit: exitError, message: err.Error(), err: err}
}

func problemExit(p api.Problem) int {
	switch {
	case p.Code == codeDatabase:
		return exitDatabase
	case p.Status == http.StatusBadRequest, p.Status == http.StatusRequestEntityTooLarge, p.Status == http.StatusUnprocessableEntity:
		return exitUsage
	}
	return exitError
}

func problemHint(p api.Problem) string {
	switch {
	case p.Code == string(rollout.CodeNotARollback):
		return "to move on to a higher stage, run 'nlpcanary advance'"
	case p.Hint != "":
		return p.Hint
	case p.Status == http.StatusUnauthorized:
		return "put a token in NLPCANARY_TOKEN; 'nlpcanary token create NAME --role ROLE' on the database makes one"
	case p.Code == codeDatabase:
		return "check that the server's database runs"
	}
	return ""
}

// report tells on stderr what was wrong and what to do next.
func (s *session) report(err error) int {
	f := explain(err)
	if s.JSON {
		s.reportJSON(f)
		return f.exit
	}
	// A database driver tells of each attempt in a line, and tries some of them twice.
	lines := slices.Compact(strings.Split(s.redact(f.message), "\n"))
	fmt.Fprintf(s.stderr, "%s %s\n", s.errStyle.bad("nlpcanary:"), strings.Join(lines, "\n"))
	if f.hint != "" {
		fmt.Fprintf(s.stderr, "  → %s\n", s.redact(f.hint))
	}
	if p := new(problemError); s.Verbose && errors.As(err, &p) && p.RequestID != "" {
		fmt.Fprintf(s.stderr, "  request %s\n", p.RequestID)
	}
	return f.exit
}

// localProblem is an RFC 9457 problem of the command itself: it has no HTTP status.
type localProblem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"`
	Code   string `json:"code,omitempty"`
}

func (s *session) reportJSON(f *failure) {
	var body any = localProblem{Type: "about:blank", Title: "Error", Detail: s.redact(f.message), Hint: s.redact(f.hint), Code: f.code}
	var problem *problemError
	if errors.As(f.err, &problem) {
		body = problem.Problem
	}
	text, err := json.MarshalIndent(body, "", "  ")
	if err != nil {
		text = []byte(fmt.Sprintf("{\"detail\": %q}", f.message))
	}
	fmt.Fprintf(s.stderr, "%s\n", text)
}

// redact takes the database's password out of a text, wherever it came from. The
// store's errors do not repeat it; this is for what comes from below the store.
func (s *session) redact(text string) string {
	for _, raw := range []string{s.Database, s.env.get("NLPCANARY_DATABASE_URL")} {
		for _, secret := range passwordsIn(raw) {
			text = strings.ReplaceAll(text, secret, "xxxxx")
		}
	}
	return text
}

// minSecret keeps a very short password from being blanked out inside of words,
// which would both mangle the text and give the password away.
const minSecret = 4

// passwordsIn finds the password of a database URL, as written and as meant, and its
// parts: a parser may have cut the URL at an "@" in the password.
func passwordsIn(raw string) []string {
	_, rest, isURL := strings.Cut(raw, "://")
	if !isURL {
		return nil
	}
	var found []string
	add := func(password string) {
		if len(password) >= minSecret {
			found = append(found, password)
		}
	}
	// By hand: a URL that does not parse holds a password all the same.
	if at := strings.LastIndex(rest, "@"); at >= 0 {
		_, password, _ := strings.Cut(rest[:at], ":")
		for _, part := range append([]string{password}, strings.Split(password, "@")...) {
			add(part)
			if plain, err := url.PathUnescape(part); err == nil && plain != part {
				add(plain)
			}
		}
	}
	if u, err := url.Parse(raw); err == nil {
		add(u.Query().Get("password"))
	}
	return found
}
