package rollout_test

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// start is when the states of these tests begin.
var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// later is long after start: every soak is over.
var later = start.Add(365 * 24 * time.Hour)

// The keyer of these tests: any secret will do.
var keyer = rollout.NewKeyer([]byte("a secret of the tests, 32 bytes."))

// The people of these tests.
var (
	ann     = rollout.Actor{Name: "ann@example.com", Role: rollout.RoleAdmin, Source: rollout.SourceCLI}
	bob     = rollout.Actor{Name: "bob@example.com", Role: rollout.RoleAdmin, Source: rollout.SourceAPI}
	olga    = rollout.Actor{Name: "olga@example.com", Role: rollout.RoleOperator, Source: rollout.SourceAPI}
	machine = rollout.Actor{Name: "guardian", Role: rollout.RoleAdmin, Source: rollout.SourceGuardian}
)

// by is a context in which somebody acts after every soak is over.
func by(actor rollout.Actor) rollout.Context { return rollout.Context{Actor: actor, At: later} }

// at is a state that stands at a stage, since start.
func at(stage rollout.Stage) rollout.State {
	s := rollout.Initial(start)
	s.Rollout.Stage, s.Rollout.Percentage = stage, stage.Percentage()
	return s
}

// must applies a change that a test's preparations need.
func must(s rollout.State, change rollout.Change) rollout.State {
	result, err := s.Apply(change, by(ann))
	if err != nil {
		panic("preparing the test: " + err.Error())
	}
	return result.State
}

func pinned(s rollout.State, user rollout.UserID, variant rollout.Variant) rollout.State {
	return must(s, rollout.AddOverride{User: keyer.Key(user), Variant: variant, Label: "tester"})
}

func killed(s rollout.State) rollout.State {
	return must(s, rollout.SetFlag{Name: rollout.KillSwitch, Enabled: false})
}

func rolledBack(s rollout.State, target rollout.Stage) rollout.State {
	return must(s, rollout.Rollback{Target: target})
}

func finalised() rollout.State { return must(at(rollout.FullRollout), rollout.Finalise{}) }

func holding() rollout.State {
	return must(finalised(), rollout.SetSetting{Key: "when_stale", Value: "hold"})
}

func enforcing(s rollout.State) rollout.State {
	return must(s, rollout.SetSetting{Key: "soak", Value: "enforce"})
}

// withoutKillSwitch is a state whose kill switch was deleted by SQL.
func withoutKillSwitch(s rollout.State) rollout.State { return must(s, rollout.DirectFlags{}) }

func planOf(s rollout.State, cached bool) *rollout.Plan {
	var cache *rollout.BucketCache
	if cached {
		cache = rollout.NewBucketCache(s.Rollout.Salt, rollout.DefaultCacheSlots)
	}
	return s.Plan("eu", keyer, cache)
}

// apply makes a change that must be allowed.
func apply(t testing.TB, s rollout.State, change rollout.Change, c rollout.Context) rollout.Result {
	t.Helper()
	result, err := s.Apply(change, c)
	if err != nil {
		t.Fatalf("%s was refused: %v", change.Action(), err)
	}
	return result
}

// wantRefusal checks that err is a refusal with the code, and that what it says,
// message and hint together, contains each of the words.
func wantRefusal(t testing.TB, err error, code rollout.Code, words ...string) {
	t.Helper()
	var refusal *rollout.Refusal
	if !errors.As(err, &refusal) {
		t.Fatalf("error is %v (%T), want a Refusal with code %s", err, err, code)
	}
	if refusal.Code != code {
		t.Errorf("code is %s, want %s (%s)", refusal.Code, code, refusal)
	}
	if refusal.Message == "" || refusal.Hint == "" {
		t.Errorf("%#v does not say both what was wrong and what would be right", refusal)
	}
	if (code == rollout.CodeInvalid) != (refusal.Field != "") && code != rollout.CodeNotFound && code != rollout.CodeAlreadyExists {
		t.Errorf("code %s with field %q: a bad value names its field, another refusal has none", code, refusal.Field)
	}
	for _, word := range words {
		if !strings.Contains(refusal.Error(), word) {
			t.Errorf("refusal %q does not mention %q", refusal, word)
		}
	}
}

// wantPrintable checks that an error shows nobody's control characters or broken
// UTF-8, and is short.
func wantPrintable(t testing.TB, err error) {
	t.Helper()
	if text := err.Error(); !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) || len(text) > 500 {
		t.Errorf("error %.600q is not short and printable", text)
	}
}
