package main

import (
	"context"
	"fmt"

	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/rollout"
)

type advanceCmd struct {
	changeFlags
	Yes bool `short:"y" help:"Do not ask, also on a terminal."`
}

// Run moves on to the next stage, based on the revision that was shown.
func (cmd advanceCmd) Run(ctx context.Context, s *session) error {
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close() //nolint:errcheck // the change is committed by the answer
	status, _, err := c.status(ctx)
	if err != nil {
		return err
	}
	// At the last stage there is nothing to ask: the refusal says what is next.
	if next := rollout.Stage(status.Stage) + 1; next.Valid() && !cmd.Yes && !cmd.DryRun {
		yes, err := s.confirm(ctx, advanceQuestion(status, next, s))
		if err != nil {
			return err
		}
		if !yes {
			return failed("not advanced", "nothing has changed; answer y, or give --yes, to advance")
		}
	}
	body := cmd.body()
	body.BaseRevision = status.Revision
	var changed api.StageChange
	raw, err := c.post(ctx, canaryPath+"/advance", body, &changed)
	if err != nil {
		return err
	}
	return s.answer(raw, func() { s.writeAdvance(status, changed) })
}

func advanceQuestion(status api.Status, next rollout.Stage, s *session) string {
	question := fmt.Sprintf("Advance %s from stage %s to stage %s?", status.Rollout,
		stageText(status.Stage, status.Percentage), stageText(int(next), int(next.Percentage())))
	if ends := status.SoakEndsAt; ends != nil && ends.After(s.now()) {
		question = s.errStyle.warn(fmt.Sprintf("The soak of stage %d is not over: %s are left.", status.Stage, rollout.Span(ends.Sub(s.now())))) + "\n" + question
	}
	return question
}

func (s *session) writeAdvance(status api.Status, changed api.StageChange) {
	what := "Advanced"
	if changed.DryRun {
		what = "Dry run, nothing changed. Would advance"
	}
	fmt.Fprintf(s.stdout, "%s %s: %s%s.\n", what, status.Rollout, s.stageMove(changed), revisionUnlessDry(changed.Revision, changed.DryRun))
	if soak := rollout.Stage(changed.NewStage).Soak(); soak > 0 {
		fmt.Fprintf(s.stdout, "Stage %d should stand for %s before the next one.\n", changed.NewStage, rollout.Span(soak))
	}
	s.writeWarnings(changed.Warnings)
}

// stageMove is "stage 2 EXPANDED 25 % → stage 3 HALF_ROLLOUT 50 %".
func (s *session) stageMove(changed api.StageChange) string {
	return fmt.Sprintf("stage %s → stage %s", stageText(changed.OldStage, changed.OldPercentage),
		s.style.strong(stageText(changed.NewStage, changed.NewPercentage)))
}

func revisionUnlessDry(revision int64, dry bool) string {
	if dry {
		return ""
	}
	return fmt.Sprintf(", revision %d", revision)
}

func (s *session) writeWarnings(warnings []string) {
	for _, warning := range warnings {
		fmt.Fprintf(s.stdout, "%s %s\n", s.style.warn("!"), s.style.warn(printable(warning)))
	}
}
