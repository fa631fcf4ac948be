package bound

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/internal/faultproxy"
	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// Config says what to prove, and where.
type Config struct {
	// Database is "sqlite:PATH" or "postgres://…" with a TCP host.
	Database string
	// Instances is how many decide at once; 8 if 0.
	Instances int
	// Rollbacks is how many are made; 50 if 0.
	Rollbacks int
	// Lease is the lease's length; follow.DefaultLease if 0.
	Lease time.Duration
	// Progress, if set, is called after each rollback.
	Progress func()
	Logger   *slog.Logger
}

// fault is what is done to an instance's connections during a rollback.
type fault struct {
	name  string
	proxy faultproxy.Fault
}

// faults are those of a network.
func faults(lease time.Duration) []fault {
	return []fault{
		{"none", faultproxy.Fault{}},
		{"black hole", faultproxy.Fault{HoldUp: true, HoldDown: true}},
		{"answers lost", faultproxy.Fault{HoldDown: true}},
		{"questions lost", faultproxy.Fault{HoldUp: true}},
		{"answers delayed", faultproxy.Fault{DelayDown: lease * 5 / 6}},
		{"LISTEN half-open", faultproxy.Fault{HoldUp: true, HoldDown: true, ListenOnly: true}},
		{"connections reset", faultproxy.Fault{Reset: true}},
	}
}

// Row is what was measured under one fault.
type Row struct {
	Fault string `json:"fault"`
	// Rollbacks counts rollbacks times instances under this fault.
	Rollbacks int `json:"rollbacks"`
	// P50MS, P99MS and MaxMS are of the time from asking for the rollback to the last
	// decision for new, in milliseconds.
	P50MS float64 `json:"p50_ms"`
	P99MS float64 `json:"p99_ms"`
	MaxMS float64 `json:"max_ms"`
	// Broken counts decisions for new that were begun later than one lease after the
	// rollback had been confirmed: certain breaches of the promise.
	Broken int `json:"broken"`
}

// Report is the result of a proof.
type Report struct {
	Held      bool    `json:"held"`
	LeaseMS   int64   `json:"lease_ms"`
	Instances int     `json:"instances"`
	Rollbacks int     `json:"rollbacks"`
	Decisions int64   `json:"decisions"` // that were looked at
	Rows      []Row   `json:"rows"`
	Seconds   float64 `json:"seconds"`
}

// Verify runs the proof. The error is of the proof itself; whether the bound held is
// in the report.
func Verify(ctx context.Context, config Config) (report Report, err error) {
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
	p := &proof{config: config, interval: config.Lease / 6, late: map[string][]time.Duration{}, broken: map[string]int{}}
	p.faults = faults(config.Lease)
	if !ground.network {
		p.faults = p.faults[:1]
	}
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
	config    Config
	interval  time.Duration
	faults    []fault
	admin     *store.Store // past the proxies
	instances []*instance
	late      map[string][]time.Duration // by fault
	broken    map[string]int
}

func (p *proof) start(ctx context.Context, ground *ground) (err error) {
	if p.admin, err = store.Open(ctx, ground.url, store.Options{Migrate: true}); err != nil {
		return err
	}
	for i := range p.config.Instances {
		one, err := startInstance(ctx, ground, i, p.config, p.interval)
		if err != nil {
			return err
		}
		p.instances = append(p.instances, one)
	}
	return nil
}

func (p *proof) close() error {
	var errs []error
	for _, i := range p.instances {
		errs = append(errs, i.close())
	}
	if p.admin != nil {
		errs = append(errs, p.admin.Close())
	}
	return errors.Join(errs...)
}

// round is one rollback: everyone on new, a fault for each instance, the rollback at
// a random moment, and what each instance still decided.
func (p *proof) round(ctx context.Context) error {
	if err := p.everyoneOnNew(ctx); err != nil {
		return err
	}
	chosen := make([]fault, len(p.instances))
	for i, one := range p.instances {
		chosen[i] = p.faults[rand.IntN(len(p.faults))]
		one.suffer(chosen[i].proxy)
	}
	if err := pause(ctx, rand.N(p.interval*2)); err != nil {
		return err
	}
	asked := time.Now()
	if _, err := p.admin.Apply(ctx, p.request(rollout.Rollback{Target: rollout.Disabled})); err != nil {
		return err
	}
	confirmed := time.Now()
	// Watch on for longer than is allowed: a breach must be seen.
	if err := pause(ctx, p.config.Lease+p.interval); err != nil {
		return err
	}
	for i, one := range p.instances {
		name, last := chosen[i].name, one.lastNew()
		p.late[name] = append(p.late[name], max(last.after.Sub(asked), 0))
		if last.before.Sub(confirmed) > p.config.Lease {
			p.broken[name]++
		}
		one.suffer(faultproxy.Fault{})
	}
	return nil
}

// everyoneOnNew advances to 100 % and waits until every instance decides so and is
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
	for _, one := range p.instances {
		for !one.recovered() {
			if err := pause(ctx, time.Millisecond); err != nil {
				return fmt.Errorf("instance %s does not come back after its fault: %w", one.name, errors.Join(err, one.follower.Status().LastError))
			}
		}
	}
	return nil
}

func (p *proof) request(c rollout.Change) store.Request {
	return store.Request{Change: c, Actor: rollout.Actor{Name: "verify-bound", Role: rollout.RoleAdmin, Source: rollout.SourceSystem}}
}

func (p *proof) report(took time.Duration) Report {
	r := Report{
		Held: true, LeaseMS: p.config.Lease.Milliseconds(), Instances: len(p.instances), Rollbacks: p.config.Rollbacks,
		Rows: []Row{}, Seconds: took.Seconds(),
	}
	for _, i := range p.instances {
		r.Decisions += i.decisions.Load()
	}
	for _, f := range p.faults {
		late := p.late[f.name]
		if len(late) == 0 {
			continue
		}
		slices.Sort(late)
		at := func(q float64) float64 { return ms(late[int(q*float64(len(late)-1)+.5)]) }
		row := Row{Fault: f.name, Rollbacks: len(late), P50MS: at(.5), P99MS: at(.99), MaxMS: at(1), Broken: p.broken[f.name]}
		r.Held = r.Held && row.Broken == 0
		r.Rows = append(r.Rows, row)
	}
	return r
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

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
