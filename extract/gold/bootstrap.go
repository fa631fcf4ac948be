package gold

import (
	"math"
	"math/rand/v2"
	"slices"

	"github.com/nlpcanary/nlpcanary/outcome"
)

const (
	// Replicates is how often documents are drawn anew for an interval.
	Replicates = 2000
	// Level is the share of the replicates that an interval holds.
	Level = 0.95
)

// seed makes the draws the same in every run.
const seed = 20260401

// Estimate is a figure between 0 and 1 (a difference: -1 and 1), and the interval that
// the choice of documents leaves it. What cannot be computed is nil; there is no
// interval for fewer than two documents.
type Estimate struct {
	Value *float64 `json:"value"`
	Low   *float64 `json:"low"`
	High  *float64 `json:"high"`
}

// Score is precision, recall and F1, and the counts that they are made of.
type Score struct {
	Correct   int64    `json:"correct"`
	Wrong     int64    `json:"wrong"`
	Missed    int64    `json:"missed"`
	Precision Estimate `json:"precision"`
	Recall    Estimate `json:"recall"`
	F1        Estimate `json:"f1"`
}

// Difference is one architecture's score minus that of the one it is compared with, on
// the same documents.
type Difference struct {
	Precision Estimate `json:"precision"`
	Recall    Estimate `json:"recall"`
	F1        Estimate `json:"f1"`
}

// figures are the three numbers of some counts, NaN where there is none.
type figures [3]float64 // precision, recall, F1

func figuresOf(l outcome.Labels) figures {
	number := func(value *float64) float64 {
		if value == nil {
			return math.NaN()
		}
		return *value
	}
	return figures{number(l.Precision()), number(l.Recall()), number(l.F1())}
}

func (f figures) minus(other figures) figures {
	return figures{f[0] - other[0], f[1] - other[1], f[2] - other[2]}
}

// table is the counts of several architectures: for each, for each document, one
// outcome.Labels per measure.
type table [][][]outcome.Labels

// estimates are by architecture and measure. The differences are from the first
// architecture; its own are left empty.
type estimates struct {
	scores      [][]Score
	differences [][]Difference
}

func estimateAll(t table, documents, measures int) estimates {
	everything := make([]int, documents)
	for d := range everything {
		everything[d] = d
	}
	whole := t.sums(everything, measures)
	// replicated holds, by architecture, measure and figure, one value per replicate.
	replicated := make([][][3][]float64, len(t))
	differing := make([][][3][]float64, len(t))
	for a := range t {
		replicated[a] = make([][3][]float64, measures)
		differing[a] = make([][3][]float64, measures)
	}
	random := rand.New(rand.NewPCG(seed, uint64(documents))) //nolint:gosec // a bootstrap has to be repeatable
	drawn := make([]int, documents)
	for range Replicates {
		if documents < 2 {
			break
		}
		for i := range drawn {
			drawn[i] = random.IntN(documents)
		}
		sums := t.sums(drawn, measures)
		for a := range sums {
			for m := range sums[a] {
				mine := figuresOf(sums[a][m])
				less := mine.minus(figuresOf(sums[0][m]))
				for f := range mine {
					replicated[a][m][f] = append(replicated[a][m][f], mine[f])
					differing[a][m][f] = append(differing[a][m][f], less[f])
				}
			}
		}
	}
	e := estimates{make([][]Score, len(t)), make([][]Difference, len(t))}
	for a := range t {
		for m := range measures {
			l, v := whole[a][m], figuresOf(whole[a][m])
			r := replicated[a][m]
			e.scores[a] = append(e.scores[a], Score{
				Correct: l.Correct, Wrong: l.Wrong, Missed: l.Missed,
				Precision: estimate(v[0], r[0]), Recall: estimate(v[1], r[1]), F1: estimate(v[2], r[2]),
			})
			v, r = v.minus(figuresOf(whole[0][m])), differing[a][m]
			e.differences[a] = append(e.differences[a], Difference{
				Precision: estimate(v[0], r[0]), Recall: estimate(v[1], r[1]), F1: estimate(v[2], r[2]),
			})
		}
	}
	return e
}

// sums adds up the counts of some documents, by architecture and measure.
func (t table) sums(documents []int, measures int) [][]outcome.Labels {
	sums := make([][]outcome.Labels, len(t))
	for a := range t {
		sums[a] = make([]outcome.Labels, measures)
		for _, d := range documents {
			for m, l := range t[a][d] {
				sums[a][m].Add(l)
			}
		}
	}
	return sums
}

// estimate makes an estimate of a value and its replicates, of which those that could
// not be computed are left out.
func estimate(value float64, replicates []float64) Estimate {
	if math.IsNaN(value) {
		return Estimate{}
	}
	e := Estimate{Value: &value}
	replicates = slices.DeleteFunc(replicates, math.IsNaN)
	if len(replicates) == 0 {
		return e
	}
	slices.Sort(replicates)
	// The nearest ranks outside of the middle.
	tail := (1 - Level) / 2
	last := float64(len(replicates) - 1)
	low, high := replicates[int(math.Floor(tail*last))], replicates[int(math.Ceil((1-tail)*last))]
	e.Low, e.High = &low, &high
	return e
}
