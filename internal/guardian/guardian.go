package guardian

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/advisor"
	"github.com/nlpcanary/nlpcanary/internal/notify"
	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// Name is the guardian's name in the audit trail.
const Name = "guardian"

// Task is what instances compete to lead; see [store.Store.Lead].
const Task = "guardian"

// DefaultEvery is the time between two looks.
const DefaultEvery = 2 * time.Second

// leadFor is how long the lead lasts: another instance takes over that much after the
// last look of one that died.
const leadFor = 3 * DefaultEvery

// verifyEvery is how often the leader verifies the audit trail, which reads all of it.
const verifyEvery = time.Minute

// Store is what the guardian needs of [store.Store].
type Store interface {
	Source
	Instances(ctx context.Context) ([]store.Instance, error)
	Distrust(ctx context.Context) (string, error)
	Audit(ctx context.Context, query store.AuditQuery) ([]store.AuditEntry, error)
	VerifyAudit(ctx context.Context, head string) (store.AuditReport, error)
	Apply(ctx context.Context, r store.Request) (store.Applied, error)
	Lead(ctx context.Context, task, holder string, lease time.Duration) (bool, error)
	StepDown(ctx context.Context, task, holder string) error
	Alerts(ctx context.Context) ([]store.Alert, error)
	PutAlert(ctx context.Context, a store.Alert) error
	PutEffects(ctx context.Context, list []store.Effect) error
}

// Config says what to watch and whom to tell.
type Config struct {
	Store Store
	// Instance is this instance's id, Host the name of where it runs: that is what an
	// outage of the database is told of.
	Instance, Host string
	// Every is the time between two looks; DefaultEvery if 0.
	Every time.Duration
	// Flush, if set, brings this instance's outcomes to the store before a look.
	Flush func(context.Context) error
	// Tell gets what people must hear of. It must not block. Nobody is told if nil.
	Tell   func(notify.Alert)
	Now    func() time.Time // time.Now if nil
	Logger *slog.Logger     // slog.Default if nil
}

// Guardian watches until it is closed.
type Guardian struct {
	config Config
	cancel context.CancelFunc
	done   sync.WaitGroup

	leads    bool
	alarms   *alarms // nil unless it leads
	verified time.Time
	audit    store.AuditReport
	learned  map[string]bool // rollouts whose effects are kept
	failed   failing

	// For Prometheus.
	looks, failures atomic.Int64
	last            atomic.Pointer[glance]
}

