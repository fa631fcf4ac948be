package api

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// ChangeInput is what every change takes beside its body.
type ChangeInput struct {
	IfMatch        string `header:"If-Match" doc:"The revision that the change is based on, as in an ETag; 412 if another came first."`
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"Repeating the request with the same key returns the first answer."`
	DryRun         bool   `query:"dry_run" doc:"Say what would happen and change nothing."`
}

// ChangeBody is the part of a body that every change takes.
type ChangeBody struct {
	Note         string `json:"note,omitempty" doc:"Why; at most 2,000 characters."`
	BaseRevision int64  `json:"base_revision,omitempty" minimum:"0" doc:"The revision that the change is based on; 409 if another came first."`
	DryRun       bool   `json:"dry_run,omitempty"`
}

// apply makes the change through the store's gate.
func (a *API) apply(ctx context.Context, in ChangeInput, body ChangeBody, change rollout.Change) (store.Applied, error) {
	base, byHeader, err := baseOf(in, body)
	if err != nil {
		return store.Applied{}, err
	}
	applied, err := a.config.Store.Apply(ctx, store.Request{
		Change: change, Actor: actor(ctx), Note: body.Note, Base: base,
		IdempotencyKey: in.IdempotencyKey, DryRun: in.DryRun || body.DryRun,
	})
	if err != nil && byHeader {
		err = preconditionError{err}
	}
	if err == nil && applied.Changed && !in.DryRun && !body.DryRun {
		a.honour(ctx, applied.State.Revision)
	}
	return applied, err
}

// honourWithin bounds the wait for this instance. Its renewal takes a millisecond or
// two; if it does not come, the change stands all the same.
const honourWithin = 250 * time.Millisecond

// honour waits until this instance honours the change, so that whoever made it sees
// it at once here: a token just made works, and one just revoked does not.
func (a *API) honour(ctx context.Context, revision int64) {
	f := a.config.Follower
	if f == nil {
		return
	}
	f.Wake()
	ctx, cancel := context.WithTimeout(ctx, honourWithin)
	defer cancel()
	look := time.NewTicker(time.Millisecond)
	defer look.Stop()
	for {
		if state := f.State(); state != nil && state.Revision >= revision {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
}

// ChangeHeaders are the headers of every answer to a change.
type ChangeHeaders struct {
	ETag     string `header:"ETag" doc:"The revision that stands, for If-Match."`
	Replayed string `header:"Idempotency-Replayed" doc:"true if the Idempotency-Key brought back the first answer."`
}

func headersOf(applied store.Applied, dry bool) ChangeHeaders {
	h := ChangeHeaders{ETag: etag(standing(applied, dry))}
	if applied.Replayed {
		h.Replayed = "true"
	}
	return h
}

// standing is the revision that stands after the request: a dry run makes none.
func standing(applied store.Applied, dry bool) int64 {
	if dry {
		return applied.Was.Revision
	}
	return applied.State.Revision
}

func baseOf(in ChangeInput, body ChangeBody) (base int64, byHeader bool, err error) {
	if in.IfMatch == "" || in.IfMatch == "*" {
		return body.BaseRevision, false, nil
	}
	// A proxy that compresses makes a tag weak; it is the revision all the same.
	text := strings.TrimPrefix(in.IfMatch, "W/")
	if n := len(text); n > 2 && text[0] == '"' && text[n-1] == '"' {
		text = text[1 : n-1]
	}
	base, parseErr := strconv.ParseInt(text, 10, 64)
	if parseErr != nil || base < 1 || text[0] == '+' {
		return 0, false, badField("If-Match", "If-Match is not a revision", `send the ETag of a status, such as "12"`)
	}
	if body.BaseRevision != 0 && body.BaseRevision != base {
		return 0, false, badField("base_revision", "base_revision and If-Match name different revisions", "send one of them")
	}
	return base, true, nil
}

func etag(revision int64) string { return `"` + strconv.FormatInt(revision, 10) + `"` }

// changeOutput answers a change that has no body of its own.
type changeOutput struct {
	ChangeHeaders
	Body Change
}

func (a *API) changed(ctx context.Context, applied store.Applied, dry bool, message string) *changeOutput {
	if !applied.Changed {
		message = "Nothing to change: it is so already."
	}
	if dry && applied.Changed {
		message = "Dry run, nothing was changed. It would be: " + message
	}
	return &changeOutput{ChangeHeaders: headersOf(applied, dry), Body: Change{
		Message: message, Subject: applied.Subject, Before: applied.Before, After: applied.After,
		Admin: actor(ctx).Name, Timestamp: applied.At, Revision: standing(applied, dry),
		Changed: applied.Changed, DryRun: dry, Warnings: orEmpty(applied.Warnings),
	}}
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// defaultWait is how long a rollback waits for the instances by default: somewhat
// longer than the default lease, after which none can be left.
const defaultWait = 5 * time.Second

// maxWait bounds what a request may ask to wait.
const maxWait = time.Minute

// converge waits until every instance honours the revision, for at most wait.
func (a *API) converge(ctx context.Context, revision int64, committed time.Time, wait time.Duration) (*Convergence, error) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	reached, err := a.config.Store.AwaitHonoured(ctx, revision, committed, nil)
	if err != nil && ctx.Err() == nil {
		// The change is made; only who honours it is not known.
		return nil, err
	}
	c := &Convergence{
		Held: reached.Held, Total: reached.Total, ElapsedMS: reached.Elapsed.Milliseconds(), Complete: reached.Complete, Awaited: []Awaited{},
	}
	for _, w := range reached.Awaited {
		c.Awaited = append(c.Awaited, Awaited{ID: w.ID, Revision: w.Revision, LeaseEndsAt: w.LeaseEndsAt})
	}
	return c, nil
}

func waitOf(ms *int64) (time.Duration, error) {
	if ms == nil {
		return defaultWait, nil
	}
	wait := time.Duration(*ms) * time.Millisecond
	if wait < 0 || wait > maxWait {
		return 0, badField("wait_ms", "wait_ms is out of range", "it is 0 to 60000")
	}
	return wait, nil
}
