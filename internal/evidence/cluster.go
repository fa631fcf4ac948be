package evidence

import "github.com/nlpcanary/nlpcanary/outcome"

// nBuckets is the number of user-hash buckets as the formulas need it.
const nBuckets = float64(outcome.Buckets)

// moments are what the variance of a ratio x/d needs of the bucket sums of one cohort.
// The sums merge by addition; the squares do not, so they are taken of sums over the
// whole window only.
type moments struct{ x, d, xx, xd, dd float64 }

// add counts one bucket's sums.
func (m *moments) add(x, d float64) {
	m.x += x
	m.d += d
	m.xx += x * x
	m.xd += x * d
	m.dd += d * d
}

// replace turns a bucket's sums into others.
func (m *moments) replace(x, d, newX, newD float64) {
	m.x += newX - x
	m.d += newD - d
	m.xx += newX*newX - x*x
	m.xd += newX*newD - x*d
	m.dd += newD*newD - d*d
}

// ratio is x/d: a rate, a mean, or F1. NaN if nothing was measured.
func (m moments) ratio() float64 { return m.x / m.d }

// variance is that of the ratio, whatever the dependence within a user:
//
//	V = B/(B-1) sum_b (x_b - R d_b)^2 / (sum d)^2
//
// the linearised variance between clusters (Cochran, "Sampling Techniques", 1977,
// section 6.4); statistics.md, C.
func (m moments) variance() float64 {
	if m.d == 0 {
		return 0
	}
	r := m.ratio()
	return nBuckets / (nBuckets - 1) * max(0, m.xx-2*r*m.xd+r*r*m.dd) / (m.d * m.d)
}

// independent is the variance of a rate if each request were a user's only one.
func (m moments) independent() float64 {
	if m.d == 0 {
		return 0
	}
	r := m.ratio()
	return r * (1 - r) / m.d
}

// effective estimates (sum n_u)^2/sum n_u^2, how many equally busy users would say as
// much as those who came (Kish, "Survey Sampling", 1965, section 8.2), where d counts
// requests. Users are known only by bucket: of sum_b d_b^2 the part that comes of
// different users sharing a bucket is expected to be ((sum d)^2 - sum n_u^2)/B.
func (m moments) effective() float64 {
	if m.d == 0 {
		return 0
	}
	squares := (m.dd - m.d*m.d/nBuckets) * nBuckets / (nBuckets - 1)
	return m.d * m.d / max(squares, m.d) // a user has one request at least
}

// designEffect is 1 where a test of the simulation leaves it out.
func (p *Plan) designEffect(onNew, onOld moments, c float64) float64 {
	if p.broken.phi {
		return 1
	}
	return designEffect(onNew, onOld, c)
}

// designEffect is the phi by which the logarithm of a likelihood ratio is divided,
// because requests of one user are not independent:
//
//	phi = max(1, (Vcl1 + c^2 Vcl0)/(Viid1 + c^2 Viid0))
//
// with Vcl between clusters and Viid as if they were; statistics.md, A1. old is empty
// for a test of new alone (B).
func designEffect(onNew, onOld moments, c float64) float64 {
	independent := onNew.independent() + c*c*onOld.independent()
	if independent == 0 {
		return 1
	}
	return max(1, (onNew.variance()+c*c*onOld.variance())/independent)
}
