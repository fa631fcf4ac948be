package evidence

import (
	"math"
	"math/rand/v2"
)

// chance draws what the simulation needs.
type chance struct{ *rand.Rand }

func newChance(seed, stream uint64) chance { return chance{rand.New(rand.NewPCG(seed, stream))} }

func (c chance) bucket() uint8 { return uint8(c.Uint64()) }

// happens is true with a probability.
func (c chance) happens(p float64) bool { return c.Float64() < p }

// misses is how often something of this probability fails to happen before it does.
func (c chance) misses(p float64) int {
	return int(c.ExpFloat64() / -math.Log1p(-p))
}

// gamma is a gamma variable with scale 1 (Marsaglia and Tsang, 2000).
func (c chance) gamma(shape float64) float64 {
	if shape < 1 {
		return c.gamma(shape+1) * math.Pow(1-c.Float64(), 1/shape)
	}
	d := shape - 1.0/3
	k := 1 / math.Sqrt(9*d)
	for {
		x := c.NormFloat64()
		v := 1 + k*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-c.Float64()) < .5*x*x+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

// rate is a user's own rate: beta-distributed with this mean and intraclass correlation.
func (c chance) rate(mean, correlation float64) float64 {
	total := 1/correlation - 1
	a, b := c.gamma(mean*total), c.gamma((1-mean)*total)
	if a+b == 0 {
		return 0
	}
	return a / (a + b)
}

// poisson is a Poisson variable with a small mean (Knuth).
func (c chance) poisson(mean float64) int {
	limit, product := math.Exp(-mean), 1.0
	for n := 0; ; n++ {
		product *= c.Float64()
		if product <= limit {
			return n
		}
	}
}

func (c chance) binomial(n int, p float64) int {
	hits := 0
	for range n {
		if c.happens(p) {
			hits++
		}
	}
	return hits
}
