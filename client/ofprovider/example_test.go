package ofprovider_test

import (
	"context"
	"fmt"

	of "github.com/open-feature/go-sdk/openfeature"

	"github.com/nlpcanary/nlpcanary/canarytest"
	"github.com/nlpcanary/nlpcanary/client/ofprovider"
	"github.com/nlpcanary/nlpcanary/rollout"
)

func Example() {
	server, err := canarytest.Start(canarytest.Config{}) // in use: client.Start
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()

	if err := of.SetProviderAndWait(ofprovider.New(server.Client())); err != nil {
		fmt.Println(err)
		return
	}
	defer of.Shutdown()
	useNew, err := of.NewDefaultClient().BooleanValue(context.Background(),
		rollout.KillSwitch, false, of.NewEvaluationContext("user-42", nil))
	fmt.Println(useNew, err)
	// Output: true <nil>
}
