package bound

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os/exec"
	"slices"
	"time"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// Config says what to prove, and where.
type Config struct {
	// Database is "sqlite:PATH" or "postgres://…" with a TCP host.
	Database string
	// Instances is how many decide at once; 8 if 0. A quarter of them are clients, each of
	// a server of its own.
	Instances int
	// Rollbacks is how many are made; 50 if 0.
	Rollbacks int
	// Lease is the lease's length; follow.DefaultLease if 0.
	Lease time.Duration
	// Process, if set, is a program that calls [RunInstance] with its standard input and
	// output. A quarter of the instances are then processes of their own, which are
	// stopped and continued.
	Process func() *exec.Cmd
	// Outage, if set, takes the database away during each rollback and brings it back
	// before it returns. It takes the place of all other faults.
	Outage func(context.Context) error
	// Progress, if set, is called after each rollback.
	Progress func()
	Logger   *slog.Logger
}

// Verify runs the proof. The error is of the proof itself; whether the bound held is
// in the report.
func Verify(ctx context.Context, config Config) (r Report, err error) {
	if config.Instances == 0 {
		config.Instances = 8
	}
	if config.Rollbacks == 0 {
		config.Rollbacks = 50
	}
	if config.Lease == 0 {
		config.Lease = follow.DefaultLease
	}
	if config.Progress == nil {
		config.Progress = func() {}
	}
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	began := time.Now()
	ground, err := prepare(ctx, config.Database)
	if err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, ground.remove()) }()
	p := &proof{config: config, found: newFindings()}
	defer func() { err = errors.Join(err, p.close()) }()
	if err := p.start(ctx, ground); err != nil {
		return Report{}, err
	}
	for round := range config.Rollbacks {
		if err := p.round(ctx); err != nil {
			return Report{}, fmt.Errorf("rollback %d of %d: %w", round+1, config.Rollbacks, err)
		}
		config.Progress()
	}
	return p.report(time.Since(began)), nil
}

// proof is a running proof.
type proof struct {
	config   Config
	admin    *store.Store // past the proxies
	subjects []subject
	found    *findings
}

func (p *proof) start(ctx context.Context, ground *ground) (err error) {
	if p.admin, err = store.Open(ctx, ground.url, store.Options{Migrate: true}); err != nil {
		return err
	}
	processes := 0
	if p.config.Process != nil && p.config.Outage == nil {
		processes = p.config.Instances / 4
	}
	clients := p.config.Instances / 4
	for n := range p.config.Instances - processes - clients {
		one, err := startInstance(ctx, ground, fmt.Sprintf("bound-%d", n), p.config)
		if err != nil {
			return err
		}
		p.subjects = append(p.subjects, one)
	}
	if err := p.startClients(ctx, ground, clients); err != nil {
		return err
	}
	for n := range processes {
		one, err := startProcess(ground, fmt.Sprintf("bound-process-%d", n), p.config)
		if err != nil {
			return err
		}
		p.subjects = append(p.subjects, one)
	}
	return nil
}

func (p *proof) close() error {
	var errs []error
	for _, s := range slices.Backward(p.subjects) { // a stopped process may hold up the others
		errs = append(errs, s.close())
	}
	if p.admin != nil {
		errs = append(errs, p.admin.Close())
	}
	return errors.Join(errs...)
}

// round is one rollback: everyone on new, a fault for each subject, the rollback at
// a random moment, and what each subject still decided.
func (p *proof) round(ctx context.Context) error {
	if err := p.everyoneOnNew(ctx); err != nil {
		return err
	}
	clock := time.Now()
	chosen := make([]fault, len(p.subjects))
	for i, s := range p.subjects {
		may := s.faults()
		chosen[i] = may[rand.IntN(len(may))]
		if chosen[i].begin != nil {
			if err := chosen[i].begin(); err != nil {
				return err
			}
		}
	}
	outage := p.beginOutage(ctx)
	err := pause(ctx, rand.N(p.config.interval()*2))
	var made commit
	if err == nil {
		made, err = p.rollback(ctx)
	}
	if err := errors.Join(err, <-outage); err != nil {
		return err
	}
	// Watch on for longer than is allowed: a breach must be seen.
	if err := pause(ctx, p.config.Lease+p.config.interval()); err != nil {
		return err
	}
	if err := p.wantKept(ctx, made); err != nil {
		return err
	}
	for i, s := range p.subjects {
		if chosen[i].end != nil {
			if err := chosen[i].end(); err != nil {
				return err
			}
		}
		last, err := s.lastNew()
		if err != nil {
			return err
		}
		if _, own := s.(*process); own && wasSet(clock) {
			continue // its times are of the wall clock, and cannot be compared
		}
		p.found.add(chosen[i].name, last, made, p.config.Lease)
	}
	return nil
}

