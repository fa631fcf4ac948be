package server

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/nlpcanary/nlpcanary/extract"
	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/internal/dispatch"
	"github.com/nlpcanary/nlpcanary/internal/gateway"
	"github.com/nlpcanary/nlpcanary/internal/guardian"
	"github.com/nlpcanary/nlpcanary/internal/ingest"
	"github.com/nlpcanary/nlpcanary/internal/notify"
	"github.com/nlpcanary/nlpcanary/internal/shadow"
	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// Config says how an instance serves.
type Config struct {
	// Database is "sqlite:PATH" or "postgres://…". It is created or migrated.
	Database string
	// Addr is host:port to listen on; port 0 chooses a free one.
	Addr   string
	Region rollout.Region
	// Version of the program, as shown in status.
	Version string
	// Lease is how long a state is trusted after its renewal was sent;
	// follow.DefaultLease if 0.
	Lease time.Duration
	// Interval is the mean time between renewals; follow.DefaultInterval if 0.
	Interval time.Duration
	// Budget is the time one text may take, fallback included;
	// dispatch.DefaultBudget if 0.
	Budget time.Duration
	// CacheSlots bounds the cohort cache; see follow.Config.
	CacheSlots int
	// KillFile, if set, sends everyone to old for as long as the file exists.
	KillFile string
	// StateDir is where the instance keeps what it must remember over a restart: which
	// state it has seen last. The directory of an SQLite database, or the working
	// directory, if empty.
	StateDir string
	// AdminToken, if set, is accepted as an admin token named "bootstrap".
	AdminToken string
	// Old and New are the architectures; the built-in single and ensemble if nil.
	Old, New extract.Extractor
	Logger   *slog.Logger // slog.Default if nil
	// Stdout gets what a person should see at the start: the address, and a new
	// admin token once. io.Discard if nil.
	Stdout io.Writer
	// Ready, if set, is called once the instance answers, with its base URL and its
	// admin token if one was given or made. An instance that starts without its database
	// answers before it is ready.
	Ready func(url, adminToken string)
	// Gateway, if set, stands in front of two services as well.
	Gateway *Gateway
	// Shadow copies a share of old's requests and texts to new.
	Shadow gateway.Shadow
	// Notifiers get the guardian's alerts.
	Notifiers []notify.Notifier
	// GuardianEvery is the time between two looks of the guardian;
	// guardian.DefaultEvery if 0.
	GuardianEvery time.Duration
	// Gold, if set, is run through both architectures on a schedule.
	Gold *Gold
	// BreakGlass, if set, delivers break-glass orders: true sends everyone to old on
	// this instance, false ends that.
	BreakGlass <-chan bool
}

// Run serves until the context ends, then stops in order: no new requests, those
// under way finish (at most 10 s), outcomes are shipped, the instance leaves.
func Run(ctx context.Context, config Config) error {
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	if config.Stdout == nil {
		config.Stdout = io.Discard
	}
	config.Old, config.New = orBuiltin(config.Old, extract.NewSingle()), orBuiltin(config.New, extract.NewEnsemble())
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", config.Addr)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", config.Addr, err)
	}
	defer listener.Close() //nolint:errcheck // the HTTP server closes it first
	front := newFront(listener, config.Logger)
	defer front.close()
	if front.gateway, err = newGatewayFront(ctx, config); err != nil {
		return err
	}
	database, brokenGlass, err := openOrServeWithout(ctx, front, config)
	if err != nil && ctx.Err() != nil && front.shown.Load() != nil {
		return front.serve(ctx) // stopped while it still waited for the database
	}
	if err != nil {
		return err
	}
	st := database.store
	defer st.Close() //nolint:errcheck // nothing is left to write
	plane := startDataPlane(st, config, listener.Addr().String())
	defer plane.end()
	watch := startWatch(st, plane, config)
	defer watch.end(false)
	defer startGold(st, plane, config).end()
	plane.follower.BreakGlass(brokenGlass)
	stop := plane.obey(config.BreakGlass)
	defer stop()
	watching, unwatch := context.WithCancel(ctx)
	defer probeServices(watching, config.Old, config.New)()
	defer unwatch()
	face, err := plane.face(st, config, watch)
	if err != nil {
		return err
	}
	plane.waitForState(ctx)
	if front.shown.Load() == nil {
		config.announce(front, st, database.token)
	}
	front.show(face)
	return front.serve(ctx)
}

// announce tells whoever started the instance where it serves.
func (config Config) announce(f *front, st *store.Store, token string) {
	url := "http://" + f.listener.Addr().String()
	fmt.Fprintf(config.Stdout, "nlpcanary serves on %s (database %s)\n", url, st.Location())
	f.gateway.announce(config.Stdout)
	if config.Ready != nil {
		config.Ready(url, token)
	}
}

// dataPlane is the running part of an instance: what decides, extracts and counts.
type dataPlane struct {
	follower   *follow.Follower
	dispatcher *dispatch.Dispatcher
	recorder   *outcome.Set
	shadows    *outcome.ShadowSet
	texts      *shadow.Pool // nil without shadow traffic
	registry   *prometheus.Registry
	instance   string
	shipper    *shipper
	ingest     *ingest.Ingest
	seen       *api.Seen
	sealer     *outcome.Sealer
	keyer      rollout.Keyer
	log        *slog.Logger
}

