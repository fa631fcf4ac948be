package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/nlpcanary/nlpcanary/extract"
	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// DirectConfig says how a command works straight on the database.
type DirectConfig struct {
	// Database is "sqlite:PATH" or "postgres://…". It must have been migrated.
	Database string
	Region   rollout.Region
	Version  string
	Logger   *slog.Logger // slog.Default if nil
	// DataPlane makes the command an instance of its own for its short life, so that
	// it can decide and extract.
	DataPlane bool
}

// Direct is the API without a server.
type Direct struct {
	store   *store.Store
	plane   *dataPlane // nil without a data plane
	handler http.Handler
}

// OpenDirect opens the database and, if asked to, waits for a valid lease.
func OpenDirect(ctx context.Context, config DirectConfig) (*Direct, error) {
	if config.Logger == nil {
		config.Logger = slog.Default()
	}
	st, err := store.Open(ctx, config.Database, store.Options{})
	if err != nil {
		return nil, err
	}
	d := &Direct{store: st}
	secrets := st.Secrets()
	apiConfig := api.Config{
		Store: st, Sealer: outcome.NewSealer(secrets.OutcomeID), Keyer: rollout.NewKeyer(secrets.UserKey),
		Region: string(config.Region), Version: config.Version, Logger: config.Logger, Registry: prometheus.NewRegistry(),
	}
	if config.DataPlane {
		whole := Config{Region: config.Region, Version: config.Version, Logger: config.Logger, Old: extract.NewSingle(), New: extract.NewEnsemble()}
		d.plane = startDataPlane(st, whole, "")
		apiConfig = d.plane.apiConfig(st, whole)
		if err := d.plane.waitForLease(ctx); err != nil {
			_ = d.Close()
			return nil, err
		}
	}
	face, err := api.New(apiConfig)
	if err != nil {
		_ = d.Close()
		return nil, err
	}
	d.handler = face.Handler()
	return d, nil
}

// commandPatience is how long a command waits for its lease.
const commandPatience = 10 * time.Second

// waitForLease waits for the lease that a command decides under. In a database that
// went back there is none to be had, and everyone gets old, the command's user too.
func (p *dataPlane) waitForLease(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, commandPatience)
	defer cancel()
	if err := p.follower.WaitValid(ctx); !errors.Is(err, follow.ErrWentBack) {
		return err
	}
	return nil
}

// Handler is the API. Callers in the same process name themselves with
// api.WithIdentity.
func (d *Direct) Handler() http.Handler { return d.handler }

// Close ships outcomes, leaves and closes the database.
func (d *Direct) Close() error {
	if d.plane != nil {
		d.plane.end()
	}
	return d.store.Close()
}
