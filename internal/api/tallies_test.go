package api_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// shipments of one outcome each, as a client's set makes them.
func shipment(t *testing.T, o outcome.Outcome, at time.Time) outcome.Shipment {
	t.Helper()
	set := outcome.NewSet()
	if err := set.Add(o, at); err != nil {
		t.Fatal(err)
	}
	pending, err := set.Pending(at)
	if err != nil || len(pending) != 1 {
		t.Fatalf("%d pending, %v", len(pending), err)
	}
	return pending[0]
}

func parcel(t *testing.T, producer string, list ...outcome.Shipment) string {
	t.Helper()
	text, err := json.Marshal(outcome.Parcel{Producer: producer, Tallies: list})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// measured is what the database has of one variant.
func measured(t *testing.T, in *instance, variant rollout.Variant) outcome.Cohort {
	t.Helper()
	w, err := in.store.Window(t.Context(), store.OutcomeQuery{Rollout: "nlp"})
	if err != nil {
		t.Fatal(err)
	}
	if variant == rollout.New {
		return w.New
	}
	return w.Old
}

func total(t *testing.T, in *instance, variant rollout.Variant) int64 {
	t.Helper()
	return measured(t, in, variant).Tally.Total().Requests
}

// However often a tally is sent, it counts once; another producer's, and the same
// producer's of another token, counts beside it.
func TestTalliesCountOnce(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{})
	in.apply(t, rollout.Rollback{Target: rollout.Expanded})
	epoch := in.follower.State().Rollout.Epoch
	o := outcome.Outcome{Rollout: "nlp", Epoch: epoch, Variant: rollout.New, Region: "eu", ProcessingTime: time.Millisecond}
	sent := shipment(t, o, time.Now())
	post := func(producer string, as rollout.Role, list ...outcome.Shipment) answer {
		return in.do(t, call{method: "POST", path: "/api/v1/tallies", as: as, body: parcel(t, producer, list...)})
	}
	for range 3 {
		post("one", client, sent).ok(t, nil)
	}
	if n := total(t, in, rollout.New); n != 1 {
		t.Fatalf("sent three times, it counts %d times", n)
	}
	post("two", client, sent).ok(t, nil)
	post("one", operator, sent).ok(t, nil)
	if n := total(t, in, rollout.New); n != 3 {
		t.Errorf("three producers' outcomes count %d", n)
	}
	// What was counted under a stage that is over still counts there.
	in.apply(t, rollout.Rollback{Target: rollout.Disabled})
	post("late", client, shipment(t, o, time.Now())).ok(t, nil)
	if n := total(t, in, rollout.New); n != 4 {
		t.Errorf("with one that came late, %d count", n)
	}
}

