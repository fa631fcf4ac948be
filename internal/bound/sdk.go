package bound

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/nlpcanary/nlpcanary/client"
	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/internal/faultproxy"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// behind is a client of the SDK that leases from a server of its own, which is an
// instance like the others. It is watched instead of the instance: what it decides from
// has come by two leases.
type behind struct {
	watch
	server  *instance
	http    *http.Server
	served  sync.WaitGroup
	proxy   *faultproxy.Proxy // between the client and the server
	client  *client.Client
	stop    context.CancelFunc
	stopped sync.WaitGroup
}

// startClients starts clients with a token that is made straight in the database.
func (p *proof) startClients(ctx context.Context, ground *ground, n int) error {
	if n == 0 {
		return nil
	}
	id, secret := api.DrawToken()
	_, err := p.admin.Apply(ctx, p.request(rollout.CreateToken{ID: id, Name: "verify-bound", Role: rollout.RoleClient, Hash: rollout.HashToken(secret)}))
	if err != nil {
		return fmt.Errorf("making a token for clients: %w", err)
	}
	for i := range n {
		one, err := startBehind(ctx, ground, fmt.Sprintf("bound-server-%d", i), secret, p.config)
		if err != nil {
			return err
		}
		p.subjects = append(p.subjects, one)
	}
	return nil
}

func startBehind(ctx context.Context, ground *ground, name, token string, config Config) (_ *behind, err error) {
	b := &behind{}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	if b.server, err = startInstance(ctx, ground, name, config); err != nil {
		return nil, err
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listening for a client: %w", err)
	}
	if err := b.serve(listener, config); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	if b.proxy, err = faultproxy.Listen(ctx, listener.Addr().String()); err != nil {
		return nil, err
	}
	b.client, err = client.Start(client.Config{
		Servers: []string{"http://" + b.proxy.Addr()}, Token: token, Lease: config.Lease, Interval: config.Lease / 3, Logger: config.Logger,
	})
	if err != nil {
		return nil, err
	}
	if err := b.client.WaitReady(ctx); err != nil {
		return nil, err
	}
	deciding, stop := context.WithCancel(context.Background())
	b.stop = stop
	b.stopped.Go(func() {
		b.run(deciding, func(user rollout.UserID) rollout.Variant { return b.client.Decide(user).Variant })
	})
	return b, nil
}

// serve gives the instance the API that every server has.
func (b *behind) serve(listener net.Listener, config Config) error {
	secrets := b.server.store.Secrets()
	face, err := api.New(api.Config{
		Store: b.server.store, Follower: b.server.follower, Sealer: outcome.NewSealer(secrets.OutcomeID),
		Keyer: rollout.NewKeyer(secrets.UserKey), Version: "verify-bound", Logger: config.Logger,
	})
	if err != nil {
		return err
	}
	b.http = &http.Server{Handler: face.Handler(), ReadHeaderTimeout: 10 * time.Second}
	b.served.Go(func() { _ = b.http.Serve(listener) }) // until it is closed
	return nil
}

func (b *behind) String() string { return "client of " + b.server.name }

// faults are some of the server's, and that nothing gets through to the server.
func (b *behind) faults() []fault {
	var list []fault
	for _, f := range b.server.faults() {
		switch f.name {
		case "none":
			f.name = "client: none"
		case "black hole", "answers delayed", "server killed":
			f.name = "client: server's " + f.name
		default:
			continue
		}
		list = append(list, f)
	}
	if b.server.proxy == nil {
		return list // on SQLite there is no network
	}
	return append(list, fault{
		name:  "client: cut off",
		begin: func() error { b.proxy.Set(faultproxy.Fault{HoldUp: true, HoldDown: true}); return nil },
		end:   func() error { b.proxy.Set(faultproxy.Fault{}); return nil },
	})
}

// recovered also wants the server's fault to be over.
func (b *behind) recovered() (bool, error) {
	if whole, err := b.server.recovered(); !whole {
		return false, err
	}
	s := b.client.Status()
	return b.client.Decide(someUser).Variant == rollout.New && s.Notified, s.LastError
}

func (b *behind) lastNew() (moment, error) { return b.lastMoment(), nil }

func (b *behind) close() error {
	var errs []error
	if b.stop != nil {
		b.stop()
		b.stopped.Wait()
	}
	if b.proxy != nil {
		b.proxy.Set(faultproxy.Fault{})
	}
	if b.client != nil {
		errs = append(errs, b.client.Close())
	}
	if b.proxy != nil {
		errs = append(errs, b.proxy.Close())
	}
	if b.http != nil {
		errs = append(errs, b.http.Close())
		b.served.Wait()
	}
	if b.server != nil {
		errs = append(errs, b.server.close())
	}
	return errors.Join(errs...)
}
