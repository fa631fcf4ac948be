package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/nlpcanary/nlpcanary/canarytest"
	"github.com/nlpcanary/nlpcanary/client"
	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

func Example() {
	server, err := canarytest.Start(canarytest.Config{}) // in use: 'nlpcanary serve'
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()

	c, err := client.Start(client.Config{
		Servers: []string{server.URL()},
		Token:   server.Token(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	if err := c.WaitReady(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	d := c.Decide("user-42")
	fmt.Println(d.Variant, d.Reason, d.Stage)
	// Output: new STATIC FULL_ROLLOUT
}

// New fails, and old answers the same call. What happened is counted against new.
func ExampleRun() {
	server, err := canarytest.Start(canarytest.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	c, err := client.Start(client.Config{
		Servers: []string{server.URL()}, Token: server.Token(), Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	if err := c.WaitReady(context.Background()); err != nil {
		fmt.Println(err)
		return
	}

	text := "The old garden"
	answer, err := client.Run(context.Background(), c, "user-42",
		func(context.Context) (string, error) { return strings.ToUpper(text), nil },
		func(context.Context) (string, error) { return "", errors.New("the model is not loaded") })
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(answer.Value, "by", answer.Served, "in place of", answer.Decision.Variant)

	quality := 7
	fmt.Println("feedback:", c.Feedback(context.Background(), answer.OutcomeID, outcome.Feedback{Quality: &quality}))
	if err := c.Flush(context.Background()); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("outcomes of new:", server.Counted(rollout.New))
	// Output:
	// THE OLD GARDEN by old in place of new
	// feedback: <nil>
	// outcomes of new: 1
}
