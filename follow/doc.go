// Package follow keeps an instance's copy of the state fresh, and says when it
// may no longer be trusted.
//
// # The lease
//
// An instance decides for the new architecture only under a valid lease. The
// lease is renewed every [DefaultInterval] by one write to the source, whose
// answer is the state. It lasts for the lease length T from the moment the
// renewal was sent:
//
//	      send              answer
//	instance ──┬───────────────┬──────────── lease ends at send + T
//	           └──▶ source ────┘
//	                  │ the write sees every change committed before it
//
// A change committed at C is seen by every renewal that reaches the source after
// C. A renewal that did not see it was sent before C, so its lease ends before
// C + T. Therefore no instance decides by the older state after C + T, whatever
// the network does in between. Counting from the answer instead would add the
// answer's delay to the bound.
//
// Wake-ups (LISTEN/NOTIFY, server-sent events) only make a change arrive sooner;
// the bound does not rest on them.
//
// # The clock
//
// The lease is checked against two clocks at once, and ends when either says so:
// the monotonic clock, which nobody can set back, and the wall clock, which goes
// on while the machine is suspended. Both come from one time.Now. A wall clock
// set forward ends a lease early, which the next renewal mends; that is the safe
// side. CLOCK_BOOTTIME would count suspension too, but Go reads it only by a
// system call, at several times the cost of the whole decision.
//
// The clock is read only when the decision is for new: a decision for old is the
// right one with and without a lease. Its reason turns to STALE within
// [watchEvery] of the lease's end.
//
// # When things fail
//
//   - No answer yet, or none for T: old serves, reason STALE.
//   - The source answers with a state older than one already seen, also before a
//     restart, or of another history (a database restored from a backup, a stale
//     primary): it is not believed, and the lease runs out. See [ErrWentBack].
//   - The kill file exists or BreakGlass was called: old serves, reason DISABLED.
package follow
