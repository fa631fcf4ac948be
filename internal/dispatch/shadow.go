package dispatch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nlpcanary/nlpcanary/extract"
	"github.com/nlpcanary/nlpcanary/internal/shadow"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// readByOld lets old read a text, and new as well, beside the user, if the text is
// drawn for it.
func (d *Dispatcher) readByOld(ctx context.Context, user rollout.UserID, doc extract.Document) (extract.Result, error) {
	if !d.config.Shadows.Draw() {
		return d.config.Old.Extract(ctx, doc)
	}
	decision := d.config.Follower.Decide(user)
	began := time.Now()
	result, err := d.config.Old.Extract(ctx, doc)
	took := time.Since(began)
	// Where old stands in for new there is no pair, and where the caller gave up or sent
	// what nobody takes neither. Without a cohort nothing is copied: while the kill switch
	// is off or the state stale, new is to have nothing.
	if decision.Variant != rollout.Old || decision.Rollout == "" || !inCohort(decision) || errors.Is(err, context.Canceled) || isCallersFault(err) {
		return result, err
	}
	key := d.config.Keyer.Key(user)
	old := outcome.Shadow{Rollout: decision.Rollout, Epoch: decision.Epoch, Region: decision.Region, UserKey: key, Old: half(took, err)}
	// A text that finds no room is left out.
	d.config.Shadows.Submit(func(ctx context.Context) { d.readInShadow(ctx, user, doc, old, result) })
	return result, err
}

// readInShadow lets new read a text and counts the pair.
func (d *Dispatcher) readInShadow(ctx context.Context, user rollout.UserID, doc extract.Document, pair outcome.Shadow, old extract.Result) {
	if !inCohort(d.config.Follower.Decide(user)) {
		return // switched off meanwhile
	}
	reading, cancel := context.WithTimeout(ctx, d.config.Budget)
	defer cancel()
	began := time.Now()
	canary, err := readSafely(reading, d.config.New, doc)
	if ctx.Err() != nil {
		return
	}
	pair.New = half(time.Since(began), err)
	if !pair.Old.Error && !pair.Old.Timeout && err == nil {
		difference := shadow.Compare(spans(old), spans(canary))
		pair.Compared, pair.Old.Descriptions, pair.New.Descriptions = true, len(old.Descriptions), len(canary.Descriptions)
		pair.Added, pair.Lost, pair.Changed = difference.Added, difference.Lost, difference.Changed
	}
	if err := d.config.ShadowRecorder.Add(pair); err != nil {
		d.config.Logger.Error("a pair was not counted", "error", err)
	}
}

// readSafely turns a panic into an error. Its value may hold a part of the text, and is
// not repeated.
func readSafely(ctx context.Context, e extract.Extractor, doc extract.Document) (result extract.Result, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the architecture panicked: %T", r)
		}
	}()
	return e.Extract(ctx, doc)
}

// inCohort reports whether the user is where his bucket puts him.
func inCohort(d rollout.Decision) bool {
	return d.Reason == rollout.ReasonSplit || d.Reason == rollout.ReasonStatic
}

func half(took time.Duration, err error) outcome.Half {
	timeout := errors.Is(err, context.DeadlineExceeded)
	return outcome.Half{Time: min(took, outcome.MaxTime), Timeout: timeout, Error: err != nil && !timeout}
}

func spans(r extract.Result) []shadow.Span {
	list := make([]shadow.Span, 0, len(r.Descriptions))
	for _, d := range r.Descriptions {
		list = append(list, shadow.Span{Type: string(d.Type), Start: d.Start, End: d.End})
	}
	return list
}
