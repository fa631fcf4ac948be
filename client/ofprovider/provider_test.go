package ofprovider_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	of "github.com/open-feature/go-sdk/openfeature"
	"github.com/open-feature/go-sdk/openfeature/isolated"

	"github.com/nlpcanary/nlpcanary/canarytest"
	"github.com/nlpcanary/nlpcanary/client"
	"github.com/nlpcanary/nlpcanary/client/ofprovider"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// use is the real OpenFeature SDK with our provider, and the events that it tells of.
func use(t *testing.T, c *client.Client) (*of.Client, <-chan of.EventType, error) {
	t.Helper()
	api := isolated.NewAPI()
	events := make(chan of.EventType, 64)
	for _, kind := range []of.EventType{of.ProviderReady, of.ProviderStale, of.ProviderError, of.ProviderConfigChange} {
		callback := func(of.EventDetails) { events <- kind }
		api.AddHandler(kind, &callback)
	}
	err := api.SetProviderAndWait(t.Context(), ofprovider.New(c))
	t.Cleanup(func() {
		if err := api.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return api.NewClient(), events, err
}

func awaitEvent(t *testing.T, events <-chan of.EventType, want of.EventType) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		select {
		case got := <-events:
			if got == want {
				return
			}
		case <-timeout:
			t.Fatalf("no %s within 20 s", want)
		}
	}
}

// state waits until the SDK shows it: it tells of an event first.
func awaitState(t *testing.T, c *of.Client, want of.State) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); c.State() != want; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the state is %s, want %s", c.State(), want)
		}
	}
}

func evaluate(t *testing.T, c *of.Client, user string, value bool, reason of.Reason) {
	t.Helper()
	got, err := c.BooleanValueDetails(t.Context(), rollout.KillSwitch, !value, of.NewEvaluationContext(user, nil))
	if err != nil || got.Value != value || got.Reason != reason {
		t.Errorf("%s: %v (%s), %v; want %v (%s)", user, got.Value, got.Reason, err, value, reason)
	}
}

func TestStatesAndEvents(t *testing.T) {
	s := canarytest.New(t, canarytest.Config{Lease: time.Second})
	c, events, err := use(t, s.Client())
	if err != nil {
		t.Fatal(err)
	}
	awaitEvent(t, events, of.ProviderReady)
	awaitState(t, c, of.ReadyState)
	evaluate(t, c, "u", true, of.StaticReason)

	s.Override("u", rollout.Old)
	awaitEvent(t, events, of.ProviderConfigChange)
	evaluate(t, c, "u", false, of.TargetingMatchReason)
	s.Kill()
	awaitEvent(t, events, of.ProviderConfigChange)
	evaluate(t, c, "v", false, of.DisabledReason)
	s.Revive()
	awaitEvent(t, events, of.ProviderConfigChange)

	s.CutOff()
	awaitEvent(t, events, of.ProviderStale)
	awaitState(t, c, of.StaleState)
	evaluate(t, c, "v", false, "STALE")
	s.Reconnect()
	awaitEvent(t, events, of.ProviderReady)
	awaitState(t, c, of.ReadyState)
	evaluate(t, c, "v", true, of.StaticReason)
}

// Without a server the provider is in error and decides old, reason STALE, not the
// default value.
func TestWithoutAServer(t *testing.T) {
	lost, err := client.Start(client.Config{Servers: []string{"http://127.0.0.1:1"}, Token: "t", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer lost.Close()
	c, events, err := use(t, lost)
	if err == nil {
		t.Error("the provider starts although there is no server")
	}
	awaitEvent(t, events, of.ProviderError)
	awaitState(t, c, of.ErrorState)
	evaluate(t, c, "u", false, "STALE")
}

// The servers refuse the token: that is an error, not an outage.
func TestARefusedTokenIsAnError(t *testing.T) {
	s := canarytest.New(t, canarytest.Config{Lease: time.Second})
	refused, err := client.Start(client.Config{Servers: []string{s.URL()}, Token: "nlpc_made_up", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer refused.Close()
	c, _, err := use(t, refused)
	if err == nil {
		t.Error("the provider starts although its token is refused")
	}
	awaitState(t, c, of.ErrorState)
}

func TestWhatCannotBeEvaluated(t *testing.T) {
	s := canarytest.New(t, canarytest.Config{})
	c, _, err := use(t, s.Client())
	if err != nil {
		t.Fatal(err)
	}
	user := of.NewEvaluationContext("u", nil)
	for name, tt := range map[string]struct {
		ask  func() (of.ErrorCode, error)
		code of.ErrorCode
	}{
		"no targeting key": {func() (of.ErrorCode, error) {
			d, err := c.BooleanValueDetails(t.Context(), rollout.KillSwitch, false, of.NewTargetlessEvaluationContext(nil))
			return d.ErrorCode, err
		}, of.TargetingKeyMissingCode},
		"a bad user id": {func() (of.ErrorCode, error) {
			d, err := c.BooleanValueDetails(t.Context(), rollout.KillSwitch, false, of.NewEvaluationContext("a\x00b", nil))
			return d.ErrorCode, err
		}, of.InvalidContextCode},
		"another flag": {func() (of.ErrorCode, error) {
			d, err := c.BooleanValueDetails(t.Context(), "OTHER", true, user)
			return d.ErrorCode, err
		}, of.FlagNotFoundCode},
		"as a string": {func() (of.ErrorCode, error) {
			d, err := c.StringValueDetails(t.Context(), rollout.KillSwitch, "x", user)
			return d.ErrorCode, err
		}, of.TypeMismatchCode},
		"as a number": {func() (of.ErrorCode, error) {
			d, err := c.IntValueDetails(t.Context(), rollout.KillSwitch, 7, user)
			return d.ErrorCode, err
		}, of.TypeMismatchCode},
	} {
		if code, err := tt.ask(); err == nil || code != tt.code {
			t.Errorf("%s: %q, %v, want %q", name, code, err, tt.code)
		}
	}
}
