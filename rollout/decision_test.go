package rollout_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// userIn finds a user of a bucket, so that the borders can be tested exactly.
func userIn(t testing.TB, bucket rollout.Bucket) rollout.UserID {
	t.Helper()
	for i := range 100_000 {
		if id := rollout.UserID(fmt.Sprint("user-", i)); bucketByDefinition("", id) == bucket {
			return id
		}
	}
	t.Fatalf("no user found in bucket %d", bucket)
	return ""
}

// The order of the rules: a bad id, the kill switch, an override, the split.
func TestDecide(t *testing.T) {
	first, last := userIn(t, 0), userIn(t, 99)
	below, above := userIn(t, 24), userIn(t, 25)
	everything := func(stage rollout.Stage) rollout.State { // first pinned to old, last to new
		return pinned(pinned(at(stage), first, rollout.Old), last, rollout.New)
	}
	for _, c := range []struct {
		name    string
		state   rollout.State
		user    rollout.UserID
		variant rollout.Variant
		reason  rollout.Reason
		bucket  rollout.Bucket
		forced  bool
	}{
		{"0 %: nobody", at(rollout.Disabled), first, rollout.Old, rollout.ReasonStatic, 0, false},
		{"100 %: everybody", at(rollout.FullRollout), last, rollout.New, rollout.ReasonStatic, 99, false},
		{"25 %: bucket 0", at(rollout.Expanded), first, rollout.New, rollout.ReasonSplit, 0, false},
		{"25 %: bucket 24, the last on new", at(rollout.Expanded), below, rollout.New, rollout.ReasonSplit, 24, false},
		{"25 %: bucket 25, the first on old", at(rollout.Expanded), above, rollout.Old, rollout.ReasonSplit, 25, false},
		{"25 %: bucket 99", at(rollout.Expanded), last, rollout.Old, rollout.ReasonSplit, 99, false},

		{"pinned to old before the split", everything(rollout.Expanded), first, rollout.Old, rollout.ReasonTargetingMatch, 0, true},
		{"pinned to new before the split", everything(rollout.Expanded), last, rollout.New, rollout.ReasonTargetingMatch, 99, true},
		{"pinned to old at 100 %", everything(rollout.FullRollout), first, rollout.Old, rollout.ReasonTargetingMatch, 0, true},
		{"pinned to new at 0 %", everything(rollout.Disabled), last, rollout.New, rollout.ReasonTargetingMatch, 99, true},
		{"others are split although some are pinned", everything(rollout.Expanded), below, rollout.New, rollout.ReasonSplit, 24, false},
		{"pinned to new, but rolled back to 0", rolledBack(everything(rollout.Expanded), rollout.Disabled), last, rollout.Old, rollout.ReasonStatic, 99, false},

		{"killed at 100 %", killed(at(rollout.FullRollout)), first, rollout.Old, rollout.ReasonDisabled, 0, false},
		{"killed, and pinned to new", killed(everything(rollout.FullRollout)), last, rollout.Old, rollout.ReasonDisabled, 99, false},
		{"kill switch missing", withoutKillSwitch(at(rollout.FullRollout)), last, rollout.Old, rollout.ReasonDisabled, 99, false},

		{"empty id at 100 %", at(rollout.FullRollout), "", rollout.Old, rollout.ReasonError, rollout.NoBucket, false},
		{"control character", at(rollout.FullRollout), "user\x00", rollout.Old, rollout.ReasonError, rollout.NoBucket, false},
		{"broken UTF-8", at(rollout.FullRollout), "user\xff", rollout.Old, rollout.ReasonError, rollout.NoBucket, false},
		{"too long", at(rollout.FullRollout), rollout.UserID(strings.Repeat("u", 257)), rollout.Old, rollout.ReasonError, rollout.NoBucket, false},
		{"a megabyte", at(rollout.FullRollout), rollout.UserID(strings.Repeat("u", 1<<20)), rollout.Old, rollout.ReasonError, rollout.NoBucket, false},
		{"bad id while killed", killed(at(rollout.FullRollout)), "", rollout.Old, rollout.ReasonError, rollout.NoBucket, false},
		{"longest id", at(rollout.FullRollout), rollout.UserID(strings.Repeat("u", 256)), rollout.New, rollout.ReasonStatic, 0, false},
	} {
		for _, cached := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, cache %t", c.name, cached), func(t *testing.T) {
				plan := planOf(c.state, cached)
				want := rollout.Decision{
					Variant: c.variant, Reason: c.reason, Bucket: c.bucket, Forced: c.forced,
					Stage: c.state.Rollout.Stage, Percentage: c.state.Rollout.Percentage,
					Revision: c.state.Revision, Epoch: c.state.Rollout.Epoch, Rollout: "nlp", Region: "eu",
				}
				for range 2 { // the second time from the cache
					if got := plan.Decide(c.user); got != want {
						t.Errorf("decision is\n%+v, want\n%+v", got, want)
					}
				}
			})
		}
	}
}

func TestDecideByAnotherRolloutsSalt(t *testing.T) {
	s := must(at(rollout.Disabled), nextRollout)
	s.Rollout.Stage, s.Rollout.Percentage = rollout.HalfRollout, 50
	// A cache of the former rollout must not answer for this one.
	stale := rollout.NewBucketCache("", 1000)
	for _, cache := range []*rollout.BucketCache{nil, stale, rollout.NewBucketCache(nextRollout.Salt, 1000)} {
		plan := s.Plan("eu", keyer, cache)
		for i := range 200 {
			id := rollout.UserID(fmt.Sprint("user-", i))
			stale.Bucket("", id)
			d := plan.Decide(id)
			if want := bucketByDefinition(nextRollout.Salt, id); d.Bucket != want || (d.Variant == rollout.New) != (want < 50) || d.Rollout != "nlp-2" {
				t.Fatalf("decision is %+v, want bucket %d", d, want)
			}
		}
	}
}

