package advisor

import "fmt"

// The thresholds past which a difference is worth a person's look. They are not
// levels of significance.
const (
	// errorRateGrowth is relative: half as many errors again as on old.
	errorRateGrowth = 0.5
	// timeoutRateLimit is a share of the new cohort's texts.
	timeoutRateLimit = 0.01
	// f1Drop is relative to old's F1.
	f1Drop = 0.05
)

const notProof = "This is an observation, not a proof: hold, and look at it."

// observe finds the measured differences past the thresholds.
func observe(control, canary Measured) []Item {
	items := []Item{}
	for _, look := range []func(control, canary Measured) (string, bool){observeErrors, observeTimeouts, observeF1} {
		if message, found := look(control, canary); found {
			items = append(items, Item{KindHold, PriorityHigh, message + " " + notProof})
		}
	}
	return items
}

func observeErrors(control, canary Measured) (string, bool) {
	was, is := control.Summary.ErrorRate, canary.Summary.ErrorRate
	if was == nil || is == nil || *is <= *was*(1+errorRateGrowth) {
		return "", false
	}
	growth := "from none"
	if *was > 0 {
		growth = fmt.Sprintf("%+.0f %%", 100*(*is / *was - 1))
	}
	return fmt.Sprintf("The error rate is %.2f %% on new (%d texts) against %.2f %% on old (%d texts): %s, the threshold is %+.0f %%.",
		100**is, canary.Summary.Total, 100**was, control.Summary.Total, growth, 100*errorRateGrowth), true
}

func observeTimeouts(_, canary Measured) (string, bool) {
	is := canary.Summary.TimeoutRate
	if is == nil || *is <= timeoutRateLimit {
		return "", false
	}
	return fmt.Sprintf("%.2f %% of %d texts timed out on new; the threshold is %.0f %%.",
		100**is, canary.Summary.Total, 100*timeoutRateLimit), true
}

func observeF1(control, canary Measured) (string, bool) {
	was, is := control.Labels.F1(), canary.Labels.F1()
	if was == nil || is == nil || *is >= *was*(1-f1Drop) {
		return "", false
	}
	return fmt.Sprintf("F1 is %.3f on new (%d labelled texts) against %.3f on old (%d labelled texts): %+.1f %%, the threshold is %+.0f %%.",
		*is, canary.Labelled, *was, control.Labelled, 100*(*is / *was - 1), -100*f1Drop), true
}
