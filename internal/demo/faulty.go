package demo

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/nlpcanary/nlpcanary/extract"
)

var errInjected = errors.New("injected failure")

// faulty is an architecture that can be broken while it runs.
type faulty struct {
	extract.Extractor
	broken atomic.Bool
	calls  atomic.Int64
}

// Extract fails in turn by an error, by a panic and by hanging until its time is
// over: the three ways in which a new architecture goes wrong.
func (f *faulty) Extract(ctx context.Context, doc extract.Document) (extract.Result, error) {
	if !f.broken.Load() {
		return f.Extractor.Extract(ctx, doc)
	}
	switch f.calls.Add(1) % 20 {
	case 0:
		<-ctx.Done()
		return extract.Result{}, ctx.Err()
	case 1, 2, 3, 4:
		panic("injected panic")
	}
	return extract.Result{}, errInjected
}
