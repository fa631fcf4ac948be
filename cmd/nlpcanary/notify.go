package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/notify"
)

type notifyCmd struct {
	Test   notifyTestCmd   `cmd:"" help:"Send a test alert, and its resolution, by every notifier of a configuration file."`
	Secret notifySecretCmd `cmd:"" help:"Print a new secret to sign webhooks with."`
}

type notifyTestCmd struct {
	Config string `required:"" placeholder:"FILE" help:"The configuration file, as for serve."`
}

// errNotDelivered is the error of a test of which a part failed; what failed was
// printed.
var errNotDelivered = errors.New("not every notifier took the test alert")

// Run sends one alert by each notifier, once, and says what became of it.
func (cmd notifyTestCmd) Run(ctx context.Context, s *session) error {
	file, err := configuration(cmd.Config)
	if err != nil {
		return err
	}
	notifiers, err := notify.New(file.Notifiers)
	if err != nil {
		return fmt.Errorf("making the notifiers: %w", err)
	}
	if len(notifiers) == 0 {
		return usage(cmd.Config+" has no notifiers", "add some under notifiers: docs/alerts.md shows each kind")
	}
	failed := false
	t := table{header: []string{"NOTIFIER", "RESULT"}}
	for _, n := range notifiers {
		result := s.style.good("delivered")
		if err := sendTest(ctx, n, s.now()); err != nil {
			failed = true
			result = s.style.bad("failed") + ": " + printable(err.Error())
		}
		t.add(n.Name(), result)
	}
	t.write(s.stdout, s.style, "")
	if failed {
		return errNotDelivered
	}
	return nil
}

func sendTest(ctx context.Context, n notify.Notifier, now time.Time) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	a := notify.Alert{
		Rule: "test", Severity: notify.Warning, Since: now, At: now, Rollout: "none", Stage: "none",
		Summary: "This is a test of nlpcanary's alerts. Nothing is wrong.",
	}
	if err := n.Notify(ctx, a); err != nil {
		return err
	}
	a.Resolved = true
	return n.Notify(ctx, a)
}

type notifySecretCmd struct{}

// Run prints a secret.
func (notifySecretCmd) Run(s *session) error {
	fmt.Fprintln(s.stdout, notify.NewSecret())
	return nil
}
