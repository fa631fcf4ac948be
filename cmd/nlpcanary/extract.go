package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/nlpcanary/nlpcanary/internal/api"
)

type extractCmd struct {
	File     string `arg:"" help:"The text; '-' reads stdin."`
	User     string `required:"" placeholder:"ID" help:"As which user."`
	Language string `placeholder:"CODE" help:"The text's language, such as ru or en; found out if not given."`
}

type extractBody struct {
	UserID   string `json:"user_id"`
	Text     string `json:"text"`
	Language string `json:"language,omitempty"`
}

// maxText bounds what is read of a file; the API's own limit is lower.
const maxText = 16 << 20

// Run extracts descriptions from a text.
func (cmd extractCmd) Run(ctx context.Context, s *session) error {
	text, err := s.readText(ctx, cmd.File)
	if err != nil {
		return err
	}
	c, err := s.connectDataPlane(ctx)
	if err != nil {
		return err
	}
	defer c.close() //nolint:errcheck // outcomes that cannot be stored are logged
	var found api.Extraction
	raw, err := c.post(ctx, "/api/v1/extract", extractBody{UserID: cmd.User, Text: text, Language: cmd.Language}, &found)
	if err != nil {
		return err
	}
	return s.answer(raw, func() { s.writeExtraction(found) })
}

func (s *session) readText(ctx context.Context, path string) (string, error) {
	text, err := s.readFile(ctx, path, maxText)
	switch {
	case err != nil:
		return "", err
	case !utf8.ValidString(text):
		return "", usage(fmt.Sprintf("%s is not UTF-8", path), "convert it first, for instance with 'iconv -t UTF-8'")
	case strings.TrimSpace(text) == "":
		return "", usage(fmt.Sprintf("%s is empty", path), "give a file with text")
	}
	return text, nil
}

// readFile reads a file that the person names; "-" is stdin.
func (s *session) readFile(ctx context.Context, path string, most int64) (string, error) {
	if path == "-" {
		return s.readStdin(ctx, most)
	}
	file, err := os.Open(path) //nolint:gosec // naming files is what the argument is for
	if err != nil {
		return "", fileFailure(err)
	}
	defer file.Close() //nolint:errcheck // only read
	raw, err := io.ReadAll(io.LimitReader(file, most))
	if err != nil {
		return "", fileFailure(err)
	}
	return string(raw), nil
}

// fileFailure says of a file what is wrong with it, as an invalid argument.
func fileFailure(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return &failure{exit: exitUsage, code: "invalid_arguments", message: fmt.Sprintf("cannot read %s: %v", path.Path, path.Err), hint: "check the path; '-' reads stdin", err: err}
	}
	return fmt.Errorf("reading the text: %w", err)
}

func (s *session) writeExtraction(found api.Extraction) {
	served := s.style.strong(found.Architecture)
	if found.Fallback {
		served += s.style.warn(fmt.Sprintf(" (the new architecture failed: %s)", orDash(printable(found.FallbackReason))))
	}
	fmt.Fprintf(s.stdout, "%s  %s, bucket %s, stage %d, revision %d, %s, %.2f ms: %s\n", served, found.Reason, bucketText(found.Bucket),
		found.Stage, found.Revision, orDash(found.Language), found.ProcessingTimeMS, plural(len(found.Descriptions), "description", "descriptions"))
	if len(found.Degraded) > 0 {
		fmt.Fprintf(s.stdout, "%s without %s\n", s.style.warn("!"), strings.Join(found.Degraded, ", "))
	}
	t := table{header: []string{"TYPE", "QUALITY", "CONFIDENCE", "AT", "SOURCES", "TEXT"}, right: map[int]bool{1: true, 2: true, 3: true}}
	for _, d := range found.Descriptions {
		t.add(d.Type, fmt.Sprintf("%.1f", d.Quality), fmt.Sprintf("%.2f", d.Confidence), fmt.Sprintf("%d–%d", d.Start, d.End),
			strings.Join(d.Sources, " "), clip(printable(d.Text), 72))
	}
	if len(t.rows) > 0 {
		t.write(s.stdout, s.style, "")
	}
	fmt.Fprintln(s.stdout, s.style.quiet("outcome "+found.OutcomeID))
}

func bucketText(bucket *int) string {
	if bucket == nil {
		return unmeasured
	}
	return fmt.Sprint(*bucket)
}