// Start begins to watch.
func Start(config Config) *Guardian {
	if config.Every == 0 {
		config.Every = DefaultEvery
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Tell == nil {
		config.Tell = func(notify.Alert) {}
	}
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	ctx, cancel := context.WithCancel(context.Background())
	g := &Guardian{config: config, cancel: cancel, learned: map[string]bool{}}
	g.done.Go(func() { g.run(ctx) })
	return g
}

// Close stops watching, and lets another instance lead at once.
func (g *Guardian) Close() error {
	g.cancel()
	g.done.Wait()
	if !g.leads {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return g.config.Store.StepDown(ctx, Task, g.config.Instance)
}

// Mended tells that the database, which a closed guardian missed, has come.
func (g *Guardian) Mended() { g.failed.note(g, nil) }

func (g *Guardian) run(ctx context.Context) {
	tick := time.NewTicker(g.config.Every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		within, cancel := context.WithTimeout(ctx, leadFor)
		err := g.look(within)
		cancel()
		if ctx.Err() != nil {
			return
		}
		g.looks.Add(1)
		if err != nil {
			g.failures.Add(1)
		}
		if err != nil || !g.leads {
			g.last.Store(nil)
		}
		g.failed.note(g, err)
	}
}

// look is one tick.
func (g *Guardian) look(ctx context.Context) error {
	led := g.leads
	var err error
	if g.leads, err = g.config.Store.Lead(ctx, Task, g.config.Instance, leadFor); err != nil {
		g.leads, g.alarms = false, nil
		return err
	}
	if !g.leads {
		g.alarms = nil
		return nil
	}
	if !led {
		g.config.Logger.Info("this instance leads the guardian")
		past, err := g.config.Store.Effects(ctx)
		if err != nil {
			return err
		}
		for _, e := range past {
			g.learned[e.Rollout] = true
		}
	}
	if g.config.Flush != nil {
		if err := g.config.Flush(ctx); err != nil {
			g.config.Logger.Debug("outcomes are not stored yet", "error", err)
		}
	}
	var s sight
	if s.Input, s.advice, err = Look(ctx, g.config.Store, g.config.Now()); err != nil {
		return err
	}
	// Users first: a rollback waits for nothing else.
	var acted error
	if s.advice.Action == advisor.KindRollback {
		acted = g.act(ctx, s)
	}
	if err := g.survey(ctx, &s); err != nil {
		return errors.Join(acted, err)
	}
	g.last.Store(&glance{leads: true, findings: s.Report.Findings, combined: s.Report.Combined, alarms: s.findings()})
	if s.advice.Action == advisor.KindAdvance {
		acted = g.act(ctx, s)
	}
	return errors.Join(acted, g.tell(ctx, s), g.learn(ctx, s))
}

// survey looks at what else people must hear of, and at what forbids an advance.
func (g *Guardian) survey(ctx context.Context, s *sight) error {
	var err error
	if s.instances, err = g.config.Store.Instances(ctx); err != nil {
		return err
	}
	if s.distrust, err = g.config.Store.Distrust(ctx); err != nil {
		return err
	}
	if s.At.Sub(g.verified) >= verifyEvery {
		if g.audit, err = g.config.Store.VerifyAudit(ctx, ""); err != nil {
			return err
		}
		g.verified = s.At
	}
	s.audit = g.audit
	return nil
}

// act does what the mode allows of what is advised.
func (g *Guardian) act(ctx context.Context, s sight) error {
	change := Decide(s.State, s.advice, s.At)
	if change == nil {
		return nil
	}
	if s.distrust != "" && change.Action() == rollout.ActionAdvance {
		return nil // from a stage that may have been left by a rollback which was lost
	}
	applied, err := g.config.Store.Apply(ctx, store.Request{
		Change: change, Actor: actor, Note: note(s), Base: s.State.Revision,
	})
	var conflict *rollout.ConflictError
	var refusal *rollout.Refusal
	switch {
	case errors.As(err, &conflict):
		return nil // somebody else was first; the next look judges what stands then
	case errors.As(err, &refusal):
		g.config.Logger.Info("the guardian may not act", "action", change.Action(), "why", refusal.Message)
		return nil
	case err != nil:
		return fmt.Errorf("doing what the evidence says: %w", err)
	case !applied.Changed:
		return nil
	}
	g.config.Logger.Warn("the guardian acted", "action", change.Action(), "revision", applied.State.Revision, "why", s.advice.Why)
	a := alertOf(applied.State, s.At)
	a.Rule, a.Severity = ruleRollback, notify.Critical
	a.Summary = fmt.Sprintf("Rolled back from stage %d %s to stage %d %s. %s",
		applied.Was.Rollout.Stage, applied.Was.Rollout.Stage, applied.State.Rollout.Stage, applied.State.Rollout.Stage, s.advice.Why)
	if change.Action() == rollout.ActionAdvance {
		a.Rule, a.Severity = ruleAdvance, notify.Info
		a.Summary = fmt.Sprintf("Advanced to stage %d %s (%d %%). %s",
			applied.State.Rollout.Stage, applied.State.Rollout.Stage, applied.State.Rollout.Percentage, s.advice.Why)
	}
	g.config.Tell(a)
	return nil
}

// actor is the guardian as the gate knows it. Advancing needs an admin; that it never
// does what people do not want is the gate's rule.
var actor = rollout.Actor{Name: Name, Role: rollout.RoleAdmin, Source: rollout.SourceGuardian}

// note is the evidence, for the audit trail: at most 2,000 characters.
func note(s sight) string {
	text := []rune(s.advice.Why + "\n" + s.Evidence())
	return string(text[:min(len(text), 2000)])
}

// Decide is what the guardian does by itself about advice: a rollback to stage 0, an
// advance, or nothing (nil). It is a pure function of what it is given.
func Decide(state rollout.State, advice advisor.Advice, at time.Time) rollout.Change {
	mode, paused := state.Settings.Guardian, state.Guardian.Paused
	exposed := state.Rollout.Stage > rollout.Disabled && !state.Rollout.Finalised
	switch {
	case mode == rollout.GuardianObserve || paused == rollout.PauseAll:
		return nil
	case advice.Action == advisor.KindRollback && exposed && state.NewArchitectureEnabled():
		return rollout.Rollback{Target: rollout.Disabled}
	case advice.Action == advisor.KindAdvance && mode == rollout.GuardianAuto && paused == rollout.PauseNone &&
		!state.Rollout.Latched && !at.Before(state.SoakEndsAt()) && state.MissingApprovals(actor) == 0:
		return rollout.Advance{}
	}
	return nil
}

// tell keeps what is wrong and tells people what they must hear of.
func (g *Guardian) tell(ctx context.Context, s sight) error {
	if g.alarms == nil {
		known, err := g.config.Store.Alerts(ctx)
		if err != nil {
			return err
		}
		g.alarms = recall(known, s.At)
	}
	kept, told := g.alarms.look(s.findings(), s.At)
	for _, one := range kept {
		if err := g.config.Store.PutAlert(ctx, one); err != nil {
			g.alarms = nil // what is stored decides at the next look
			return err
		}
	}
	for _, one := range told {
		a := alertOf(s.State, s.At)
		a.Rule, a.Subject, a.Severity, a.Summary = one.Rule, one.Subject, notify.Severity(one.Severity), one.Summary
		a.Since, a.Resolved = one.Since, !one.ResolvedAt.IsZero()
		g.config.Tell(a)
	}
	return nil
}

func alertOf(state rollout.State, at time.Time) notify.Alert {
	r := state.Rollout
	return notify.Alert{Since: at, At: at, Rollout: r.Name, Stage: fmt.Sprintf("%d %s %d %%", r.Stage, r.Stage, r.Percentage)}
}

// failing tells of a database that does not answer: every instance for itself, since
// then nobody leads.
type failing struct {
	since, told time.Time
}

// tellAfter is how long the database must have failed before people are told.
const tellAfter = 15 * time.Second

func (f *failing) note(g *Guardian, err error) {
	now := g.config.Now()
	a := notify.Alert{Rule: ruleDatabase, Subject: g.config.Host, Severity: notify.Critical, Since: f.since, At: now}
	switch {
	case err == nil:
		if !f.told.IsZero() {
			a.Resolved, a.Summary = true, "The database answers again."
			g.config.Tell(a)
		}
		if !f.since.IsZero() {
			g.config.Logger.Info("the guardian can look again")
		}
		*f = failing{}
	case f.since.IsZero():
		f.since = now
		g.config.Logger.Warn("the guardian cannot look", "error", err)
	case now.Sub(f.since) >= tellAfter && (f.told.IsZero() || now.Sub(f.told) >= remindAfter):
		f.told = now
		a.Summary = fmt.Sprintf("The instance on %s could not look at the database since %s: nothing is judged by it, and without a lease it sends everyone to old.",
			g.config.Host, f.since.Format(time.RFC3339))
		g.config.Tell(a)
	}
}
