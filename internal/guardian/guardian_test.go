package guardian

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/internal/notify"
	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

var (
	ann  = rollout.Actor{Name: "ann@example.com", Role: rollout.RoleAdmin, Source: rollout.SourceCLI}
	olga = rollout.Actor{Name: "olga@example.com", Role: rollout.RoleOperator, Source: rollout.SourceCLI}
)

// world is a database, a clock and the people who hear of alerts.
type world struct {
	t      *testing.T
	store  *store.Store
	now    time.Time
	set    *outcome.Set
	random *rand.Rand

	mu    sync.Mutex
	heard []notify.Alert
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, now: noon, set: outcome.NewSet(), random: rand.New(rand.NewPCG(1, 2))}
	st, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "test.db"), store.Options{Migrate: true, Now: func() time.Time { return w.now }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Error(err)
		}
	})
	w.store = st
	return w
}

func (w *world) change(actor rollout.Actor, change rollout.Change) rollout.State {
	w.t.Helper()
	applied, err := w.store.Apply(w.t.Context(), store.Request{Change: change, Actor: actor})
	if err != nil {
		w.t.Fatal(err)
	}
	return applied.State
}

// enter brings the rollout to a stage by hand, and the guardian out of its pause.
func (w *world) enter(stage rollout.Stage) {
	w.t.Helper()
	w.change(olga, rollout.Rollback{})
	for range stage {
		w.change(ann, rollout.Advance{})
	}
	w.change(ann, rollout.ResumeGuardian{})
}

func (w *world) set1(key, value string) {
	w.t.Helper()
	w.change(ann, rollout.SetSetting{Key: key, Value: value})
}

