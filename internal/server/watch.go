package server

import (
	"context"
	"log/slog"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/guardian"
	"github.com/nlpcanary/nlpcanary/internal/notify"
	"github.com/nlpcanary/nlpcanary/internal/store"
)

// watch is the guardian of an instance, and those whom it tells.
type watch struct {
	guardian *guardian.Guardian
	hub      *notify.Hub
	log      *slog.Logger
}

func startWatch(st *store.Store, p *dataPlane, config Config) *watch {
	w := &watch{hub: notify.Start(config.Notifiers, config.Logger), log: config.Logger}
	w.guardian = guardian.Start(guardian.Config{
		Store: st, Instance: p.instance, Host: hostName(), Every: config.GuardianEvery, Flush: p.shipper.ship, Tell: w.hub.Tell, Logger: config.Logger,
	})
	return w
}

// tellWithin is how long a stop waits for alerts that are on their way.
const tellWithin = 5 * time.Second

// end stops watching. Mended says that the database, which was away, has come.
func (w *watch) end(mended bool) {
	if err := w.guardian.Close(); err != nil {
		w.log.Warn("stopping the guardian", "error", err)
	}
	if mended {
		w.guardian.Mended()
	}
	ctx, cancel := context.WithTimeout(context.Background(), tellWithin)
	defer cancel()
	if err := w.hub.Close(ctx); err != nil {
		w.log.Warn("alerts were not delivered before the stop", "error", err)
	}
}
