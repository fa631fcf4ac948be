package bound

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/faultproxy"
	"github.com/nlpcanary/nlpcanary/internal/pgtest"
	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// A client, its server, and a database that the server has lost just before a rollback:
// the two leases together last no longer than one.
func TestAClientBehindAServerBehindABlackHole(t *testing.T) {
	t.Parallel()
	const lease = time.Second
	config := Config{Lease: lease, Logger: slog.New(slog.DiscardHandler)}
	g, err := prepare(t.Context(), pgtest.Start(t).NewDatabase(t))
	if err != nil {
		t.Fatal(err)
	}
	p := &proof{config: config, found: newFindings()}
	defer func() {
		if err := p.close(); err != nil {
			t.Error(err)
		}
		if err := g.remove(); err != nil {
			t.Error(err)
		}
	}()
	if p.admin, err = store.Open(t.Context(), g.url, store.Options{Migrate: true}); err != nil {
		t.Fatal(err)
	}
	if err := p.startClients(t.Context(), g, 1); err != nil {
		t.Fatal(err)
	}
	b, _ := p.subjects[0].(*behind)
	for range 3 {
		if err := p.everyoneOnNew(t.Context()); err != nil {
			t.Fatal(err)
		}
		b.server.proxy.Set(faultproxy.Fault{HoldUp: true, HoldDown: true})
		made, err := p.rollback(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := pause(context.Background(), lease+lease/2); err != nil {
			t.Fatal(err)
		}
		last := b.lastMoment()
		if late := last.before.Sub(made.confirmed); late > lease {
			t.Errorf("decided for new %s after the rollback was confirmed", late)
		}
		if d := b.client.Decide(someUser); d.Reason != rollout.ReasonStale {
			t.Errorf("decided %+v without the database", d)
		}
		b.server.proxy.Set(faultproxy.Fault{})
	}
}
