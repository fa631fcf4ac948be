package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

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

// showMetrics waits until the outcomes of the present stage are stored, which takes
// up to two seconds, and shows them.
func (s *story) showMetrics(ctx context.Context) error {
	var m api.Metrics
	for deadline := time.Now().Add(5 * time.Second); ; {
		if err := s.client.admin(ctx, "GET", "metrics", nil, &m); err != nil {
			return err
		}
		if measured(m.OldArchitecture) && measured(m.NewArchitecture) && *m.NewArchitecture.ErrorRate > 0 {
			break
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%w: the failures of the new architecture are not in the metrics", ErrClaimBroken)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	s.screen.metrics(m)
	return nil
}

func measured(a api.ArchitectureMetrics) bool { return a.TotalProcessed > 0 && a.ErrorRate != nil }
