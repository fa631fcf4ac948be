// Package ofprovider lets programs that speak OpenFeature decide by the SDK: in process,
// under a lease.
//
// It knows one flag, USE_NEW_NLP_ARCHITECTURE, which is true where the user, the targeting
// key, is sent to new. The provider is READY while the client has a lease, STALE when it
// has lost it, and ERROR when it never had one or the servers refuse its token. In the
// last two the flag is false with reason STALE: that is an evaluation, not the default
// value. A change of the rollout is announced as PROVIDER_CONFIGURATION_CHANGED.
//
// A program that acts on the flag reports what came of it by itself; client.Run does
// both.
package ofprovider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	of "github.com/open-feature/go-sdk/openfeature"

	"github.com/nlpcanary/nlpcanary/client"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// initWithin bounds how long a start waits for the first lease. After it, the provider
// goes on in the state ERROR until there is one.
const initWithin = 5 * time.Second

// Provider is an OpenFeature provider. It is safe for concurrent use.
type Provider struct {
	client *client.Client
	events chan of.Event

	mu   sync.Mutex
	stop context.CancelFunc // nil while it does not run
	done sync.WaitGroup
}

// New makes a provider of the client, which stays the caller's to close, after the
// provider was shut down.
func New(c *client.Client) *Provider {
	return &Provider{client: c, events: make(chan of.Event, 8)}
}

// Metadata names the provider.
func (*Provider) Metadata() of.Metadata { return of.Metadata{Name: "nlpcanary"} }

// Hooks are none.
func (*Provider) Hooks() []of.Hook { return nil }

// EventChannel is where the provider's events come from.
func (p *Provider) EventChannel() <-chan of.Event { return p.events }

// Init waits for the first lease, for a few seconds.
func (p *Provider) Init(evaluation of.EvaluationContext) error {
	return p.InitWithContext(context.Background(), evaluation)
}

// InitWithContext waits for the first lease until the context ends, or for a few seconds.
// Its error is that there is none yet; the provider works all the same.
func (p *Provider) InitWithContext(ctx context.Context, _ of.EvaluationContext) error {
	ctx, cancel := context.WithTimeout(ctx, initWithin)
	defer cancel()
	err := p.client.WaitReady(ctx)
	was := situation{of.ReadyState, p.client.Status().Revision}
	if err != nil {
		was = situation{state: of.ErrorState}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stop == nil {
		running, stop := context.WithCancel(context.Background())
		p.stop = stop
		p.done.Go(func() { p.announce(running, was) })
	}
	return err
}

// Shutdown stops the events. The client goes on.
func (p *Provider) Shutdown() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stop != nil {
		p.stop()
		p.done.Wait()
		p.stop = nil
	}
}

// ShutdownWithContext is Shutdown, which does not wait for anything.
func (p *Provider) ShutdownWithContext(context.Context) error {
	p.Shutdown()
	return nil
}

// situation is what events tell apart.
type situation struct {
	state    of.State
	revision int64
}

// situationOf says in what state the client is, and why if it is not ready.
func situationOf(s client.Status) (situation, string) {
	why := "the lease ended: everyone gets old"
	if s.LastError != nil {
		why += ": " + s.LastError.Error()
	}
	var refused *client.ServerError
	switch {
	case s.Ready:
		return situation{of.ReadyState, s.Revision}, ""
	case s.Revision == 0, errors.As(s.LastError, &refused) && (refused.Status == http.StatusUnauthorized || refused.Status == http.StatusForbidden):
		return situation{of.ErrorState, s.Revision}, why
	}
	return situation{of.StaleState, s.Revision}, why
}

// announce turns the client's news into events until the context ends.
func (p *Provider) announce(ctx context.Context, was situation) {
	for {
		news := p.client.Changed()
		is, why := situationOf(p.client.Status())
		if is != was && !p.emit(ctx, eventOf(is, was, why)) {
			return
		}
		was = is
		select {
		case <-ctx.Done():
			return
		case <-news:
		}
	}
}

