package main

import (
	"context"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nlpcanary/nlpcanary/internal/api"
)

type clearCacheCmd struct {
	changeFlags
}

// Run makes every instance forget its cohort cache.
func (cmd clearCacheCmd) Run(ctx context.Context, s *session) error {
	return s.change(ctx, "POST", canaryPath+"/clear-cache", cmd.body())
}

// change makes one change whose answer is an api.Change.
func (s *session) change(ctx context.Context, method, path string, body any) error {
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close() //nolint:errcheck // the change is committed by the answer
	return s.changeWith(ctx, c, method, path, body)
}

func (s *session) changeWith(ctx context.Context, c *client, method, path string, body any) error {
	var changed api.Change
	raw, err := c.call(ctx, method, path, body, &changed)
	if err != nil {
		return err
	}
	return s.answer(raw, func() { s.writeChange(changed) })
}

// writeChange prints the API's own words, which say of a dry run, and of a change
// that was none, what they are.
func (s *session) writeChange(changed api.Change) {
	line := sentence(printable(changed.Message))
	if changed.Changed && !changed.DryRun {
		line += fmt.Sprintf(" Revision %d.", changed.Revision)
	}
	fmt.Fprintln(s.stdout, line)
	if changed.Convergence != nil {
		s.writeConvergence(changed.Convergence)
	}
	s.writeWarnings(changed.Warnings)
}

// sentence begins with a capital letter and ends with a full stop. What begins with
// a name in code stays as it is.
func sentence(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	if size > 0 && !strings.ContainsAny(strings.SplitN(text, " ", 2)[0], "_.") {
		text = string(unicode.ToUpper(first)) + text[size:]
	}
	if !strings.HasSuffix(text, ".") {
		text += "."
	}
	return text
}
