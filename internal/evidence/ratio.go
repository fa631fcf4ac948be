package evidence

import "math"

// alternatives is how many ratios a test of two rates puts its weight on.
const alternatives = 6

// The grids of ratios (new's rate to old's), as multiples of the null's limit.
var (
	harmRatios = [alternatives]float64{1.25, 1.5, 2, 3, 5, 10}
	safeRatios = [alternatives]float64{.95, .9, .8, .667, .5, .3}
	// defaultRatioWeights are those of harmRatios. They change the speed, never the
	// validity.
	defaultRatioWeights = [alternatives]float64{.15, .35, .20, .15, .10, .05}
)

// cell is what a block counts of one kind of event. It is in floating point because it
// is only ever computed with.
type cell struct{ newRequests, newEvents, oldRequests, oldEvents float64 }

// share is new's share of the block's requests.
func (c cell) share() float64 { return c.newRequests / (c.newRequests + c.oldRequests) }

// compares reports whether both variants served in the block.
func (c cell) compares() bool { return c.newRequests > 0 && c.oldRequests > 0 }

// ratioTest tests "new's rate is at most null times old's" (or, with alternatives
// below it, "at least"), block by block: given an error, which cohort did it come
// from? Lindon and Malek, "Anytime-Valid Inference For Multinomial Count Data",
// arXiv:2011.03567; statistics.md, A.
type ratioTest struct {
	null       float64
	ratios     [alternatives]float64
	logRatios  [alternatives]float64 // ln(ratio/null)
	logWeights []float64
}

func newRatioTest(null float64, multiples [alternatives]float64, weights [alternatives]float64) ratioTest {
	t := ratioTest{null: null, logWeights: logsOf(weights[:])}
	for j, m := range multiples {
		t.ratios[j] = null * m
		t.logRatios[j] = math.Log(m)
	}
	return t
}

// ratioSums is a ratioTest's sum over blocks.
type ratioSums struct {
	newEvents float64
	// tilts are sum (e1+e0) ln[(1+(r_j-1)q)/(1+(c-1)q)].
	tilts [alternatives]float64
}

// add counts a block. One in which only one variant served says nothing.
func (t *ratioTest) add(s *ratioSums, c cell) {
	events := c.newEvents + c.oldEvents
	if events == 0 || !c.compares() {
		return
	}
	q := c.share()
	s.newEvents += c.newEvents
	null := 1 + (t.null-1)*q
	for j, r := range t.ratios {
		s.tilts[j] += events * math.Log((1+(r-1)*q)/null)
	}
}

// logE is the logarithm of the e-value: the mixture over j of exp(L_j/phi) with
//
//	L_j = sum e1 ln(r_j/c) - (e1+e0) ln[(1+(r_j-1)q)/(1+(c-1)q)].
//
// phi is the design effect of clusters, see designEffect.
func (t *ratioTest) logE(s *ratioSums, phi float64) float64 {
	var logs [alternatives]float64
	for j := range logs {
		logs[j] = (s.newEvents*t.logRatios[j] - s.tilts[j]) / phi
	}
	return mix(t.logWeights, logs[:])
}

// firstErrors counts the users of each cohort who had an error, once each.
type firstErrors struct{ onNew, onOld float64 }

// logFirst is the logarithm of the e-value of "no effect for any user" from each user's
// first error, with the design split as the share: statistics.md, A2. A user is on new
// with that probability and, if nothing has an effect, errs or not all the same; so each
// erring user is one toss of a coin that is known, however the errors cluster.
func (t *ratioTest) logFirst(f firstErrors, share float64) float64 {
	var logs [alternatives]float64
	for j, r := range t.ratios {
		logs[j] = f.onNew*t.logRatios[j] - (f.onNew+f.onOld)*math.Log(1+(r-1)*share)
	}
	return mix(t.logWeights, logs[:])
}

// logHarm is the logarithm of the evidence of more errors: (E_A1 + E_A2)/2.
func (t *ratioTest) logHarm(s *ratioSums, phi float64, f firstErrors, share float64) float64 {
	return mean(t.logE(s, phi), t.logFirst(f, share))
}

// pooled is the Mantel-Haenszel rate ratio over blocks: not fooled by what differs
// between blocks.
type pooled struct{ above, below float64 }

func (p *pooled) add(c cell) {
	if !c.compares() {
		return
	}
	n := c.newRequests + c.oldRequests
	p.above += c.newEvents * c.oldRequests / n
	p.below += c.oldEvents * c.newRequests / n
}

// ratio is NaN if there was no event at all, and infinite if there were only new ones.
func (p pooled) ratio() float64 { return p.above / p.below }
