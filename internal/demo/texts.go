package demo

import (
	"context"
	"errors"

	"github.com/nlpcanary/nlpcanary/extract"
	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/internal/prose"
)

// showTexts shows what both architectures find in one passage of each language,
// run directly: the cohorts come after.
func (s *story) showTexts(ctx context.Context) error {
	s.screen.phase("What the two architectures find")
	shown := map[string]bool{}
	for _, p := range prose.Passages() {
		if shown[p.Language] {
			continue
		}
		shown[p.Language] = true
		doc := extract.Document{ID: p.ID, Language: extract.Language(p.Language), Text: p.Text}
		old, err := extract.NewSingle().Extract(ctx, doc)
		found, errNew := s.canary.Extract(ctx, doc)
		if err := errors.Join(err, errNew); err != nil {
			return err
		}
		s.screen.passage(p.ID, old.Descriptions, found.Descriptions)
	}
	return nil
}

func (s *story) showMetrics(ctx context.Context) error {
	var m api.Metrics
	if err := s.client.admin(ctx, "GET", "metrics", nil, &m); err != nil {
		return err
	}
	s.screen.metrics(m)
	return nil
}