func TestTalliesThatCannotBeTrueAreRefused(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{})
	in.apply(t, rollout.Rollback{Target: rollout.Expanded})
	quarter := in.follower.State().Rollout.Epoch
	in.apply(t, rollout.Rollback{Target: rollout.Disabled})
	none := in.follower.State().Rollout.Epoch
	in.apply(t, rollout.ClearCache{}) // a revision that begins nothing
	nothing := in.follower.State().Revision
	now := time.Now()
	good := func(variant rollout.Variant, epoch int64) outcome.Shipment {
		return shipment(t, outcome.Outcome{Rollout: "nlp", Epoch: epoch, Variant: variant, Region: "eu"}, now)
	}
	changed := func(change func(*outcome.Shipment)) outcome.Shipment {
		s := good(rollout.New, quarter)
		change(&s)
		return s
	}
	fallback := shipment(t, outcome.Outcome{Rollout: "nlp", Epoch: quarter, Variant: rollout.New, Fallback: true}, now)
	fallback.Key.Variant = rollout.Old
	empty, err := new(outcome.Tally).MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		sent  outcome.Shipment
		field string
	}{
		"new at 0 %":          {good(rollout.New, none), "key.architecture"},
		"old at 100 %":        {good(rollout.Old, 1), "key.architecture"},
		"a third variant":     {changed(func(s *outcome.Shipment) { s.Key.Variant = "third" }), "key.architecture"},
		"another rollout":     {changed(func(s *outcome.Shipment) { s.Key.Rollout = "other" }), "key.rollout"},
		"an epoch to come":    {changed(func(s *outcome.Shipment) { s.Key.Epoch = 1000 }), "key.epoch"},
		"an epoch before all": {changed(func(s *outcome.Shipment) { s.Key.Epoch = -1 }), "key.epoch"},
		"no epoch":            {changed(func(s *outcome.Shipment) { s.Key.Epoch = nothing }), "key.epoch"},
		"in the future":       {changed(func(s *outcome.Shipment) { s.Key.Minute += 5 }), "key.minute"},
		"before the epoch":    {changed(func(s *outcome.Shipment) { s.Key.Minute -= 5 }), "key.minute"},
		"a bad region":        {changed(func(s *outcome.Shipment) { s.Key.Region = "a b" }), "key.region"},
		"corrupt":             {changed(func(s *outcome.Shipment) { s.Data[3] ^= 0xff }), "data"},
		"no data":             {changed(func(s *outcome.Shipment) { s.Data = nil }), "data"},
		"no outcome":          {changed(func(s *outcome.Shipment) { s.Data = empty }), "data"},
		"a fallback from old": {fallback, "data"},
	} {
		t.Run(name, func(t *testing.T) {
			body := parcel(t, "p", good(rollout.New, quarter), tt.sent)
			p := in.do(t, call{method: "POST", path: "/api/v1/tallies", as: client, body: body}).problem(t, 422, "invalid")
			if len(p.Errors) != 1 || p.Errors[0].Field != "tallies[1]."+tt.field {
				t.Errorf("the fields are %+v, want tallies[1].%s", p.Errors, tt.field)
			}
		})
	}
	for name, body := range map[string]string{
		"no producer":  parcel(t, "", good(rollout.New, quarter)),
		"a path":       parcel(t, "../x", good(rollout.New, quarter)),
		"no tallies":   parcel(t, "p"),
		"sequence 0":   strings.Replace(parcel(t, "p", good(rollout.New, quarter)), `"seq":1`, `"seq":0`, 1),
		"not a parcel": `{}`,
	} {
		t.Run(name, func(t *testing.T) {
			in.do(t, call{method: "POST", path: "/api/v1/tallies", as: client, body: body}).problem(t, 422, "invalid")
		})
	}
	if n := total(t, in, rollout.New) + total(t, in, rollout.Old); n != 0 {
		t.Errorf("%d outcomes count although each was refused", n)
	}
}

// A client makes outcome ids by itself; feedback by such an id counts once, and not for
// what cannot have been.
func TestFeedbackByAClientsOwnID(t *testing.T) {
	t.Parallel()
	in := newInstance(t, options{})
	in.apply(t, rollout.Rollback{Target: rollout.Expanded})
	sealer := outcome.NewClientSealer(outcome.NewSealer(in.store.Secrets().OutcomeID).ClientKey())
	ticket := outcome.Ticket{Rollout: "nlp", Epoch: in.follower.State().Rollout.Epoch, Variant: rollout.New, Region: "eu", Minute: outcome.MinuteOf(time.Now())}
	rate := func(ticket outcome.Ticket) answer {
		return in.do(t, call{method: "POST", path: "/api/v1/outcomes/" + sealer.Seal(ticket) + "/feedback", as: client, body: `{"quality": 9}`})
	}
	rate(ticket).ok(t, nil)
	bad := ticket
	bad.Epoch = 1 // there it was 100 %
	rate(bad).ok(t, nil)
	bad.Variant = rollout.Old
	rate(bad).problem(t, 422, "invalid")
	bad.Epoch = 1000
	rate(bad).problem(t, 422, "invalid")
	var rated [2]int64
	for i, v := range []rollout.Variant{rollout.Old, rollout.New} {
		for _, m := range measured(t, in, v).Marks {
			rated[i] += m.Rated
		}
	}
	if rated != [2]int64{0, 2} {
		t.Errorf("%d marks for old, %d for new", rated[0], rated[1])
	}
}
