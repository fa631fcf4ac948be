package follow_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// Whatever the state, a client that was given its lease decides as the server does.
func TestALeaseDecidesAsTheStateDoes(t *testing.T) {
	secret := []byte("0123456789abcdef0123456789abcdef")
	keyer := rollout.NewKeyer(secret)
	rapid.Check(t, func(t *rapid.T) {
		s := rollout.Initial(time.Unix(0, 0))
		s.Revision, s.Lineage = rapid.Int64Range(1, 1e6).Draw(t, "revision"), rapid.Int64Range(0, 3).Draw(t, "lineage")
		s.Rollout.Stage = rollout.Stage(rapid.IntRange(0, 4).Draw(t, "stage"))
		s.Rollout.Percentage = s.Rollout.Stage.Percentage()
		s.Rollout.Salt = rollout.Salt(rapid.StringMatching(`[a-z]{0,9}`).Draw(t, "salt"))
		s.Rollout.Epoch = rapid.Int64Range(1, s.Revision).Draw(t, "epoch")
		s.Rollout.Latched = rapid.Bool().Draw(t, "latched")
		s.Rollout.Finalised = rapid.Bool().Draw(t, "finalised")
		s.Flags[0].Enabled = rapid.Bool().Draw(t, "enabled")
		s.Settings.WhenStale = rapid.SampledFrom([]rollout.WhenStale{rollout.StaleOld, rollout.StaleHold}).Draw(t, "when stale")
		users := rapid.SliceOfN(rapid.StringMatching(`[a-z0-9]{1,12}`), 1, 30).Draw(t, "users")
		for i, u := range users {
			if i%3 == 0 {
				variant := rapid.SampledFrom([]rollout.Variant{rollout.Old, rollout.New}).Draw(t, "pinned to")
				s.Overrides = append(s.Overrides, rollout.Override{User: keyer.Key(rollout.UserID(u)), Variant: variant, Label: "a label"})
			}
		}
		breakGlass := rapid.Bool().Draw(t, "break-glass")
		sent := follow.LeaseOf(&s, follow.Version{Revision: s.Revision, Lineage: s.Lineage}, breakGlass)
		sent.UserKey = base64.StdEncoding.EncodeToString(secret)
		text, err := json.Marshal(sent)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "a label") {
			t.Error("the label travels with the lease")
		}
		var received follow.Lease
		if err := json.Unmarshal(text, &received); err != nil {
			t.Fatal(err)
		}
		renewal, err := received.Renewal(time.Now(), time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if breakGlass {
			s.Flags[0].Enabled = false
		}
		server, client := s.Plan("eu", keyer, nil), renewal.State.Plan("eu", *renewal.Keyer, nil)
		if server.HoldsWhenStale() != client.HoldsWhenStale() {
			t.Error("they differ in what they do when stale")
		}
		for _, u := range users {
			if a, b := server.Decide(rollout.UserID(u)), client.Decide(rollout.UserID(u)); a != b {
				t.Errorf("the server decides %+v, the client %+v", a, b)
			}
		}
	})
}

// A field that is added to the state must be looked at: if decisions depend on it, it
// belongs into the lease, and if not, into the list here.
func TestEveryFieldOfTheStateIsLookedAt(t *testing.T) {
	for _, c := range []struct {
		of             any
		sent, withheld []string
	}{
		{rollout.State{},
			[]string{"Revision", "Lineage", "Rollout", "Flags", "Overrides", "Settings", "CacheEpoch"},
			[]string{"Last", "Tokens", "Approvals", "Guardian", "Past"}},
		{rollout.Rollout{},
			[]string{"Name", "OldName", "NewName", "Salt", "Stage", "Percentage", "Epoch", "Latched", "Finalised"},
			[]string{"EpochSince", "StartedAt", "StageSince", "UpdatedAt", "UpdatedBy", "Notes", "LastAction"}},
		{rollout.Override{}, []string{"User", "Variant"}, []string{"Label", "CreatedAt", "CreatedBy"}},
	} {
		kind := reflect.TypeOf(c.of)
		for field := range kind.Fields() {
			if !slices.Contains(c.sent, field.Name) && !slices.Contains(c.withheld, field.Name) {
				t.Errorf("%s.%s is new: does a decision depend on it?", kind, field.Name)
			}
		}
	}
}

func TestALeaseThatCannotBeTrueIsRefused(t *testing.T) {
	s := rollout.Initial(time.Unix(0, 0))
	good := follow.LeaseOf(&s, follow.Version{Revision: 1}, false)
	good.UserKey = base64.StdEncoding.EncodeToString([]byte("secret"))
	if _, err := good.Renewal(time.Now(), time.Second); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*follow.Lease){
		"no revision": func(l *follow.Lease) { l.Version.Revision = 0 },
		"no rollout":  func(l *follow.Lease) { l.Rollout = "" },
		"101 %":       func(l *follow.Lease) { l.Percentage = 101 },
		"no key":      func(l *follow.Lease) { l.UserKey = "" },
		"a bad key":   func(l *follow.Lease) { l.UserKey = "%" },
	} {
		bad := good
		spoil(&bad)
		if _, err := bad.Renewal(time.Now(), time.Second); err == nil {
			t.Errorf("%s: it is believed", name)
		}
	}
}

// Of a lease that its source limits, the follower trusts that much, counted from when
// the source says that it asked.
func TestTheSourceLimitsTheLease(t *testing.T) {
	state := rollout.Initial(time.Unix(0, 0))
	asked := time.Now()
	f := follow.Start(follow.Config{Instance: "limited", Interval: time.Hour, Source: limited{follow.Renewal{
		Version: follow.Version{Revision: 1}, State: &state, Lease: 2 * time.Second, Sent: asked.Add(-500 * time.Millisecond),
	}}})
	defer f.Close()
	if err := f.WaitValid(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := f.Status()
	if ends := time.Now().Add(s.Remaining); ends.After(asked.Add(1600 * time.Millisecond)) {
		t.Errorf("the lease ends %s after the request, want 1.5 s", ends.Sub(asked))
	}
}

// A change of the state is news.
func TestChangedTellsOfNews(t *testing.T) {
	s := newSource()
	f := start(t, s, nil)
	if err := f.WaitValid(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		news := f.Changed()
		s.mu.Lock()
		s.state.Revision++
		s.mu.Unlock()
		f.Wake()
		<-news
	}
	news := f.Changed()
	f.BreakGlass(true)
	<-news
}

// limited is a source that always gives the same answer.
type limited struct{ answer follow.Renewal }

func (l limited) Renew(context.Context, follow.Heartbeat) (follow.Renewal, error) {
	return l.answer, nil
}

func (limited) Watch(ctx context.Context, _ func()) error {
	<-ctx.Done()
	return ctx.Err()
}

func (limited) Leave(context.Context, string) error { return nil }
