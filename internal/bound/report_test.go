package bound

import (
	"testing"
	"time"
)

// What a proof calls a breach: a decision for new that was begun later than a lease
// after the rollback was confirmed, and nothing else.
func TestFindings(t *testing.T) {
	const lease = time.Second
	asked := time.Now()
	confirmed := asked.Add(20 * time.Millisecond)
	for name, c := range map[string]struct {
		before, after time.Duration // of the last decision for new, since the rollback was asked for
		late          time.Duration
		broken        int
	}{
		"before the rollback":                  {-time.Minute, -time.Minute + 1, 0, 0},
		"within the lease":                     {900 * time.Millisecond, 901 * time.Millisecond, 901 * time.Millisecond, 0},
		"a lease after it was asked for":       {1010 * time.Millisecond, 1011 * time.Millisecond, 1011 * time.Millisecond, 0},
		"a busy machine between begin and end": {900 * time.Millisecond, 5 * time.Second, 5 * time.Second, 0},
		"later than a lease after the promise": {1021 * time.Millisecond, 1022 * time.Millisecond, 1022 * time.Millisecond, 1},
		"for ever":                             {time.Minute, time.Minute + 1, time.Minute + 1, 1},
	} {
		f := newFindings()
		f.add(name, moment{asked.Add(c.before), asked.Add(c.after)}, commit{asked: asked, confirmed: confirmed}, lease)
		if got := f.late[name]; len(got) != 1 || got[0] != c.late || f.broken[name] != c.broken {
			t.Errorf("%s: late %v, broken %d times; want %s, %d", name, got, f.broken[name], c.late, c.broken)
		}
	}
}
