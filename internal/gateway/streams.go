package gateway

import (
	"sync"
	"time"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// streamCheck is how often the users of open streams are decided again.
const streamCheck = 250 * time.Millisecond

// streams are the WebSockets and event streams that are open. They may last for
// days, so the decision under which they began is not left alone: when the user is
// taken back, his stream on new ends, and his client's next one is on old.
type streams struct {
	mu     sync.Mutex
	open   map[*attempt]struct{}
	closed bool // the gateway stops: no stream begins any more
}

func (s *streams) add(a *attempt) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		a.cancel(errStopping)
		return
	}
	s.open[a] = struct{}{}
}

func (s *streams) remove(a *attempt) {
	if !a.stream {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, a)
}

// close ends all streams, also those that would begin from now on.
func (s *streams) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.end(func(*attempt) error { return errStopping })
}

// end cancels the streams for which why returns an error, and reports how many.
func (s *streams) end(why func(*attempt) error) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for a := range s.open {
		if err := why(a); err != nil {
			a.cancel(err)
			delete(s.open, a)
			n++
		}
	}
	return n
}

// watchStreams runs until the gateway stops, which ends every stream.
func (g *Gateway) watchStreams() {
	tick := time.NewTicker(streamCheck)
	defer tick.Stop()
	for {
		select {
		case <-g.stop:
			g.streams.close()
			return
		case <-tick.C:
			n := g.streams.end(func(a *attempt) error {
				if a.up.variant == rollout.New && !a.late && !a.x.stillNew() {
					return errTakenBack
				}
				return nil
			})
			g.metrics.ended.Add(float64(n))
		}
	}
}
