package outcome

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// precision gives 4,096 registers and a standard error of 1.04/sqrt(4096) = 1.6 %.
const (
	precision = 12
	nRegister = 1 << precision
	maxRank   = 64 - precision + 1
)

// registers is a HyperLogLog (Flajolet, Fusy, Gandouet, Meunier, 2007) over user
// keys, which are uniform hashes already. It is kept as plain registers: a library's
// switch between a sparse and a dense form makes the bytes depend on the order in
// which users came, and a tally's bytes must not.
type registers []byte

func (r *registers) add(key rollout.UserKey) {
	// The first byte chooses the tally's bucket; the hash here begins after it.
	h := binary.BigEndian.Uint64(key[1:9])
	at := h >> (64 - precision)
	rank := byte(bits.LeadingZeros64(h<<precision|1<<(precision-1)) + 1)
	if *r == nil {
		*r = make(registers, nRegister)
	}
	(*r)[at] = max((*r)[at], rank)
}

func (r *registers) merge(other *registers) {
	if *other == nil {
		return
	}
	if *r == nil {
		*r = make(registers, nRegister)
	}
	for at, rank := range *other {
		(*r)[at] = max((*r)[at], rank)
	}
}

// estimate is Ertl's improved estimator (arXiv:1702.01284, algorithm 6), which needs
// no tables of corrections and is unbiased from one user on.
func (r *registers) estimate() int64 {
	if *r == nil {
		return 0
	}
	var histogram [maxRank + 1]int
	for _, rank := range *r {
		histogram[rank]++
	}
	const m = float64(nRegister)
	z := m * tau(1-float64(histogram[maxRank])/m)
	for k := maxRank - 1; k >= 1; k-- {
		z = 0.5 * (z + float64(histogram[k]))
	}
	z += m * sigma(float64(histogram[0])/m)
	return int64(math.Round(m * m / (2 * math.Ln2 * z)))
}

func sigma(x float64) float64 {
	if x == 1 {
		return math.Inf(1)
	}
	y, z := 1.0, x
	for {
		x *= x
		before := z
		z += x * y
		y += y
		if z == before {
			return z
		}
	}
}

func tau(x float64) float64 {
	if x == 0 || x == 1 {
		return 0
	}
	y, z := 1.0, 1-x
	for {
		x = math.Sqrt(x)
		before := z
		y *= 0.5
		z -= (1 - x) * (1 - x) * y
		if z == before {
			return z / 3
		}
	}
}
