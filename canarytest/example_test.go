package canarytest_test

import (
	"fmt"
	"time"

	"github.com/nlpcanary/nlpcanary/canarytest"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// In a test, canarytest.New(t, canarytest.Config{}) does without the error and the Close.
func Example() {
	server, err := canarytest.Start(canarytest.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	c := server.Client()
	fmt.Println("100 %:", c.Decide("user-42").Variant)

	server.Rollback(rollout.Disabled)
	for c.Status().Stage != rollout.Disabled {
		time.Sleep(time.Millisecond) // it arrives by an event
	}
	fmt.Println("rolled back:", c.Decide("user-42").Variant)
	// Output:
	// 100 %: new
	// rolled back: old
}
