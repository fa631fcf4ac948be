package rollout

import (
	"crypto/sha256"
	"testing"
	"time"
)

var sink Decision

func BenchmarkDecide(b *testing.B) {
	id := UserID("user-1234567890abcdef")
	b.Run("floor=sha256", func(b *testing.B) {
		var s [32]byte
		for b.Loop() {
			s = sha256.Sum256([]byte(id))
		}
		_ = s
	})
	st := Initial(time.Unix(0, 0))
	st.Rollout.Stage, st.Rollout.Percentage = Expanded, 25
	for name, c := range map[string]*BucketCache{"cache=off": nil, "cache=on": NewBucketCache("", DefaultCacheSlots)} {
		p := st.Plan("eu", NewKeyer(nil), c)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sink = p.Decide(id)
			}
		})
	}
}
