package rollout_test

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/nlpcanary/nlpcanary/rollout"
)

const benchID = "user-1234567890abcdef"

// benchFloor is what nothing that hashes an id can undercut: one bare SHA-256 of
// the same bytes. Read the other cases of a benchmark as ratios to it.
func benchFloor(b *testing.B) {
	id := []byte(benchID)
	for b.Loop() {
		sha256.Sum256(id)
	}
}

// BenchmarkDecide is a decision of a fresh plan, without the lease check that
// package follow adds.
func BenchmarkDecide(b *testing.B) {
	b.Run("floor=sha256", benchFloor)
	for _, cached := range []bool{false, true} {
		for _, stage := range []rollout.Stage{rollout.Disabled, rollout.Expanded, rollout.FullRollout} {
			b.Run(fmt.Sprintf("cache=%t/percentage=%d", cached, stage.Percentage()), func(b *testing.B) {
				benchDecide(b, planOf(at(stage), cached))
			})
		}
		b.Run(fmt.Sprintf("cache=%t/overrides=1000", cached), func(b *testing.B) {
			state := at(rollout.Expanded)
			for i := range 1000 {
				state = pinned(state, rollout.UserID(fmt.Sprintf("tester-%d", i)), rollout.New)
			}
			benchDecide(b, planOf(state, cached))
		})
	}
}

func benchDecide(b *testing.B, plan *rollout.Plan) {
	b.ReportAllocs()
	for b.Loop() {
		plan.Decide(benchID)
	}
}

// BenchmarkDecideParallel shows that decisions scale with cores: run it with
// -cpu 1,2,4 and see the time per decision fall in proportion.
func BenchmarkDecideParallel(b *testing.B) {
	for _, cached := range []bool{false, true} {
		b.Run(fmt.Sprintf("cache=%t", cached), func(b *testing.B) {
			plan := planOf(at(rollout.Expanded), cached)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					plan.Decide(benchID)
				}
			})
		})
	}
}

// BenchmarkBucket is why the cache is on by default: a hit against the hashing
// that it saves, and a miss against the hashing that it delays.
func BenchmarkBucket(b *testing.B) {
	b.Run("floor=sha256", benchFloor)
	b.Run("hashing", func(b *testing.B) {
		for b.Loop() {
			rollout.BucketOf("", benchID)
		}
	})
	b.Run("hashing/salted", func(b *testing.B) {
		for b.Loop() {
			rollout.BucketOf("0f8c2b7e9a4d4f6a", benchID)
		}
	})
	b.Run("cache=hit", func(b *testing.B) {
		cache := rollout.NewBucketCache("", rollout.DefaultCacheSlots)
		for b.Loop() {
			cache.Bucket("", benchID)
		}
	})
	b.Run("cache=miss", func(b *testing.B) {
		// Far more users than slots: almost every look-up finds somebody else.
		cache := rollout.NewBucketCache("", 1)
		users := make([]rollout.UserID, 1<<14)
		for i := range users {
			users[i] = rollout.UserID(fmt.Sprintf("user-%016x", i))
		}
		for i := 0; b.Loop(); i++ {
			cache.Bucket("", users[i%len(users)])
		}
	})
}