func startDataPlane(st *store.Store, config Config, address string) *dataPlane {
	secrets := st.Secrets()
	instance := newInstanceID()
	p := &dataPlane{
		instance: instance,
		sealer:   outcome.NewSealer(secrets.OutcomeID),
		keyer:    rollout.NewKeyer(secrets.UserKey),
		log:      config.Logger,
		registry: prometheus.NewRegistry(),
		seen:     new(api.Seen),
	}
	p.ingest = ingest.Start(ingest.Config{Store: st, Instance: instance, Logger: config.Logger})
	reconcile := make(chan struct{}, 1)
	p.follower = follow.Start(follow.Config{
		Source: st, Instance: instance, Region: config.Region, Version: config.Version, Address: address,
		Keyer: p.keyer, Lease: config.Lease, Interval: config.Interval, CacheSlots: config.CacheSlots,
		KillFile: config.KillFile, Memory: memoryFile(config, st), Logger: config.Logger,
		OnChange: func(state rollout.State) {
			p.seen.Add(state)
			select {
			case reconcile <- struct{}{}:
			default:
			}
		},
	})
	p.recorder, p.shadows = outcome.NewSet(), outcome.NewShadowSet()
	if config.Shadow.Share > 0 {
		p.texts = shadow.NewPool(config.Shadow.Share, config.Shadow.Workers, config.Shadow.Queue)
	}
	p.shipper = startShipper(st, p.recorder, p.shadows, instance, spoolPrefix(config), reconcile, config.Logger)
	p.dispatcher = dispatch.New(dispatch.Config{
		Follower: p.follower, Old: config.Old, New: config.New,
		Keyer: p.keyer, Sealer: p.sealer, Recorder: p.recorder, Shadows: p.texts, ShadowRecorder: p.shadows, Budget: config.Budget, Logger: config.Logger,
	})
	return p
}

func orBuiltin(e, builtin extract.Extractor) extract.Extractor {
	if e == nil {
		return builtin
	}
	return e
}

// face is the API over the data plane.
func (p *dataPlane) face(st *store.Store, config Config, w *watch) (*face, error) {
	stopping := make(chan struct{})
	apiConfig := p.apiConfig(st, config)
	apiConfig.Stopping = stopping
	if err := apiConfig.Registry.Register(guardian.Collector(w.guardian, w.hub)); err != nil {
		return nil, fmt.Errorf("registering the guardian's metrics: %w", err)
	}
	answers, err := api.New(apiConfig)
	if err != nil {
		return nil, err
	}
	proxy, err := p.gateway(config)
	if err != nil {
		return nil, err
	}
	return &face{answers.Handler(), stopping, proxy}, nil
}

func (p *dataPlane) apiConfig(st *store.Store, config Config) api.Config {
	return api.Config{
		Store: st, Follower: p.follower, Dispatcher: p.dispatcher, Ingest: p.ingest, Seen: p.seen, Sealer: p.sealer, Keyer: p.keyer,
		Region: string(config.Region), Version: config.Version, Logger: config.Logger, Registry: p.registry,
		Flush: p.shipper.ship,
		Architectures: func() api.Architectures {
			return api.Architectures{Old: describe(config.Old), New: describe(config.New)}
		},
	}
}

// startPatience is how long a start waits for the first state. Without it the
// instance serves all the same: old, and not ready.
const startPatience = 2 * time.Second

// waitForState keeps the first requests from being answered by old, reason STALE, in
// the few milliseconds before the first renewal is answered.
func (p *dataPlane) waitForState(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	if err := p.follower.WaitValid(ctx); err != nil {
		p.log.Warn("serving without a state: everyone gets old until the database answers", "error", err)
	}
}

// obey carries out break-glass orders until it is stopped, which tells the last one.
func (p *dataPlane) obey(orders <-chan bool) (stop func() (on bool)) {
	done, last := make(chan struct{}), make(chan bool)
	go func() {
		broken := false
		defer func() { last <- broken }()
		for {
			select {
			case <-done:
				return
			case on, open := <-orders:
				if !open {
					<-done
					return
				}
				p.log.Warn("break-glass", "on", on)
				p.follower.BreakGlass(on)
				broken = on
			}
		}
	}()
	return func() bool { close(done); return <-last }
}

// close ships what was counted and takes the instance off the list.
func (p *dataPlane) close() error {
	p.ingest.Close()
	p.texts.Close()
	return errors.Join(p.shipper.close(), p.follower.Close())
}

func (p *dataPlane) end() {
	if err := p.close(); err != nil {
		p.log.Warn("stopping", "error", err)
	}
}

// memoryFile is the instance's own, one for each database. A database that has not come
// yet has none, and a command does not live long enough to need one.
func memoryFile(config Config, st *store.Store) string {
	if st.Absence() != nil || config.Database == "" {
		return ""
	}
	dir, name := config.StateDir, "nlpcanary"
	if path, isFile := strings.CutPrefix(config.Database, "sqlite:"); isFile {
		name = filepath.Base(path)
		dir = cmp.Or(dir, filepath.Dir(path))
	}
	return filepath.Join(dir, name+".seen-"+st.Installation())
}

// newInstanceID names one run of a process: the host, and random digits so that
// two runs on one host are never taken for each other.
func newInstanceID() string {
	var random [4]byte
	_, _ = rand.Read(random[:]) // never fails (crypto/rand documents it)
	return hostName() + "-" + hex.EncodeToString(random[:])
}

// hostName is the host's name without its domain.
func hostName() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		return "instance"
	}
	short, _, _ := strings.Cut(host, ".")
	return short
}