// wasSet reports whether the wall clock was set since then by more than it drifts.
func wasSet(then time.Time) bool {
	now := time.Now()
	return (now.Round(0).Sub(then.Round(0)) - now.Sub(then)).Abs() > 10*time.Millisecond
}

// beginOutage takes the database away within two renewals. The channel gets the error
// when it is back.
func (p *proof) beginOutage(ctx context.Context) <-chan error {
	over := make(chan error, 1)
	if p.config.Outage == nil {
		over <- nil
		return over
	}
	go func() {
		err := pause(ctx, rand.N(p.config.interval()*2))
		if err == nil {
			err = p.config.Outage(ctx)
		}
		over <- err
	}()
	return over
}

// commit is between the moment at which a rollback was asked for and the one at which
// it was confirmed.
type commit struct {
	asked, confirmed time.Time
	revision         int64
}

// persistence is how long a person asks again whose database fails: longer than an
// outage lasts, and than a stopped process can hold SQLite's only write lock.
const persistence = time.Minute

// rollback makes the rollback. A person whose database fails asks again until it is
// confirmed; it may have been made by any attempt whose outcome is not known.
func (p *proof) rollback(ctx context.Context) (commit, error) {
	ctx, cancel := context.WithTimeout(ctx, persistence)
	defer cancel()
	var perhaps time.Time
	for {
		c := commit{asked: time.Now()}
		applied, err := p.admin.Apply(ctx, p.request(rollout.Rollback{Target: rollout.Disabled}))
		c.confirmed = time.Now()
		switch {
		case err == nil:
			if !applied.Changed && !perhaps.IsZero() {
				c.asked = perhaps
			}
			c.revision = applied.State.Revision
			return c, nil
		case ctx.Err() != nil || !errors.Is(err, store.ErrDatabase) && !errors.Is(err, store.ErrUnknownOutcome):
			return commit{}, err
		case errors.Is(err, store.ErrUnknownOutcome) && perhaps.IsZero():
			perhaps = c.asked
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return commit{}, err
		}
	}
}

// wantKept looks whether the rollback that was confirmed is still there.
func (p *proof) wantKept(ctx context.Context, made commit) error {
	state, err := p.admin.State(ctx)
	if err != nil {
		return err
	}
	if state.Revision < made.revision || state.Rollout.Stage != rollout.Disabled {
		p.found.lost++
	}
	return nil
}

// everyoneOnNew advances to 100 % and waits until every subject decides so and is
// notified of changes again: what one fault leaves behind must not count for the next.
func (p *proof) everyoneOnNew(ctx context.Context) error {
	state, err := p.admin.State(ctx)
	if err != nil {
		return err
	}
	for stage := state.Rollout.Stage; stage < rollout.FullRollout; stage++ {
		if _, err := p.admin.Apply(ctx, p.request(rollout.Advance{})); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for _, s := range p.subjects {
		for {
			back, why := s.recovered()
			if back {
				break
			}
			if err := pause(ctx, time.Millisecond); err != nil {
				return fmt.Errorf("%s does not come back after its fault: %w", s, errors.Join(err, why))
			}
		}
	}
	return nil
}

func (p *proof) request(c rollout.Change) store.Request {
	return store.Request{Change: c, Actor: rollout.Actor{Name: "verify-bound", Role: rollout.RoleAdmin, Source: rollout.SourceSystem}}
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
