package evidence

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// builder makes a window out of single outcomes, as the pipeline does out of tallies.
type builder struct {
	window outcome.Window
	index  map[[2]int64]int
}

func newBuilder() *builder {
	b := &builder{index: make(map[[2]int64]int)}
	b.window.Old.Tally, b.window.New.Tally = new(outcome.Tally), new(outcome.Tally)
	return b
}

// one is a request as the tests describe it.
type one struct {
	user           uint64
	onNew          bool
	minute, region int64
	failed, late   bool
	took           time.Duration
	descriptions   int
	marks          outcome.Marks
}

// keyOf is a user's key (SplitMix64).
func keyOf(user uint64) (key rollout.UserKey) {
	for i := range 2 {
		z := (2*user + uint64(i) + 1) * 0x9e3779b97f4a7c15
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		binary.BigEndian.PutUint64(key[8*i:], z^z>>31)
	}
	return key
}

func (b *builder) add(o one) {
	at := [2]int64{o.minute, o.region}
	i, known := b.index[at]
	if !known {
		i = len(b.window.Blocks)
		b.index[at] = i
		b.window.Blocks = append(b.window.Blocks, outcome.Block{Minute: outcome.Minute(o.minute), Region: rollout.Region(rune('a' + o.region))})
	}
	block, cohort := &b.window.Blocks[i].Old, &b.window.Old
	if o.onNew {
		block, cohort = &b.window.Blocks[i].New, &b.window.New
	}
	key := keyOf(o.user)
	out := outcome.Outcome{
		UserKey: key, Error: o.failed, Timeout: o.late, ProcessingTime: o.took, Descriptions: o.descriptions,
	}
	cohort.Tally.Add(&out)
	cohort.Marks[key[0]].Add(o.marks)
	c := outcome.Counts{Requests: 1}
	if o.failed {
		c.Errors = 1
	}
	if o.late {
		c.Timeouts = 1
	}
	if limit := b.window.SlowOver; limit > 0 && o.took > limit && outcome.Minute(o.minute) >= b.window.SlowFrom {
		c.Slow = 1
	}
	block.Add(c)
}

func testPlan() Plan { return NewPlan(rollout.DefaultSettings(), rollout.EarlyTesting) }

// traffic is n requests of as many users, one in twenty on new, with these error rates.
func traffic(n int, oldRate, newRate float64) *builder {
	b := newBuilder()
	r := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		o := one{user: uint64(i), onNew: r.Float64() < .05, minute: int64(i / 1000), took: time.Duration(50+r.IntN(100)) * time.Millisecond, descriptions: 3}
		rate := oldRate
		if o.onNew {
			rate = newRate
		}
		o.failed = r.Float64() < rate
		b.add(o)
	}
	return b
}

func verdictOf(t *testing.T, r Report, m Metric) Finding {
	t.Helper()
	f := r.Finding(m)
	if f == nil {
		t.Fatalf("no finding for %s", m)
	}
	return *f
}
