package shadow

import (
	"context"
	"math/rand/v2"
	"sync"
)

// Defaults of a [Pool].
const (
	DefaultWorkers = 4
	DefaultQueue   = 64
)

// Pool runs copies, so many at once and so many waiting. It is safe for concurrent
// use.
type Pool struct {
	share float64
	jobs  chan func(context.Context)
	ctx   context.Context
	stop  context.CancelFunc
	done  sync.WaitGroup
}

// NewPool starts a pool for a share of requests, 0 to 1; the defaults where workers or
// queue are 0. It runs until [Pool.Close].
func NewPool(share float64, workers, queue int) *Pool {
	if workers == 0 {
		workers = DefaultWorkers
	}
	if queue == 0 {
		queue = DefaultQueue
	}
	ctx, stop := context.WithCancel(context.Background())
	p := &Pool{share: share, jobs: make(chan func(context.Context), queue), ctx: ctx, stop: stop}
	for range workers {
		p.done.Go(p.work)
	}
	return p
}

// Draw reports whether a request is to be copied. A nil pool copies nothing.
func (p *Pool) Draw() bool { return p != nil && rand.Float64() < p.share }

// Submit hands over a copy; false if there is no room for it. Its context ends when the
// pool closes.
func (p *Pool) Submit(job func(context.Context)) bool {
	if p.ctx.Err() != nil {
		return false
	}
	select {
	case p.jobs <- job:
		return true
	default:
		return false
	}
}

func (p *Pool) work() {
	for {
		select {
		case <-p.ctx.Done():
			return
		case job := <-p.jobs:
			job(p.ctx)
		}
	}
}

// Close ends the copies that run, drops those that wait, and waits for the workers.
func (p *Pool) Close() {
	if p == nil {
		return
	}
	p.stop()
	p.done.Wait()
}
