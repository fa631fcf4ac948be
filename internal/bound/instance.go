package bound

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/internal/faultproxy"
	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// instance is one in this process, with a store, a follower and, where there is a
// network, a proxy of its own.
type instance struct {
	watch
	name     string
	may      []fault
	proxy    *faultproxy.Proxy // nil without a network
	store    *store.Store
	follower *follow.Follower
	stop     context.CancelFunc
	stopped  sync.WaitGroup
}

func startInstance(ctx context.Context, ground *ground, name string, config Config) (_ *instance, err error) {
	i := &instance{name: name}
	defer func() {
		if err != nil {
			err = errors.Join(err, i.close())
		}
	}()
	url := ground.url
	if ground.network {
		if i.proxy, err = faultproxy.Listen(ctx, ground.host); err != nil {
			return nil, err
		}
		if url, err = ground.through(i.proxy.Addr()); err != nil {
			return nil, err
		}
	}
	i.may = i.faultsOf(config)
	if i.store, err = store.Open(ctx, url, store.Options{}); err != nil {
		return nil, err
	}
	i.follower = follow.Start(follow.Config{
		Source: i.store, Instance: i.name, Version: "verify-bound", Lease: config.Lease, Interval: config.interval(),
		Keyer: rollout.NewKeyer(i.store.Secrets().UserKey), Logger: config.Logger,
	})
	if err := i.follower.WaitValid(ctx); err != nil {
		return nil, err
	}
	deciding, stop := context.WithCancel(context.Background())
	i.stop = stop
	i.stopped.Go(func() {
		i.run(deciding, func(user rollout.UserID) rollout.Variant { return i.follower.Decide(user).Variant })
	})
	return i, nil
}

// faultsOf are those of the network, if there is one and nothing worse is to happen.
func (i *instance) faultsOf(config Config) []fault {
	if config.Outage != nil {
		return []fault{{name: "server killed"}}
	}
	none := fault{name: "none"}
	if i.proxy == nil {
		return []fault{none}
	}
	suffer := func(name string, f faultproxy.Fault) fault {
		return fault{
			name:  name,
			begin: func() error { i.proxy.Set(f); return nil },
			end:   func() error { i.proxy.Set(faultproxy.Fault{}); return nil },
		}
	}
	return []fault{
		none,
		suffer("black hole", faultproxy.Fault{HoldUp: true, HoldDown: true}),
		suffer("answers lost", faultproxy.Fault{HoldDown: true}),
		suffer("questions lost", faultproxy.Fault{HoldUp: true}),
		suffer("answers delayed", faultproxy.Fault{DelayDown: config.Lease * 5 / 6}),
		suffer("LISTEN half-open", faultproxy.Fault{HoldUp: true, HoldDown: true, ListenOnly: true}),
		suffer("connections reset", faultproxy.Fault{Reset: true}),
	}
}

func (i *instance) String() string { return i.name }

func (i *instance) faults() []fault { return i.may }

func (i *instance) lastNew() (moment, error) { return i.lastMoment(), nil }

func (i *instance) recovered() (bool, error) {
	s := i.follower.Status()
	return i.follower.Decide(someUser).Variant == rollout.New && s.Notified, s.LastError
}

func (i *instance) close() error {
	var errs []error
	if i.stop != nil {
		i.stop()
		i.stopped.Wait()
	}
	if i.proxy != nil {
		i.proxy.Set(faultproxy.Fault{})
	}
	if i.follower != nil {
		errs = append(errs, i.follower.Close())
	}
	if i.store != nil {
		errs = append(errs, i.store.Close())
	}
	if i.proxy != nil {
		errs = append(errs, i.proxy.Close())
	}
	return errors.Join(errs...)
}

// interval is that of renewals: as serve sets it.
func (config Config) interval() time.Duration { return config.Lease / 6 }
