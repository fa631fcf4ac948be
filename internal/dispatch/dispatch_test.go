package dispatch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/extract"
	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/internal/dispatch"
	"github.com/nlpcanary/nlpcanary/internal/shadow"
	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// architecture is an Extractor that does what a test says.
type architecture func(ctx context.Context, doc extract.Document) (extract.Result, error)

func (architecture) Name() string { return "test" }
func (a architecture) Extract(ctx context.Context, doc extract.Document) (extract.Result, error) {
	return a(ctx, doc)
}

// finds answers with one description of the given content.
func finds(content string) architecture {
	return func(context.Context, extract.Document) (extract.Result, error) {
		return extract.Result{Descriptions: []extract.Description{{Type: extract.TypeLocation, Content: content}}}, nil
	}
}

// stage is a real store on SQLite with a follower and a dispatcher on it.
type stage struct {
	store      *store.Store
	follower   *follow.Follower
	dispatcher *dispatch.Dispatcher
	set        *outcome.Set
	sealer     *outcome.Sealer
	log        *bytes.Buffer
}

func newStage(t *testing.T, old, canary extract.Extractor, change func(*dispatch.Config)) *stage {
	t.Helper()
	st, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "test.db"), store.Options{Migrate: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	s := &stage{store: st, set: outcome.NewSet(), sealer: outcome.NewSealer(st.Secrets().OutcomeID), log: new(bytes.Buffer)}
	keyer := rollout.NewKeyer(st.Secrets().UserKey)
	s.follower = follow.Start(follow.Config{Source: st, Instance: "test", Region: "eu", Keyer: keyer, Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() { s.follower.Close() })
	if err := s.follower.WaitValid(t.Context()); err != nil {
		t.Fatal(err)
	}
	config := dispatch.Config{
		Follower: s.follower, Old: old, New: canary, Keyer: keyer, Sealer: s.sealer, Recorder: s.set,
		Budget: 500 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(s.log, nil)),
	}
	if change != nil {
		change(&config)
	}
	s.dispatcher = dispatch.New(config)
	return s
}

func (s *stage) apply(t *testing.T, c rollout.Change) {
	t.Helper()
	actor := rollout.Actor{Name: "test", Role: rollout.RoleAdmin, Source: rollout.SourceCLI}
	applied, err := s.store.Apply(t.Context(), store.Request{Change: c, Actor: actor})
	if err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(5 * time.Second); s.follower.State().Revision < applied.State.Revision; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the follower did not see the change within 5 s")
		}
	}
}

// counted is the sum of what was recorded for an architecture.
func (s *stage) counted(t *testing.T, v rollout.Variant) *outcome.Tally {
	t.Helper()
	list, err := s.set.Pending(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	sum := new(outcome.Tally)
	for _, shipment := range list {
		var tally outcome.Tally
		if err := tally.UnmarshalBinary(shipment.Data); err != nil {
			t.Fatal(err)
		}
		if shipment.Key.Variant == v {
			sum.Merge(&tally)
		}
	}
	return sum
}

func wantServed(t *testing.T, a dispatch.Answer, err error, v rollout.Variant, content string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if a.Served != v || len(a.Value.Descriptions) != 1 || a.Value.Descriptions[0].Content != content {
		t.Fatalf("served by %s with %+v, want %s with %q", a.Served, a.Value.Descriptions, v, content)
	}
}

var doc = extract.Document{Text: "A tall woman in a grey coat stood at the gate."}

func TestTheDecidedArchitectureServes(t *testing.T) {
	s := newStage(t, finds("old"), finds("new"), nil)
	a, err := s.dispatcher.Extract(t.Context(), "u", doc)
	wantServed(t, a, err, rollout.New, "new")
	s.apply(t, rollout.Rollback{Target: rollout.Disabled})
	a, err = s.dispatcher.Extract(t.Context(), "u", doc)
	wantServed(t, a, err, rollout.Old, "old")
	if n := s.counted(t, rollout.New).Total().Requests; n != 1 {
		t.Errorf("new has %d outcomes, want 1", n)
	}
	if n := s.counted(t, rollout.Old).Total().Requests; n != 1 {
		t.Errorf("old has %d outcomes, want 1", n)
	}
}

// Whatever new does, old serves the same request within the budget, and the outcome
// counts against new.
func TestOldServesWhenNewFails(t *testing.T) {
	release := make(chan struct{})
	defer close(release)
	for name, c := range map[string]struct {
		new     architecture
		reason  string
		timeout bool
	}{
		"error": {func(context.Context, extract.Document) (extract.Result, error) {
			return extract.Result{}, errors.New("no")
		}, "error", false},
		"panic": {func(_ context.Context, d extract.Document) (extract.Result, error) { panic("with the text: " + d.Text) }, "panic", false},
		"timeout": {func(ctx context.Context, _ extract.Document) (extract.Result, error) {
			<-ctx.Done()
			return extract.Result{}, ctx.Err()
		}, "timeout", true},
		"hanging without looking at its context": {func(context.Context, extract.Document) (extract.Result, error) {
			<-release
			return extract.Result{}, nil
		}, "timeout", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, finds("old"), c.new, nil)
			began := time.Now()
			a, err := s.dispatcher.Extract(t.Context(), "u", doc)
			wantServed(t, a, err, rollout.Old, "old")
			if took := time.Since(began); took > 500*time.Millisecond {
				t.Errorf("took %s, the budget is 500 ms", took)
			}
			if !a.Fallback || a.FallbackReason != c.reason || a.Decision.Variant != rollout.New {
				t.Errorf("fallback %v for %q, decided %s; want a fallback for %q from new", a.Fallback, a.FallbackReason, a.Decision.Variant, c.reason)
			}
			sums := s.counted(t, rollout.New).Total()
			if sums.Requests != 1 || sums.Fallbacks != 1 || (sums.Timeouts == 1) != c.timeout || (sums.Errors == 1) == c.timeout {
				t.Errorf("counted against new: %+v", sums)
			}
			if n := s.counted(t, rollout.Old).Total().Requests; n != 0 {
				t.Errorf("old, which only stood in, has %d outcomes of its own", n)
			}
			if strings.Contains(s.log.String(), "grey coat") {
				t.Errorf("the log repeats the text: %s", s.log)
			}
		})
	}
}

