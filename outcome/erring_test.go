package outcome_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// hashed is a user with this hash in [outcome.Tally.Erring].
func hashed(hash uint64) rollout.UserKey {
	var key rollout.UserKey
	binary.BigEndian.PutUint64(key[:8], hash*0x9e3779b97f4a7c15)
	binary.BigEndian.PutUint64(key[8:], hash)
	return key
}

func failing(hashes ...uint64) *outcome.Tally {
	t := new(outcome.Tally)
	for _, hash := range hashes {
		t.Add(&outcome.Outcome{UserKey: hashed(hash), Error: true})
	}
	return t
}

func TestErringUsersCountOnce(t *testing.T) {
	minute1 := failing(30, 10, 30)
	minute1.Add(&outcome.Outcome{UserKey: hashed(1)})
	minute1.Add(&outcome.Outcome{UserKey: hashed(2), Timeout: true})
	minute1.Add(&outcome.Outcome{UserKey: hashed(3), Error: true, Excluded: true})
	minute2 := failing(10, 20)
	minute2.Merge(minute1)
	hashes, limit := minute2.Erring()
	if !slices.Equal(hashes, []uint64{10, 20, 30}) || limit != math.MaxUint64 {
		t.Errorf("the users with errors are %v below %d, want 10, 20 and 30, and all", hashes, limit)
	}
	hashes[0] = 0
	if again, _ := minute2.Erring(); again[0] != 10 {
		t.Error("a caller can change the tally")
	}
}

// Far more users than a tally names, over any number of producers: the bytes are the
// same, and every user below the limit is there.
func TestTooManyErringUsersAreSampledAlikeInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		users := make([]uint64, rapid.IntRange(0, 9000).Draw(t, "errors"))
		for i := range users {
			// Few enough values that users come more than once.
			users[i] = 1 + random.Uint64N(20_000)<<40
		}
		want := failing(users...)

		random.Shuffle(len(users), func(i, j int) { users[i], users[j] = users[j], users[i] })
		sum := new(outcome.Tally)
		for rest := users; len(rest) > 0; {
			n := min(1+random.IntN(5000), len(rest))
			part := failing(rest[:n]...)
			if random.IntN(2) == 0 {
				part.Merge(sum)
				sum = part
			} else {
				sum.Merge(part)
			}
			rest = rest[n:]
		}
		if !bytes.Equal(encode(t, sum), encode(t, want)) {
			t.Fatal("the split or the order of the users shows in the tally")
		}

		hashes, limit := sum.Erring()
		slices.Sort(users)
		users = slices.Compact(users)
		kept := min(len(users), 4096)
		if !slices.Equal(hashes, users[:kept]) {
			t.Fatalf("%d of %d users are kept, want the %d least", len(hashes), len(users), kept)
		}
		wantLimit := uint64(math.MaxUint64)
		if kept < len(users) {
			wantLimit = users[kept]
		}
		if limit != wantLimit {
			t.Fatalf("the limit is %d, want %d", limit, wantLimit)
		}
	})
}

// Version 1 had no users with errors. A sum with one in it must not claim to know all.
func TestTalliesOfVersion1SayThatTheyDoNotKnowErringUsers(t *testing.T) {
	v1 := func(tally *outcome.Tally, erring int) *outcome.Tally {
		data := encode(t, tally)
		data = data[:len(data)-erring-1] // the one: no marks
		data[0] = 1
		read := new(outcome.Tally)
		if err := read.UnmarshalBinary(data); err != nil {
			t.Fatal(err)
		}
		return read
	}
	healthy := new(outcome.Tally)
	healthy.Add(&outcome.Outcome{UserKey: hashed(1)})
	sum := v1(healthy, 2) // without the cut and the number of hashes
	sum.Merge(failing(7))
	if hashes, limit := sum.Erring(); !slices.Equal(hashes, []uint64{7}) || limit != math.MaxUint64 {
		t.Errorf("no errors in version 1, and yet the users with errors are %v below %d", hashes, limit)
	}
	sum.Merge(v1(failing(5), 3)) // and without one hash of one byte
	if hashes, limit := sum.Erring(); len(hashes) != 0 || limit != 0 {
		t.Errorf("an unknown user had an error, and yet the users with errors are %v below %d", hashes, limit)
	}
	if n := sum.Total().Errors; n != 2 {
		t.Errorf("%d errors, want 2", n)
	}
	again := new(outcome.Tally)
	if err := again.UnmarshalBinary(encode(t, sum)); err != nil {
		t.Error(err)
	}
}