func eventOf(is, was situation, why string) of.Event {
	e := of.Event{ProviderName: "nlpcanary", ProviderEventDetails: of.ProviderEventDetails{
		Message: why, EventMetadata: map[string]any{"revision": is.revision},
	}}
	switch {
	case is.state == of.StaleState:
		e.EventType = of.ProviderStale
	case is.state == of.ErrorState:
		e.EventType = of.ProviderError
		e.ErrorCode = of.GeneralCode
	case was.state == of.ReadyState:
		e.EventType, e.FlagChanges = of.ProviderConfigChange, []string{rollout.KillSwitch}
	default:
		e.EventType = of.ProviderReady
	}
	return e
}

func (p *Provider) emit(ctx context.Context, e of.Event) bool {
	select {
	case p.events <- e:
		return true
	case <-ctx.Done():
		return false
	}
}

// BooleanEvaluation decides for the targeting key.
func (p *Provider) BooleanEvaluation(_ context.Context, flag string, otherwise bool, flat of.FlattenedContext) of.BoolResolutionDetail {
	failed := func(err of.ResolutionError) of.BoolResolutionDetail {
		return of.BoolResolutionDetail{Value: otherwise, ProviderResolutionDetail: of.ProviderResolutionDetail{ResolutionError: err, Reason: of.ErrorReason}}
	}
	if flag != rollout.KillSwitch {
		return failed(noFlag(flag))
	}
	given, there := flat[of.TargetingKey]
	if !there {
		return failed(of.NewTargetingKeyMissingResolutionError("the targeting key, the user id, is missing"))
	}
	text, _ := given.(string)
	user, err := rollout.ParseUserID(text)
	if err != nil {
		return failed(of.NewInvalidContextResolutionError(err.Error()))
	}
	d := p.client.Decide(user)
	metadata := of.FlagMetadata{
		"percentage": int64(d.Percentage), "region": string(d.Region), "revision": d.Revision,
		"stage": int64(d.Stage), "stage_name": d.Stage.String(),
	}
	if d.Bucket != rollout.NoBucket {
		metadata["bucket"] = int64(d.Bucket)
	}
	return of.BoolResolutionDetail{Value: d.Variant == rollout.New, ProviderResolutionDetail: of.ProviderResolutionDetail{
		Reason: of.Reason(d.Reason), Variant: string(d.Variant), FlagMetadata: metadata,
	}}
}

func noFlag(flag string) of.ResolutionError {
	return of.NewFlagNotFoundResolutionError(fmt.Sprintf("there is no flag %.40q; clients know %s", flag, rollout.KillSwitch))
}

// notBoolean is why a flag has no value of another type.
func notBoolean(flag string) of.ProviderResolutionDetail {
	err := noFlag(flag)
	if flag == rollout.KillSwitch {
		err = of.NewTypeMismatchResolutionError(flag + " is a boolean flag")
	}
	return of.ProviderResolutionDetail{ResolutionError: err, Reason: of.ErrorReason}
}

// StringEvaluation fails: the one flag is boolean.
func (*Provider) StringEvaluation(_ context.Context, flag, otherwise string, _ of.FlattenedContext) of.StringResolutionDetail {
	return of.StringResolutionDetail{Value: otherwise, ProviderResolutionDetail: notBoolean(flag)}
}

// FloatEvaluation fails: the one flag is boolean.
func (*Provider) FloatEvaluation(_ context.Context, flag string, otherwise float64, _ of.FlattenedContext) of.FloatResolutionDetail {
	return of.FloatResolutionDetail{Value: otherwise, ProviderResolutionDetail: notBoolean(flag)}
}

// IntEvaluation fails: the one flag is boolean.
func (*Provider) IntEvaluation(_ context.Context, flag string, otherwise int64, _ of.FlattenedContext) of.IntResolutionDetail {
	return of.IntResolutionDetail{Value: otherwise, ProviderResolutionDetail: notBoolean(flag)}
}

// ObjectEvaluation fails: the one flag is boolean.
func (*Provider) ObjectEvaluation(_ context.Context, flag string, otherwise any, _ of.FlattenedContext) of.InterfaceResolutionDetail {
	return of.InterfaceResolutionDetail{Value: otherwise, ProviderResolutionDetail: notBoolean(flag)}
}
