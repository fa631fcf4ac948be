package bound

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nlpcanary/nlpcanary/follow"
	"github.com/nlpcanary/nlpcanary/internal/faultproxy"
	"github.com/nlpcanary/nlpcanary/internal/store"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// someUser is any user: at 100 % everyone is on new.
const someUser rollout.UserID = "verify-bound"

// decideEvery is the pause between two decisions of an instance.
const decideEvery = 500 * time.Microsecond

// moment is between two times: a busy machine may stop a goroutine at any point.
type moment struct{ before, after time.Time }

// instance decides without pause and remembers when it last decided for new.
type instance struct {
	name      string
	proxy     *faultproxy.Proxy // nil without a network
	store     *store.Store
	follower  *follow.Follower
	last      atomic.Pointer[moment]
	decisions atomic.Int64
	stop      context.CancelFunc
	stopped   sync.WaitGroup
}

func startInstance(ctx context.Context, ground *ground, number int, config Config, interval time.Duration) (_ *instance, err error) {
	i := &instance{name: fmt.Sprintf("bound-%d", number)}
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
	if i.store, err = store.Open(ctx, url, store.Options{}); err != nil {
		return nil, err
	}
	i.follower = follow.Start(follow.Config{
		Source: i.store, Instance: i.name, Version: "verify-bound", Lease: config.Lease, Interval: interval,
		Keyer: rollout.NewKeyer(i.store.Secrets().UserKey), Logger: config.Logger,
	})
	if err := i.follower.WaitValid(ctx); err != nil {
		return nil, err
	}
	deciding, stop := context.WithCancel(context.Background())
	i.stop = stop
	i.stopped.Go(func() { i.decide(deciding) })
	return i, nil
}

func (i *instance) decide(ctx context.Context) {
	for ctx.Err() == nil {
		before := time.Now()
		d := i.follower.Decide(someUser)
		i.decisions.Add(1)
		if d.Variant == rollout.New {
			i.last.Store(&moment{before, time.Now()})
		}
		time.Sleep(decideEvery)
	}
}

// recovered reports whether nothing of a fault is left.
func (i *instance) recovered() bool {
	return i.follower.Decide(someUser).Variant == rollout.New && i.follower.Status().Notified
}

// lastNew is when the instance last decided for new; zero if it never did.
func (i *instance) lastNew() moment {
	if at := i.last.Load(); at != nil {
		return *at
	}
	return moment{}
}

func (i *instance) suffer(fault faultproxy.Fault) {
	if i.proxy != nil {
		i.proxy.Set(fault)
	}
}

func (i *instance) close() error {
	var errs []error
	if i.stop != nil {
		i.stop()
		i.stopped.Wait()
	}
	i.suffer(faultproxy.Fault{})
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