// While new works, a rollback comes: its answer is dropped.
func TestAnAnswerAfterARollbackIsDropped(t *testing.T) {
	var s *stage
	s = newStage(t, finds("old"), architecture(func(ctx context.Context, d extract.Document) (extract.Result, error) {
		s.apply(t, rollout.Rollback{Target: rollout.Disabled})
		return finds("new")(ctx, d)
	}), func(c *dispatch.Config) { c.Budget = 5 * time.Second })
	a, err := s.dispatcher.Extract(t.Context(), "u", doc)
	wantServed(t, a, err, rollout.Old, "old")
	if !a.Fallback || a.FallbackReason != "taken_back" {
		t.Errorf("fallback %v for %q", a.Fallback, a.FallbackReason)
	}
	if sums := s.counted(t, rollout.New).Total(); sums.Errors != 0 || sums.Timeouts != 0 {
		t.Errorf("a rollback counts as a failure of new: %+v", sums)
	}
}

func TestAHangingNewDoesNotStarveOld(t *testing.T) {
	release := make(chan struct{})
	s := newStage(t, finds("old"), architecture(func(context.Context, extract.Document) (extract.Result, error) {
		<-release
		return extract.Result{}, nil
	}), func(c *dispatch.Config) { c.NewSlots = 2; c.Budget = 100 * time.Millisecond })
	before := runtime.NumGoroutine()
	reasons := map[string]int{}
	for range 30 {
		a, err := s.dispatcher.Extract(t.Context(), "u", doc)
		wantServed(t, a, err, rollout.Old, "old")
		reasons[a.FallbackReason]++
	}
	if reasons["timeout"] != 2 || reasons["saturated"] != 28 {
		t.Errorf("fell back for %v, want 2 timeouts and then saturation", reasons)
	}
	if more := runtime.NumGoroutine() - before; more > 5 {
		t.Errorf("%d goroutines hang", more)
	}
	close(release)
}

