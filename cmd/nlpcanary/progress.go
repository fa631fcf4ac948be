package main

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

// progress tells on stderr how far something has come, once it has taken longer
// than a second: a bar on a terminal, a line now and then elsewhere.
type progress struct {
	total int
	done  atomic.Int64
	stop  chan struct{}
	ended chan struct{}
}

const (
	progressAfter = time.Second
	progressEvery = 200 * time.Millisecond
	// progressLines is how often a line is written where no bar can be drawn.
	progressLines = 10 * time.Second
)

func startProgress(s *session, total int) *progress {
	p := &progress{total: total, stop: make(chan struct{}), ended: make(chan struct{})}
	go p.show(s)
	return p
}

func (p *progress) step() { p.done.Add(1) }

// end takes the bar away.
func (p *progress) end() {
	close(p.stop)
	<-p.ended
}

func (p *progress) show(s *session) {
	defer close(p.ended)
	began := time.Now()
	select {
	case <-p.stop:
		return
	case <-time.After(progressAfter):
	}
	bar, every := isTerminal(s.stderr), progressEvery
	if !bar {
		every = progressLines
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		if bar {
			fmt.Fprintf(s.stderr, "\r%s\x1b[K", p.line(time.Since(began)))
		} else {
			fmt.Fprintln(s.stderr, p.line(time.Since(began)))
		}
		select {
		case <-p.stop:
			if bar {
				fmt.Fprint(s.stderr, "\r\x1b[K")
			}
			return
		case <-tick.C:
		}
	}
}

func (p *progress) line(elapsed time.Duration) string {
	const cells = 30
	done := int(p.done.Load())
	full := done * cells / p.total
	left := ""
	if done > 0 {
		remaining := time.Duration(float64(elapsed) / float64(done) * float64(p.total-done))
		left = fmt.Sprintf(", about %s left", remaining.Round(time.Second))
	}
	return fmt.Sprintf("%s%s %d/%d%s", strings.Repeat("█", full), strings.Repeat("░", cells-full), done, p.total, left)
}
