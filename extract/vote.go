package extract

import (
	"cmp"
	"slices"
)

// voting decides which candidates of several processors are descriptions.
type voting struct {
	threshold float64 // share of the weight of all processors that must agree, 0..1
	cut       float64 // confidence above which a processor votes, 0..1
	soft      bool    // a vote weighs as much as its confidence
}

var defaultVoting = voting{threshold: 0.6, cut: 0.3}

// softVoting has a lower threshold, since nobody is ever quite sure.
var softVoting = voting{threshold: 0.4, cut: 0, soft: true}

// epsilon keeps sums such as 1.0+0.8 of 3.0 from missing a threshold of 0.6.
const epsilon = 1e-9

// overlapNeeded is the intersection over union from which two candidates are the same.
const overlapNeeded = 0.5

// openClusters bounds how many clusters a candidate is compared with, so that
// clustering stays linear even if a processor proposes everything at one place.
const openClusters = 8

// vote is a candidate with the processor it came from.
type vote struct {
	candidate
	processor int
}

// cluster is a group of votes for one passage, at most one of each processor.
type cluster struct {
	span
	votes []vote
}

// elected is a passage that won the vote.
type elected struct {
	span
	kind       int // index in kinds
	confidence float64
	consensus  float64
	sources    uint64 // set of processors
}

// elect groups the votes by overlap and returns the passages that enough processors
// hold, in the order of the text and without overlap. weights are those of all
// processors that ran, by index; they are the denominator of every share.
func (v voting) elect(votes []vote, weights []float64) []elected {
	votes = slices.DeleteFunc(votes, func(x vote) bool { return x.confidence <= v.cut })
	slices.SortStableFunc(votes, func(a, b vote) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end), cmp.Compare(a.processor, b.processor))
	})
	var clusters []cluster
	for _, next := range votes {
		i := matching(clusters, next.span)
		if i < 0 {
			clusters = append(clusters, cluster{span: next.span, votes: []vote{next}})
			continue
		}
		clusters[i].add(next)
	}
	total := 0.0
	for _, weight := range weights {
		total += weight
	}
	var winners []elected
	for _, c := range clusters {
		if winner := c.tally(weights, total, v.soft); winner.consensus+epsilon >= v.threshold {
			winners = append(winners, winner)
		}
	}
	return withoutOverlap(winners)
}

// matching returns the recent cluster that overlaps most with s, or -1.
func matching(clusters []cluster, s span) int {
	best, most := -1, overlapNeeded
	for i := len(clusters) - 1; i >= max(0, len(clusters)-openClusters); i-- {
		if overlap := iou(clusters[i].span, s); overlap >= most {
			best, most = i, overlap
		}
	}
	return best
}

// iou is the length of the intersection of two spans over that of their union, 0..1.
func iou(a, b span) float64 {
	shared := min(a.end, b.end) - max(a.start, b.start)
	union := max(a.end, b.end) - min(a.start, b.start)
	if shared <= 0 || union <= 0 {
		return 0
	}
	return float64(shared) / float64(union)
}

// add takes a vote; of two by the same processor the more confident one counts.
func (c *cluster) add(v vote) {
	for i := range c.votes {
		if c.votes[i].processor != v.processor {
			continue
		}
		if v.confidence > c.votes[i].confidence {
			c.votes[i] = v
		}
		return
	}
	c.votes = append(c.votes, v)
}

// tally decides on type, confidence and consensus. The type is that with the most
// weight times confidence behind it, the confidence the weighted mean of all votes,
// and the place that of the strongest vote.
func (c *cluster) tally(weights []float64, total float64, soft bool) elected {
	var e elected
	var byKind evidence
	weight, strongest := 0.0, 0.0
	for _, v := range c.votes {
		w := weights[v.processor]
		weight += w
		e.confidence += w * v.confidence
		e.sources |= 1 << v.processor
		byKind[v.kind] += w * v.confidence
		if w*v.confidence > strongest {
			strongest = w * v.confidence
			e.span = v.span
		}
	}
	e.kind, _ = byKind.best()
	e.confidence /= weight
	e.consensus = min(1, weight/total)
	if soft {
		e.consensus *= e.confidence
	}
	return e
}

// withoutOverlap keeps, of winners that overlap, the one with the higher consensus,
// or else the earlier one.
func withoutOverlap(winners []elected) []elected {
	slices.SortStableFunc(winners, func(a, b elected) int {
		return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.end, b.end))
	})
	kept := winners[:0]
	for _, w := range winners {
		if last := len(kept) - 1; last >= 0 && w.start < kept[last].end {
			if w.consensus > kept[last].consensus {
				kept[last] = w
			}
			continue
		}
		kept = append(kept, w)
	}
	return kept
}
