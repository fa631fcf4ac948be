package rollout_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// A user's bucket depends on the id alone, and in a later rollout on its salt, so
// that it is not always the same users who go first.
func ExampleBucketOf() {
	for _, id := range []rollout.UserID{"anna@example.com", "Иван", "田中太郎"} {
		fmt.Println(id, rollout.BucketOf("", id), rollout.BucketOf("nlp-2", id))
	}
	// Output:
	// anna@example.com 10 92
	// Иван 89 0
	// 田中太郎 39 6
}

// Every change goes through Apply, which returns a new state or says why not.
func ExampleState_Apply() {
	begin := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	state := rollout.Initial(begin) // everyone is on the new architecture

	olga := rollout.Context{
		Actor: rollout.Actor{Name: "olga@example.com", Role: rollout.RoleOperator, Source: rollout.SourceCLI},
		At:    begin.Add(time.Hour),
		Note:  "error rate doubled",
	}
	result, err := state.Apply(rollout.Rollback{Target: rollout.EarlyTesting}, olga)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("was:", state.Rollout.Stage, state.Rollout.Percentage, "revision", state.Revision)
	fmt.Println("is:", result.State.Rollout.Stage, result.State.Rollout.Percentage, "revision", result.State.Revision)

	_, err = result.State.Apply(rollout.Advance{}, olga)
	var refusal *rollout.Refusal
	if errors.As(err, &refusal) {
		fmt.Println(refusal.Code+":", refusal.Message)
	}
	// Output:
	// was: FULL_ROLLOUT 100 revision 1
	// is: EARLY_TESTING 5 revision 2
	// forbidden: "advance" needs the role admin, and "olga@example.com" has the role "operator"
}

// A state becomes a plan once, and the plan decides for every user.
func ExamplePlan_Decide() {
	state := rollout.Initial(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	operator := rollout.Context{Actor: rollout.Actor{Name: "olga@example.com", Role: rollout.RoleOperator}, At: state.Last.At}
	result, err := state.Apply(rollout.Rollback{Target: rollout.HalfRollout}, operator)
	if err != nil {
		fmt.Println(err)
		return
	}
	keyer := rollout.NewKeyer([]byte("the installation's secret"))
	cache := rollout.NewBucketCache(result.State.Rollout.Salt, rollout.DefaultCacheSlots)
	plan := result.State.Plan("eu", keyer, cache)

	for _, id := range []rollout.UserID{"anna@example.com", "Иван", "田中太郎", "not\x00an id"} {
		d := plan.Decide(id)
		fmt.Printf("%q: %s (%s), bucket %d of %d %%\n", id, d.Variant, d.Reason, d.Bucket, d.Percentage)
	}
	// Output:
	// "anna@example.com": new (SPLIT), bucket 10 of 50 %
	// "Иван": old (SPLIT), bucket 89 of 50 %
	// "田中太郎": new (SPLIT), bucket 39 of 50 %
	// "not\x00an id": old (ERROR), bucket -1 of 50 %
}
