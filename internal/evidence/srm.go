package evidence

import "math"

const (
	// concentration is how sharply the alternative "the split is not the design's" is
	// centred on the design: at 5 % its standard deviation is .7 %, at 50 % 1.6 %.
	concentration = 1000
	// usersError is the standard error of an estimated number of users, as a share:
	// 1.04/sqrt(4096) for the HyperLogLog of a tally.
	usersError = 1.04 / 64
)

// logSplit is the logarithm of the e-value of "users are split as designed": a
// Dirichlet-multinomial against the multinomial with the design's probabilities, for
// two cells (Lindon and Malek, arXiv:2011.03567, section 3; statistics.md, E).
//
// The numbers of users are estimates, and past some ten thousand users their error
// outweighs chance. So the counts are divided by the factor by which it raises the
// variance of n1(1-q) - n0 q over the binomial's: then an imbalance of less than about
// a tenth cannot be told, however many users there are.
func logSplit(onNew, onOld, share float64) float64 {
	n := onNew + onOld
	if n == 0 || share <= 0 || share >= 1 {
		return 0
	}
	inflated := 1 + 2*usersError*usersError*n*share*(1-share)
	x1, x0 := onNew/inflated, onOld/inflated
	a1, a0 := concentration*share, concentration*(1-share)
	return logBeta(x1+a1, x0+a0) - logBeta(a1, a0) - x1*math.Log(share) - x0*math.Log(1-share)
}

func logBeta(a, b float64) float64 { return logGamma(a) + logGamma(b) - logGamma(a+b) }

func logGamma(x float64) float64 {
	v, _ := math.Lgamma(x)
	return v
}
