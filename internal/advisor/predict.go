package advisor

import (
	"math"
	"time"

	"github.com/nlpcanary/nlpcanary/outcome"
)

// rateOver is how far back the present rate of requests is measured.
const rateOver = time.Hour

// predict is the evidence's forecast, in time too; nil if it has none.
func (c situation) predict() *Prediction {
	d := c.Report.Decision
	if d == nil || math.IsInf(d.Median, 0) || math.IsNaN(d.Median) {
		return nil
	}
	p := &Prediction{Harm: d.Harm, Metric: string(d.Metric), Requests: d.Median, LowRequests: d.Low, HighRequests: d.High}
	if rate := c.rate(); rate > 0 {
		p.Median, p.Low = after(d.Median, rate), after(d.Low, rate)
		if !math.IsInf(d.High, 0) {
			p.High = after(d.High, rate)
		}
	}
	return p
}

// rate is new's requests per second over the last hour, or since the split began.
func (c situation) rate() float64 {
	over := min(rateOver, c.At.Sub(c.State.Rollout.EpochSince))
	if over <= 0 {
		return 0
	}
	from := outcome.MinuteOf(c.At.Add(-over))
	var n int64
	for _, b := range c.Window.Blocks {
		if b.Minute >= from {
			n += b.New.Requests
		}
	}
	return float64(n) / over.Seconds()
}

// after is how long that many requests take; at most ten years, which is never.
func after(requests, perSecond float64) time.Duration {
	const never = 10 * 365 * 24 * time.Hour
	return time.Duration(min(requests/perSecond, never.Seconds()) * float64(time.Second))
}