func TestWithoutAStateTheDecisionIsOldAndStale(t *testing.T) {
	var plan *rollout.Plan
	for _, id := range []rollout.UserID{"user-1", ""} {
		if got, want := plan.Decide(id), (rollout.Decision{Variant: rollout.Old, Reason: rollout.ReasonStale, Bucket: rollout.NoBucket}); got != want {
			t.Errorf("decision without a plan is %+v, want %+v", got, want)
		}
	}
	if plan.HoldsWhenStale() {
		t.Error("without a plan there is nothing to hold")
	}
}

func TestStaleDecision(t *testing.T) {
	for _, s := range []rollout.State{at(rollout.FullRollout), pinned(at(rollout.Disabled), "user-1", rollout.New), killed(at(rollout.FullRollout))} {
		d := planOf(s, false).Decide("user-1")
		want := d
		want.Variant, want.Reason, want.Forced = rollout.Old, rollout.ReasonStale, false
		if got := d.Stale(); got != want {
			t.Errorf("stale, %+v becomes %+v", d, got)
		}
	}
}

// Only a finalised rollout may be held when stale, and only if it was asked for.
func TestHoldsWhenStale(t *testing.T) {
	contradictory := at(rollout.FullRollout) // as if the stored state had been edited
	contradictory.Settings.WhenStale = rollout.StaleHold
	for name, c := range map[string]struct {
		state rollout.State
		holds bool
	}{
		"edited by hand":    {contradictory, false},
		"under way":         {at(rollout.FullRollout), false},
		"finalised":         {finalised(), false},
		"finalised, hold":   {holding(), true},
		"rolled back after": {rolledBack(holding(), rollout.FullRollout), false},
	} {
		if got := planOf(c.state, false).HoldsWhenStale(); got != c.holds {
			t.Errorf("%s: holds %t, want %t", name, got, c.holds)
		}
	}
}

// Raising the percentage only ever moves users to new; lowering it only to old.
func TestThePercentageMovesUsersOneWay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		users := rapid.SliceOfN(validID(), 1, 20).Draw(t, "users")
		salt := salts().Draw(t, "salt")
		plan := func(percent int) *rollout.Plan {
			s := at(rollout.Expanded)
			s.Rollout.Salt, s.Rollout.Percentage = salt, rollout.Percent(percent)
			return planOf(s, true)
		}
		low := rapid.IntRange(0, 100).Draw(t, "lower percentage")
		high := rapid.IntRange(low, 100).Draw(t, "higher percentage")
		before, after := plan(low), plan(high)
		for _, id := range users {
			a, b := before.Decide(id), after.Decide(id)
			if a.Variant == rollout.New && b.Variant != rollout.New {
				t.Fatalf("%q is on new at %d %% and on old at %d %%", id, low, high)
			}
			if a.Bucket != b.Bucket {
				t.Fatalf("%q changed its bucket from %d to %d", id, a.Bucket, b.Bucket)
			}
			if want := int(a.Bucket) < low; want != (a.Variant == rollout.New) {
				t.Fatalf("%q in bucket %d is on %s at %d %%", id, a.Bucket, a.Variant, low)
			}
		}
	})
}

func TestDecideDoesNotAllocate(t *testing.T) {
	long := rollout.UserID(strings.Repeat("ж", 128))
	ids := []rollout.UserID{"user-1", "tester", "пользователь", "👩‍👩‍👧‍👦", long, "", "bad\x00", rollout.UserID(strings.Repeat("u", 1<<20))}
	salted := at(rollout.Expanded)
	salted.Rollout.Salt = rollout.Salt(strings.Repeat("s", rollout.MaxSalt))
	for name, s := range map[string]rollout.State{
		"plain":     at(rollout.Expanded),
		"salted":    salted,
		"killed":    killed(at(rollout.Expanded)),
		"overrides": pinned(pinned(at(rollout.Expanded), "tester", rollout.New), long, rollout.Old),
	} {
		for _, cached := range []bool{false, true} {
			plan := planOf(s, cached)
			for _, id := range ids {
				if n := testing.AllocsPerRun(100, func() { plan.Decide(id) }); n != 0 {
					t.Errorf("%s, cache %t: deciding for %.20q allocates %v times", name, cached, id, n)
				}
			}
		}
	}
}

// One plan serves every request at once, while its cache is cleared.
func TestDecideIsSafeForConcurrentUse(t *testing.T) {
	s := pinned(at(rollout.HalfRollout), "user-7", rollout.New)
	cache := rollout.NewBucketCache("", 1)
	shared, alone := s.Plan("eu", keyer, cache), s.Plan("eu", keyer, nil)
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 2000 {
				id := rollout.UserID(fmt.Sprint("user-", i%300))
				if got, want := shared.Decide(id), alone.Decide(id); got != want {
					t.Errorf("decision is %+v, want %+v", got, want)
					return
				}
				if i%500 == 0 {
					cache.Clear()
				}
			}
		})
	}
	all.Wait()
}
