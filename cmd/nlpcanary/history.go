package main

import (
	"context"
	"fmt"
	"net/url"
	"strconv"

	"github.com/nlpcanary/nlpcanary/internal/api"
)

type historyCmd struct {
	Limit int `short:"n" default:"10" placeholder:"N" help:"How many entries to show."`
}

// Run lists the stage changes.
func (cmd historyCmd) Run(ctx context.Context, s *session) error {
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close() //nolint:errcheck // nothing was written
	var history api.History
	raw, err := c.get(ctx, canaryPath+"/history", url.Values{"limit": {strconv.Itoa(cmd.Limit)}}, &history)
	if err != nil {
		return err
	}
	return s.answer(raw, func() {
		t := table{header: []string{"WHEN", "STAGE", "%", "WHO", "REVISION", "WHY"}, right: map[int]bool{2: true, 4: true}}
		for _, entry := range history.History {
			t.add(timeText(entry.UpdatedAt), fmt.Sprintf("%d %s", entry.Stage, entry.StageName), strconv.Itoa(entry.Percentage),
				printable(entry.UpdatedBy), fmt.Sprint(entry.Revision), clip(printable(entry.Notes), 60))
		}
		t.write(s.stdout, s.style, "")
		if shown := int64(len(history.History)); shown < history.TotalEntries {
			fmt.Fprintln(s.stdout, s.style.quiet(fmt.Sprintf("%d of %d entries; --limit shows more", shown, history.TotalEntries)))
		}
	})
}
