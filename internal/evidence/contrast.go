package evidence

import "math"

// contrast is D = R1 - c R0, with its variance: statistics.md, C. There is no division
// by the baseline, so that a baseline near 0 does no harm.
type contrast struct{ d, v float64 }

// ratioContrast contrasts two ratios of sums. The variance has a floor,
//
//	V = max(V1, c^2 V0 d0/d1) + c^2 V0
//
// because a small sample of a skewed quantity that has not yet seen a great value
// underestimates mean and variance at once, and then seems proven to be small.
func ratioContrast(onNew, onOld moments, c float64, broken without) contrast {
	v1, v0 := onNew.variance(), c*c*onOld.variance()
	if !broken.floor {
		v1 = max(v1, v0*onOld.d/onNew.d)
	}
	return contrast{onNew.ratio() - c*onOld.ratio(), v1 + v0}
}

// logContrast contrasts two means of logarithms: D = M1 - M0 - ln c.
func logContrast(onNew, onOld moments, c float64, broken without) contrast {
	k := ratioContrast(onNew, onOld, 1, broken)
	k.d -= math.Log(c)
	return k
}

// flip turns "greater" into "less".
func (k contrast) flip() contrast { return contrast{-k.d, k.v} }

// shiftTest tests "the contrast is at most 0" against a grid of shifts.
type shiftTest struct {
	shares     []float64 // of the baseline
	logWeights []float64
}

var (
	// slower are increases of processing times.
	slower = newShiftTest([]float64{.05, .1, .2, .3, .5, 1, 2}, []float64{.1, .15, .2, .25, .15, .1, .05})
	// shifted are changes of scores, and distances from a margin.
	shifted = newShiftTest([]float64{.02, .05, .1, .2, .3, .5}, []float64{.1, .3, .25, .15, .1, .1})
	// The same on the scale of logarithms.
	slowerLogs, shiftedLogs = slower.logs(), shifted.logs()
)

func newShiftTest(shares, weights []float64) shiftTest {
	return shiftTest{shares, logsOf(weights)}
}

// logs is the test on the scale of logarithms, where the shift by a share g is ln(1+g).
func (t shiftTest) logs() shiftTest {
	shares := make([]float64, len(t.shares))
	for j, g := range t.shares {
		shares[j] = math.Log1p(g)
	}
	return shiftTest{shares, t.logWeights}
}

// logE is the logarithm of the (asymptotic) e-value: the mixture over j of exp(L_j) with
//
//	L_j = delta_j D/V - delta_j^2/(2V),  delta_j = g_j scale
//
// the likelihood ratio of a normal mean delta_j against 0.
func (t *shiftTest) logE(k contrast, scale float64) float64 {
	if k.v <= 0 || scale <= 0 {
		return 0
	}
	var buffer [8]float64
	logs := buffer[:0]
	for _, g := range t.shares {
		delta := g * scale
		logs = append(logs, (delta*k.d-delta*delta/2)/k.v)
	}
	return mix(t.logWeights, logs)
}

// radius is half the width of the asymptotic confidence sequence
//
//	D +- sqrt(V) sqrt((1+1/v)(ln(1+v) + 2 ln(1/alpha))),  v = tau^2/V
//
// of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, arXiv:2103.06476, theorem 2.2. It
// is narrowest where the standard error is about a third of tau.
func radius(v, tau, alpha float64) float64 {
	if v <= 0 || tau <= 0 {
		return math.Inf(1) // no variation was seen yet, which is no certainty
	}
	ratio := tau * tau / v
	return math.Sqrt(v * (1 + 1/ratio) * (math.Log1p(ratio) + 2*math.Log(1/alpha)))
}

// without names parts that are left out of the engine: only the tests of the
// simulation do that, to see that it finds out.
type without struct{ phi, floor, strata bool }
