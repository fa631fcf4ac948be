package evidence

import "math"

// rateTest tests "the rate is at most (or, with alternatives below it, at least) the
// limit" on one cohort: statistics.md, B. The mixture of binomial likelihood ratios
// against a point is Robbins' (1970), "Statistical methods related to the law of the
// iterated logarithm".
type rateTest struct {
	limit      float64
	logWeights []float64
	logHit     []float64 // ln(p_j/limit)
	logMiss    []float64 // ln((1-p_j)/(1-limit))
}

// The grids of rates, as multiples of the limit; for the limit of 1 % the first is
// .0125, .015, .02, .03, .05, .1, .3.
var (
	harmRates = []float64{1.25, 1.5, 2, 3, 5, 10, 30}
	safeRates = safeRatios[:]
)

func newRateTest(limit float64, multiples []float64) rateTest {
	t := rateTest{limit: limit, logWeights: logsOf(even(len(multiples)))}
	for _, m := range multiples {
		p := min(limit*m, (1+limit)/2) // a rate stays below 1 for any limit
		t.logHit = append(t.logHit, math.Log(p/limit))
		t.logMiss = append(t.logMiss, math.Log((1-p)/(1-limit)))
	}
	return t
}

// logE is the logarithm of the e-value: the mixture over j of exp(L_j) with
//
//	L_j = [x ln(p_j/p) + (n-x) ln((1-p_j)/(1-p))] / phi
//
// for x events in n requests.
func (t *rateTest) logE(x, n, phi float64) float64 {
	var buffer [8]float64
	logs := buffer[:0]
	for j := range t.logHit {
		logs = append(logs, (x*t.logHit[j]+(n-x)*t.logMiss[j])/phi)
	}
	return mix(t.logWeights, logs)
}
