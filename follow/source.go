package follow

import (
	"cmp"
	"context"
	"time"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// Heartbeat is what an instance writes when it renews its lease.
type Heartbeat struct {
	Instance  string // unique for each run of a process
	Region    rollout.Region
	Version   string
	Address   string // where the instance serves; empty for a command
	StartedAt time.Time
	// Honours is the revision that the instance decides from.
	Honours int64
	// Lease is how long the instance trusts a state after a renewal was sent.
	Lease time.Duration
	// BreakGlass says that the instance sends everything to old by its kill file
	// or SIGUSR1, whatever the state.
	BreakGlass bool
	// CacheSize is how many users the instance's cohort cache holds.
	CacheSize int
	// Known is the version of the state that the instance holds already.
	Known Version
	// Seen is the newest state that the instance has ever believed, also before it was
	// restarted.
	Seen Seen
}

// Version tells one content of the state from another: its lineage (see
// rollout.State), its revision within that, and a count of changes of the flags table,
// which somebody may change by SQL without raising the revision. The zero Version is no
// state at all.
type Version struct {
	Lineage     int64 `json:"lineage"`
	Revision    int64 `json:"revision"`
	FlagChanges int64 `json:"flag_changes"`
}

// OlderThan reports whether a source that has given out the other version must not give
// out this one any more.
func (v Version) OlderThan(other Version) bool {
	return cmp.Or(
		cmp.Compare(v.Lineage, other.Lineage),
		cmp.Compare(v.Revision, other.Revision),
		cmp.Compare(v.FlagChanges, other.FlagChanges),
	) < 0
}

// Seen is a state that an instance has believed.
type Seen struct {
	Version Version `json:"version"`
	// Mark tells the state from any other that may have had the same version, in a
	// database that was restored and then changed again. Only the source knows what it
	// means; empty if there is none.
	Mark string `json:"mark"`
}

// Renewal is the source's answer to a heartbeat.
type Renewal struct {
	Version Version
	// State is the state at Version; nil if it is the one already known.
	State *rollout.State
	// Mark is that of the state, see [Seen].
	Mark string
	// Lease, if positive, is how long the answer may be trusted, where that is less than
	// the follower's own lease: a server gives away what is left of its own.
	Lease time.Duration
	// Sent, if set, is when the request was sent whose answer this is; else it counts as
	// sent when Renew was called. A source that tries one server after another sets it.
	Sent time.Time
	// Keyer, if set, replaces the configured one: a client is told the installation's
	// together with the state.
	Keyer *rollout.Keyer
}

// Source is the authority that a Follower follows: the database, or a server in
// front of it.
type Source interface {
	// Renew records the heartbeat by a write and answers with the state as it
	// stood when the write was made. A read would not do: a stale replica or an
	// isolated primary could answer it. A source that finds that it has lost what the
	// heartbeat says was seen answers with an error that matches ErrWentBack.
	Renew(ctx context.Context, h Heartbeat) (Renewal, error)
	// Watch calls wake when it begins to hear of changes, and then whenever the state
	// may have changed, until the context ends or the connection breaks. It only makes
	// things faster.
	Watch(ctx context.Context, wake func()) error
	// Leave takes the instance off the list at a clean stop.
	Leave(ctx context.Context, instance string) error
}