func (w *world) state() rollout.State {
	w.t.Helper()
	s, err := w.store.State(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// rates are what requests are like on one architecture.
type rates struct {
	errors, timeouts float64
	took             time.Duration
	labels           outcome.Labels // of each text; none if zero
}

// serve is n requests of as many users in each of some minutes, which pass.
func (w *world) serve(minutes, n int, old, canary rates) {
	w.t.Helper()
	s := w.state()
	for range minutes {
		for range n {
			o := outcome.Outcome{Rollout: s.Rollout.Name, Epoch: s.Rollout.Epoch, Variant: rollout.Old, Revision: s.Revision, Descriptions: 3}
			binary.BigEndian.PutUint64(o.UserKey[:8], w.random.Uint64())
			like := old
			if w.random.Float64()*100 < float64(s.EffectivePercentage()) {
				o.Variant, like = rollout.New, canary
			}
			o.ProcessingTime = like.took + time.Duration(w.random.Int64N(int64(like.took)))
			switch roll := w.random.Float64(); {
			case roll < like.errors:
				o.Error = true
			case roll < like.errors+like.timeouts:
				o.Timeout = true
			}
			if err := w.set.Add(o, w.now); err != nil {
				w.t.Fatal(err)
			}
			w.label(o, like.labels)
		}
		w.now = w.now.Add(time.Minute)
	}
	pending, err := w.set.Pending(w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.store.PutTallies(w.t.Context(), "p", pending); err != nil {
		w.t.Fatal(err)
	}
	w.set.Acknowledge(pending)
}

func (w *world) label(o outcome.Outcome, l outcome.Labels) {
	w.t.Helper()
	if l == (outcome.Labels{}) {
		return
	}
	if w.random.IntN(3) == 0 {
		l.Correct--
		l.Missed++
	}
	count := func(n int64) *int { v := int(n); return &v }
	err := w.store.PutFeedback(w.t.Context(), store.Feedback{
		OutcomeID: fmt.Sprintf("%x", o.UserKey[:8]), Actor: "readers",
		Ticket:   outcome.Ticket{Rollout: o.Rollout, Epoch: o.Epoch, Variant: o.Variant, Minute: outcome.MinuteOf(w.now), UserKey: o.UserKey},
		Feedback: outcome.Feedback{Correct: count(l.Correct), Wrong: count(l.Wrong), Missed: count(l.Missed)},
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// guardian is one that looks when the test says so.
func (w *world) guardian(instance string) *Guardian {
	return &Guardian{learned: map[string]bool{}, config: Config{
		Store: w.store, Instance: instance, Host: "host", Every: DefaultEvery, Now: func() time.Time { return w.now },
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Tell: func(a notify.Alert) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.heard = append(w.heard, a)
		},
	}}
}

func (w *world) look(g *Guardian) {
	w.t.Helper()
	if err := g.look(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// rules are those that people heard of, sorted.
func (w *world) rules() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []string
	for _, a := range w.heard {
		text := a.Rule
		if a.Resolved {
			text += " resolved"
		}
		if !slices.Contains(list, text) {
			list = append(list, text)
		}
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

func (w *world) wantStage(want rollout.Stage) {
	w.t.Helper()
	if got := w.state().Rollout.Stage; got != want {
		w.t.Fatalf("the rollout is at stage %s, want %s; people heard %+v", got, want, w.heard)
	}
}

var (
	good   = rates{errors: .02, took: 20 * time.Millisecond}
	broken = rates{errors: .25, took: 20 * time.Millisecond}
	faster = rates{errors: .005, took: 15 * time.Millisecond, labels: outcome.Labels{Correct: 9, Wrong: 1}}
	slower = rates{errors: .02, took: 20 * time.Millisecond, labels: outcome.Labels{Correct: 6, Wrong: 2, Missed: 2}}
)

// A bad release is rolled back in the tick in which its evidence arrives, with that
// evidence in the audit trail; and it stays rolled back.
func TestRollsBackOnHarm(t *testing.T) {
	w := newWorld(t)
	w.enter(rollout.HalfRollout)
	g := w.guardian("a")
	w.serve(3, 200, good, good)
	w.look(g)
	w.wantStage(rollout.HalfRollout)

	w.serve(3, 200, good, broken)
	w.look(g)
	w.wantStage(rollout.Disabled)
	s := w.state()
	if !s.Rollout.Latched || s.Guardian.Paused != rollout.PauseNone {
		t.Errorf("latched %t, paused %q", s.Rollout.Latched, s.Guardian.Paused)
	}
	audit, err := w.store.Audit(t.Context(), store.AuditQuery{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	entry := audit[0]
	if entry.Actor != Name || entry.Source != rollout.SourceGuardian || entry.Action != rollout.ActionRollback {
		t.Errorf("the audit says %+v", entry)
	}
	for _, part := range []string{"Harm is proven", "The error rate is", "on new against", "combined ln E", "errors HARM"} {
		if !strings.Contains(entry.Note, part) {
			t.Errorf("the note lacks %q:\n%s", part, entry.Note)
		}
	}
	if got := w.rules(); !strings.Contains(got, "rolled_back") {
		t.Errorf("people heard %s", got)
	}
	// Nothing happens again.
	revision := s.Revision
	w.serve(3, 200, good, good)
	w.look(g)
	if got := w.state().Revision; got != revision {
		t.Errorf("revision %d after %d", got, revision)
	}
}

func TestDoesNotAct(t *testing.T) {
	for name, prepare := range map[string]func(*world){
		"observing":   func(w *world) { w.set1("guardian", "observe") },
		"paused":      func(w *world) { w.change(ann, rollout.PauseGuardian{}) },
		"killed":      func(w *world) { w.change(olga, rollout.SetFlag{Name: rollout.KillSwitch}) },
		"inside":      func(w *world) { w.set1("rollback_error_increase", "10") },
		"rolled back": func(w *world) { w.change(olga, rollout.Rollback{}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.enter(rollout.HalfRollout)
			w.serve(4, 300, good, rates{errors: .15, took: good.took})
			prepare(w)
			if name == "killed" || name == "rolled back" {
				w.serve(1, 100, good, good)
			}
			before := w.state()
			w.look(w.guardian("a"))
			if after := w.state(); after.Revision != before.Revision {
				t.Errorf("the guardian did something: %+v", after.Last)
			}
		})
	}
}

// Where all is proven safe, automatic mode advances when the soak is over, and no
// sooner.
func TestAdvancesWhenAllIsSafe(t *testing.T) {
	w := newWorld(t)
	w.enter(rollout.HalfRollout)
	g := w.guardian("a")
	w.serve(10, 400, slower, faster)
	w.now = w.now.Add(rollout.HalfRollout.Soak() - time.Hour)
	w.serve(1, 20, slower, faster)
	w.set1("guardian", "auto")
	w.look(g)
	w.wantStage(rollout.HalfRollout)
	w.now = w.now.Add(time.Hour)
	w.set1("guardian", "guard")
	w.look(g)
	w.wantStage(rollout.HalfRollout)
	w.set1("guardian", "auto")
	w.set1("approvals", "1")
	w.look(g)
	w.wantStage(rollout.HalfRollout)
	w.change(ann, rollout.Approve{})
	w.look(g)
	w.wantStage(rollout.FullRollout)
	if got := w.rules(); !strings.Contains(got, "advanced") {
		t.Errorf("people heard %s", got)
	}
}

func TestDoesNotAdvance(t *testing.T) {
	for name, c := range map[string]struct {
		old, canary rates
		prepare     func(*world)
	}{
		"without labels":   {good, rates{errors: .005, took: 15 * time.Millisecond}, nil},
		"without data":     {rates{}, rates{}, nil},
		"by a person":      {slower, faster, func(w *world) { w.change(olga, rollout.Rollback{Target: rollout.HalfRollout}) }},
		"a gain too small": {slower, rates{errors: .005, took: 15 * time.Millisecond, labels: slower.labels}, nil},
		"somewhat slower":  {slower, rates{errors: .005, took: 24 * time.Millisecond, labels: faster.labels}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.enter(rollout.HalfRollout)
			w.set1("guardian", "auto")
			if c.prepare != nil {
				c.prepare(w)
			}
			if c.old.took > 0 {
				w.serve(8, 300, c.old, c.canary)
			}
			w.now = w.now.Add(rollout.HalfRollout.Soak())
			w.look(w.guardian("a"))
			w.wantStage(rollout.HalfRollout)
		})
	}
}

// loseARevision lets an instance tell that it has seen more than the database has.
func (w *world) loseARevision() {
	w.t.Helper()
	_, err := w.store.Renew(w.t.Context(), follow.Heartbeat{Instance: "i", Seen: follow.Seen{Version: follow.Version{Revision: 1000}}})
	if !errors.Is(err, follow.ErrWentBack) {
		w.t.Fatal(err)
	}
	if err := w.store.Leave(w.t.Context(), "i"); err != nil {
		w.t.Fatal(err)
	}
}

// Where all is proven safe nothing is advanced all the same, as long as the database is
// not trusted.
func TestDoesNotAdvanceADatabaseThatWentBack(t *testing.T) {
	w := newWorld(t)
	w.enter(rollout.HalfRollout)
	w.set1("guardian", "auto")
	g := w.guardian("a")
	w.serve(10, 400, slower, faster)
	w.now = w.now.Add(rollout.HalfRollout.Soak())
	w.serve(1, 20, slower, faster)
	w.loseARevision()
	w.look(g)
	w.wantStage(rollout.HalfRollout)
	w.change(ann, rollout.AcceptRestore{})
	w.look(g)
	w.wantStage(rollout.FullRollout)
}

func TestTellsOfADatabaseThatWentBack(t *testing.T) {
	w := newWorld(t)
	g := w.guardian("a")
	w.loseARevision()
	w.look(g)
	if got := w.rules(); got != "database_went_back" {
		t.Errorf("people heard %s", got)
	}
	w.change(ann, rollout.AcceptRestore{})
	w.look(g)
	w.now = w.now.Add(settleAfter)
	w.look(g)
	if got := w.rules(); !strings.Contains(got, "database_went_back resolved") {
		t.Errorf("people heard %s", got)
	}
}

// What else goes wrong does not hold a rollback up.
func TestRollsBackFirst(t *testing.T) {
	w := newWorld(t)
	w.enter(rollout.HalfRollout)
	w.serve(4, 300, good, broken)
	g := w.guardian("a")
	g.config.Store = blind{w.store}
	if err := g.look(t.Context()); err == nil {
		t.Error("the look failed at nothing")
	}
	w.wantStage(rollout.Disabled)
}

// blind cannot see instances.
type blind struct{ *store.Store }

func (blind) Instances(context.Context) ([]store.Instance, error) { return nil, store.ErrDatabase }

// One leads; another takes over when the first is gone, and tells nothing twice.
func TestOneLeads(t *testing.T) {
	w := newWorld(t)
	w.enter(rollout.HalfRollout)
	w.set1("guardian", "observe")
	w.serve(4, 300, good, broken)
	first, second := w.guardian("a"), w.guardian("b")
	w.look(first)
	w.look(second)
	if !first.leads || second.leads {
		t.Fatalf("a leads %t, b leads %t", first.leads, second.leads)
	}
	told := len(w.heard)
	if told == 0 {
		t.Fatal("nobody heard anything")
	}
	w.now = w.now.Add(leadFor + time.Second)
	w.look(second)
	if !second.leads || len(w.heard) != told {
		t.Errorf("b leads %t, and told %d more", second.leads, len(w.heard)-told)
	}
	w.look(first)
	if first.leads {
		t.Error("two lead")
	}
}

func TestTellsOfTrouble(t *testing.T) {
	w := newWorld(t)
	w.enter(rollout.HalfRollout)
	w.set1("guardian", "observe")
	g := w.guardian("a")
	w.serve(6, 200, good, good)
	w.look(g)
	if got := w.rules(); got != "" {
		t.Fatalf("all is well, and people heard %s", got)
	}
	w.serve(5, 200, rates{errors: .2, took: good.took}, rates{errors: .02, timeouts: .1, took: good.took})
	w.look(g)
	if got := w.rules(); got != "error_rate, timeout_rate, worse" {
		t.Errorf("people heard %s", got)
	}
	w.now = w.now.Add(2 * trafficWithin)
	w.look(g)
	w.now = w.now.Add(settleAfter)
	w.look(g)
	if got := w.rules(); !strings.Contains(got, "no_traffic") || !strings.Contains(got, "error_rate resolved") {
		t.Errorf("people heard %s", got)
	}
	if _, err := w.store.VerifyAudit(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
}

// A database that is away is told of once, and when it is back.
func TestTellsOfAnOutage(t *testing.T) {
	w := newWorld(t)
	g := w.guardian("a")
	for range 20 {
		g.failed.note(g, context.DeadlineExceeded)
		w.now = w.now.Add(2 * time.Second)
	}
	g.failed.note(g, nil)
	g.failed.note(g, nil)
	if len(w.heard) != 2 || w.heard[0].Rule != ruleDatabase || w.heard[0].Resolved || !w.heard[1].Resolved || w.heard[0].Key() != w.heard[1].Key() {
		t.Errorf("people heard %+v", w.heard)
	}
	g.failed.note(g, context.DeadlineExceeded)
	g.failed.note(g, nil)
	if len(w.heard) != 2 {
		t.Error("a moment's outage was told of")
	}
}

// A finished rollout leaves its effects, once.
func TestLearnsFromFinishedRollouts(t *testing.T) {
	w := newWorld(t)
	w.enter(rollout.HalfRollout)
	w.set1("guardian", "observe")
	w.serve(5, 400, good, rates{errors: .04, took: 40 * time.Millisecond})
	w.change(olga, rollout.Rollback{})
	w.change(ann, rollout.Start{Name: "next", OldName: "single", NewName: "third", Salt: "s"})
	g := w.guardian("a")
	w.look(g)
	w.look(g)
	effects, err := w.store.Effects(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]store.Effect{}
	for _, e := range effects {
		if e.Rollout != rollout.DefaultName {
			t.Errorf("an effect of %q", e.Rollout)
		}
		found[e.Metric] = e
	}
	if e := found["errors"]; e.LogRatio < .3 || e.LogRatio > 1.2 || !(e.StdErr > 0) {
		t.Errorf("errors doubled, and what was learned is %+v", e)
	}
	if e := found["processing_time"]; e.LogRatio < .6 || e.LogRatio > .8 {
		t.Errorf("times doubled, and what was learned is %+v", e)
	}
	if len(effects) != len(found) {
		t.Errorf("%d effects of %d metrics", len(effects), len(found))
	}
}

func TestRunsUntilItIsClosed(t *testing.T) {
	w := newWorld(t)
	w.enter(rollout.HalfRollout)
	w.serve(4, 300, good, broken)
	config := w.guardian("a").config
	config.Every = time.Millisecond
	g := Start(config)
	for deadline := time.Now().Add(10 * time.Second); w.state().Rollout.Stage != rollout.Disabled; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no rollback within 10 s")
		}
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if leader, err := w.store.Leader(t.Context(), Task); err != nil || leader != "" {
		t.Errorf("after closing %q leads, %v", leader, err)
	}
}
