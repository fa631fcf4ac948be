package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/api"
)

type replayCmd struct {
	Path        string `arg:"" help:"A text file, or a folder: every .txt and .md file below it."`
	Users       int    `required:"" placeholder:"N" help:"As how many users."`
	Whole       bool   `help:"Send whole files instead of paragraphs."`
	Language    string `placeholder:"CODE" help:"The texts' language; found out for each if not given."`
	Prefix      string `default:"replay-" placeholder:"TEXT" help:"What the users' ids begin with; a number follows."`
	Concurrency int    `short:"c" default:"4" placeholder:"N" help:"How many texts at once."`
}

// Help is shown by --help.
func (replayCmd) Help() string {
	return `Every text is sent at least once, and every user sends at least one. The users are PREFIX1 to PREFIXN, so that another run meets the same cohorts.`
}

const (
	maxReplayUsers       = 1_000_000
	maxReplayConcurrency = 256
)

// Run sends the texts and compares the architectures.
func (cmd replayCmd) Run(ctx context.Context, s *session) error {
	if cmd.Users < 1 || cmd.Users > maxReplayUsers {
		return usage(fmt.Sprintf("--users %d is out of range", cmd.Users), fmt.Sprintf("give 1 to %d users", maxReplayUsers))
	}
	if cmd.Concurrency < 1 || cmd.Concurrency > maxReplayConcurrency {
		return usage(fmt.Sprintf("--concurrency %d is out of range", cmd.Concurrency), fmt.Sprintf("give 1 to %d", maxReplayConcurrency))
	}
	texts, err := s.textsBelow(ctx, cmd.Path, cmd.Whole)
	if err != nil {
		return err
	}
	c, err := s.connectDataPlane(ctx)
	if err != nil {
		return err
	}
	defer c.close() //nolint:errcheck // outcomes that cannot be stored are logged
	tally, err := cmd.send(ctx, s, c, texts)
	if err != nil && tally.sent() == 0 {
		return err
	}
	if reportErr := tally.report(s); err == nil {
		err = reportErr
	}
	return err
}

// send makes the requests. One that is refused is counted; the first that fails
// altogether, such as for a server that is gone, ends the replay.
func (cmd replayCmd) send(ctx context.Context, s *session, c *client, texts []string) (*replayTally, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	total := max(len(texts), cmd.Users)
	tally := newReplayTally(len(texts), cmd.Users)
	progress := startProgress(s, total)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(cmd.Concurrency, total) {
		workers.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= total {
					return
				}
				if err := cmd.sendOne(ctx, c, texts[i%len(texts)], i%cmd.Users, tally); err != nil {
					cancel(err)
					return
				}
				progress.step()
			}
		})
	}
	workers.Wait()
	progress.end()
	tally.took = time.Since(tally.began)
	return tally, context.Cause(ctx)
}

func (cmd replayCmd) sendOne(ctx context.Context, c *client, text string, user int, tally *replayTally) error {
	id := fmt.Sprintf("%s%d", cmd.Prefix, user+1)
	var found api.Extraction
	_, err := c.post(ctx, "/api/v1/extract", extractBody{UserID: id, Text: text, Language: cmd.Language}, &found)
	if refused := new(problemError); errors.As(err, &refused) && refused.Status != 401 && refused.Status != 403 {
		tally.refuse(refused)
		return nil
	}
	if err != nil {
		return err
	}
	tally.count(user, found)
	return nil
}

// cohortTally is what one architecture did in a replay.
type cohortTally struct {
	users        map[int]bool
	texts        int
	fallbacks    int // texts of the new cohort that old served
	descriptions int
	times        []float64 // processing times in milliseconds
}

// replayTally collects a replay. It is safe for concurrent use.
type replayTally struct {
	texts, users int
	began        time.Time
	took         time.Duration

	mu      sync.Mutex
	cohorts map[string]*cohortTally
	refused int
	refusal *problemError // the first
}

func newReplayTally(texts, users int) *replayTally {
	return &replayTally{texts: texts, users: users, began: time.Now(), cohorts: map[string]*cohortTally{
		"old": {users: map[int]bool{}}, "new": {users: map[int]bool{}},
	}}
}

func (t *replayTally) count(user int, found api.Extraction) {
	t.mu.Lock()
	defer t.mu.Unlock()
	cohort := t.cohorts[found.Architecture]
	if cohort == nil {
		return
	}
	cohort.users[user] = true
	cohort.texts++
	cohort.descriptions += len(found.Descriptions)
	cohort.times = append(cohort.times, found.ProcessingTimeMS)
	if found.Fallback {
		cohort.fallbacks++
	}
}

func (t *replayTally) refuse(p *problemError) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.refused++
	t.refusal = cmp.Or(t.refusal, p)
}

func (t *replayTally) sent() int {
	return t.cohorts["old"].texts + t.cohorts["new"].texts + t.refused
}
