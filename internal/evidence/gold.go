package evidence

import "github.com/nlpcanary/nlpcanary/outcome"

// GoldPair is what both architectures made of one labelled text.
type GoldPair = outcome.Pair

func f1Sums(l outcome.Labels) (x, d float64) {
	return float64(2 * l.Correct), float64(2*l.Correct + l.Wrong + l.Missed)
}

// goldSums are the sums over pairs that the paired contrast needs.
type goldSums struct {
	texts    float64
	old, new moments // by text, not by bucket
	// cross are sums of products of the old and the new sums of a text.
	xx, xd, dx, dd float64
}

func (s *goldSums) add(p GoldPair) {
	x0, d0 := f1Sums(p.Old)
	x1, d1 := f1Sums(p.New)
	s.addSums(x0, d0, x1, d1)
}

func (s *goldSums) addSums(x0, d0, x1, d1 float64) {
	if d0 == 0 && d1 == 0 {
		return // neither found anything, and there was nothing to find
	}
	s.texts++
	s.old.add(x0, d0)
	s.new.add(x1, d1)
	s.xx += x0 * x1
	s.xd += x0 * d1
	s.dx += d0 * x1
	s.dd += d0 * d1
}

// contrast is D = F1(new) - c F1(old) with the variance of the paired differences of
// influences: with u_i = (x_i - F d_i)/mean(d) of one text,
//
//	V = n/(n-1) sum_i (u1_i - c u0_i)^2 / n^2
//
// (statistics.md, F). The text is the unit here, so there are no buckets. The floor is
// one more text in n on which the two would differ by all of F1: identical answers on
// a few texts prove little.
func (s *goldSums) contrast(c float64) contrast {
	f0, f1 := s.old.ratio(), s.new.ratio()
	ss := func(m moments, f float64) float64 {
		return max(0, m.xx-2*f*m.xd+f*f*m.dd) / (m.d * m.d)
	}
	cross := (s.xx - f1*s.xd - f0*s.dx + f0*f1*s.dd) / (s.old.d * s.new.d)
	v := max(0, ss(s.new, f1)+c*c*ss(s.old, f0)-2*c*cross) * s.texts / max(1, s.texts-1)
	floor := f0 / s.texts
	return contrast{f1 - c*f0, max(v, floor*floor)}
}

// contrasts is a rule applied to the pairs.
func (s *goldSums) contrasts(rule meanRule) contrasts {
	return contrasts{meanRule: rule, at: s.contrast, ratio: s.new.ratio() / s.old.ratio(), scale: s.old.ratio()}
}

// variance is the variance of one architecture's F1 over the texts.
func (s *goldSums) variance(m moments) float64 {
	f := m.ratio()
	return max(0, m.xx-2*f*m.xd+f*f*m.dd) / (m.d * m.d) * s.texts / max(1, s.texts-1)
}