func TestACallersFaultIsNobodysOutcome(t *testing.T) {
	s := newStage(t, extract.NewSingle(), extract.NewEnsemble(), nil)
	for name, c := range map[string]struct {
		doc  extract.Document
		want error
	}{
		"not UTF-8":        {extract.Document{Text: "a\xffb"}, extract.ErrInvalidText},
		"unknown language": {extract.Document{Text: "hello", Language: "xx"}, extract.ErrUnsupportedLanguage},
	} {
		if _, err := s.dispatcher.Extract(t.Context(), "u", c.doc); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if n := s.counted(t, rollout.New).Total().Requests; n != 0 {
		t.Errorf("texts that nobody could take left %d outcomes", n)
	}
}

func TestBothFailing(t *testing.T) {
	broken := errors.New("broken")
	fails := architecture(func(context.Context, extract.Document) (extract.Result, error) { return extract.Result{}, broken })
	s := newStage(t, fails, fails, nil)
	if _, err := s.dispatcher.Extract(t.Context(), "u", doc); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if sums := s.counted(t, rollout.New).Total(); sums.Requests != 1 || sums.Errors != 1 {
		t.Errorf("counted %+v", sums)
	}
}

func TestPinnedAndStaleUsersAreInNoCohort(t *testing.T) {
	s := newStage(t, finds("old"), finds("new"), nil)
	keyer := rollout.NewKeyer(s.store.Secrets().UserKey)
	s.apply(t, rollout.AddOverride{User: keyer.Key("pinned"), Variant: rollout.Old})
	a, err := s.dispatcher.Extract(t.Context(), "pinned", doc)
	wantServed(t, a, err, rollout.Old, "old")
	s.apply(t, rollout.SetFlag{Name: rollout.KillSwitch})
	a, err = s.dispatcher.Extract(t.Context(), "u", doc)
	wantServed(t, a, err, rollout.Old, "old")
	tally := s.counted(t, rollout.Old)
	if tally.Total().Requests != 0 || tally.Excluded().Requests != 2 {
		t.Errorf("in the cohort %d, excluded %d; want 0 and 2", tally.Total().Requests, tally.Excluded().Requests)
	}
}

func TestTheOutcomeIDCarriesWhatFeedbackNeeds(t *testing.T) {
	s := newStage(t, finds("old"), finds("new"), nil)
	a, err := s.dispatcher.Extract(t.Context(), "u", doc)
	if err != nil {
		t.Fatal(err)
	}
	ticket, err := s.sealer.Open(a.OutcomeID)
	if err != nil {
		t.Fatal(err)
	}
	keyer := rollout.NewKeyer(s.store.Secrets().UserKey)
	want := outcome.Ticket{Rollout: "nlp", Epoch: 1, Variant: rollout.New, Region: "eu", Minute: ticket.Minute, UserKey: keyer.Key("u")}
	if ticket != want {
		t.Errorf("ticket %+v, want %+v", ticket, want)
	}
}

func TestManyAtOnce(t *testing.T) {
	s := newStage(t, extract.NewSingle(), extract.NewEnsemble(), nil)
	errs := make(chan error, 64)
	for i := range 64 {
		go func() {
			_, err := s.dispatcher.Extract(t.Context(), rollout.UserID(fmt.Sprint("user-", i)), doc)
			errs <- err
		}()
	}
	for range 64 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := s.counted(t, rollout.New).Total().Requests; n != 64 {
		t.Errorf("%d outcomes of 64 texts", n)
	}
}

// New reads a share of old's texts too; a panic of it is an error of the pair, and the
// users notice nothing.
func TestTextsInTheShadow(t *testing.T) {
	pool := shadow.NewPool(1, 2, 10)
	defer pool.Close()
	set := outcome.NewShadowSet()
	s := newStage(t, finds("old"), architecture(func(ctx context.Context, d extract.Document) (extract.Result, error) {
		if d.Text == "" {
			panic("in the shadow")
		}
		return finds("new")(ctx, d)
	}), func(c *dispatch.Config) { c.Shadows, c.ShadowRecorder = pool, set })
	read := func(text string) {
		t.Helper()
		a, err := s.dispatcher.Extract(t.Context(), "u", extract.Document{Text: text})
		wantServed(t, a, err, rollout.Old, "old")
	}
	pairs := func() outcome.ShadowSums {
		list, err := set.Pending()
		if err != nil || len(list) > 1 {
			t.Fatal(err, list)
		}
		var p outcome.Shadows
		if len(list) == 1 {
			if err := p.UnmarshalBinary(list[0].Data); err != nil {
				t.Fatal(err)
			}
		}
		return p.Total()
	}
	s.apply(t, rollout.SetFlag{Name: rollout.KillSwitch})
	read("while new is switched off")
	s.apply(t, rollout.SetFlag{Name: rollout.KillSwitch, Enabled: true})
	s.apply(t, rollout.Rollback{Target: rollout.Disabled})
	read("a text")
	read("")
	for deadline := time.Now().Add(5 * time.Second); pairs().Pairs < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%+v, want 2 pairs", pairs())
		}
	}
	if p := pairs(); p.Pairs != 2 || p.Compared != 1 || p.SamePairs != 1 || p.NewErrors != 1 || p.OldErrors != 0 {
		t.Errorf("%+v", p)
	}
	if n := s.counted(t, rollout.New).Total().Requests; n != 0 {
		t.Errorf("%d outcomes of new", n)
	}
}
