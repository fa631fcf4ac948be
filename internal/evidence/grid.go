package evidence

import "math"

// mix is ln(sum_j w_j exp(L_j)), given the logarithms of the weights: the mixture of
// likelihood ratios that every e-value here is. It cannot overflow.
func mix(logWeights, logs []float64) float64 {
	top := math.Inf(-1)
	for j, l := range logs {
		top = max(top, logWeights[j]+l)
	}
	if math.IsInf(top, 0) {
		return top
	}
	var sum float64
	for j, l := range logs {
		sum += math.Exp(logWeights[j] + l - top)
	}
	return top + math.Log(sum)
}

// mean is the logarithm of the mean of two e-values, which is an e-value whatever the
// dependence between them.
func mean(logA, logB float64) float64 {
	top := max(logA, logB)
	if math.IsInf(top, 0) {
		return top
	}
	return top + math.Log((math.Exp(logA-top)+math.Exp(logB-top))/2)
}

func logsOf(weights []float64) []float64 {
	logs := make([]float64, len(weights))
	for j, w := range weights {
		logs[j] = math.Log(w)
	}
	return logs
}

func even(n int) []float64 {
	weights := make([]float64, n)
	for j := range weights {
		weights[j] = 1 / float64(n)
	}
	return weights
}
