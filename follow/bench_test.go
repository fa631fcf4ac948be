package follow_test

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/rollout"
)

var (
	decided rollout.Decision
	summed  [sha256.Size]byte
)

// BenchmarkDecide is a whole decision, lease check included, beside its floor: one
// bare SHA-256 of the same id. Read the cases as ratios to the floor.
func BenchmarkDecide(b *testing.B) {
	const id = "user-1234567890abcdef"
	b.Run("floor=sha256", func(b *testing.B) {
		bytes := []byte(id)
		for b.Loop() {
			summed = sha256.Sum256(bytes)
		}
	})
	for _, c := range []struct {
		name    string
		slots   int
		percent rollout.Stage
	}{
		{"cached/stage=0", 0, rollout.Disabled},
		{"cached/stage=2", 0, rollout.Expanded},
		{"cached/stage=4", 0, rollout.FullRollout},
		{"uncached/stage=2", -1, rollout.Expanded},
		{"uncached/stage=4", -1, rollout.FullRollout},
	} {
		s := newSource()
		s.state.Rollout.Stage, s.state.Rollout.Percentage = c.percent, c.percent.Percentage()
		f := follow.Start(follow.Config{Source: s, Instance: "bench", CacheSlots: c.slots})
		for !f.Status().Valid {
			time.Sleep(time.Millisecond)
		}
		// A hundred users stand for the mix of cohorts at the stage.
		users := make([]rollout.UserID, 100)
		for i := range users {
			users[i] = rollout.UserID(id[:len(id)-2] + string(rune('0'+i/10)) + string(rune('0'+i%10)))
		}
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				decided = f.Decide(users[i%len(users)])
			}
		})
		b.Run(c.name+"/parallel", func(b *testing.B) {
			b.RunParallel(func(pb *testing.PB) {
				var d rollout.Decision
				for i := 0; pb.Next(); i++ {
					d = f.Decide(users[i%len(users)])
				}
				_ = d
			})
		})
		_ = f.Close()
	}
}
