package outcome

import (
	"math"
	"slices"

	"github.com/DataDog/sketches-go/ddsketch/mapping"
)

// timeAccuracy is the relative error of quantiles.
const timeAccuracy = 0.01

// timeIndex is DDSketch's logarithmic mapping (Masson, Rim, Lee: "DDSketch",
// arXiv:1908.10693, section 2.1). The library's mapping is used with bins of our
// own: its stores keep floating-point counts and an encoding that depends on the
// order of insertion, and a tally's bytes must not.
var timeIndex = func() *mapping.LogarithmicMapping {
	m, err := mapping.NewLogarithmicMapping(timeAccuracy)
	if err != nil {
		panic(err) // the accuracy is a constant between 0 and 1
	}
	return m
}()

// The range of indexes that times from 1 µs to MaxTime can have. Below 1 µs counts
// as 1 µs.
var (
	minIndex = int32(timeIndex.Index(1))
	maxIndex = int32(timeIndex.Index(float64(MaxTime.Microseconds())))
)

// bin counts the times of one index.
type bin struct {
	index int32
	count int64
}

// sketch is a DDSketch with integer counts: its bins, sorted by index.
type sketch []bin

func indexOf(micros int64) int32 {
	i := int32(timeIndex.Index(float64(max(micros, 1))))
	return min(max(i, minIndex), maxIndex)
}

func (s *sketch) add(micros int64) { s.count(indexOf(micros), 1) }

func (s *sketch) count(index int32, n int64) {
	at, found := slices.BinarySearchFunc(*s, index, func(b bin, index int32) int { return int(b.index - index) })
	if found {
		(*s)[at].count += n
		return
	}
	*s = slices.Insert(*s, at, bin{index, n})
}

func (s *sketch) merge(other *sketch) {
	for _, b := range *other {
		s.count(b.index, b.count)
	}
}

func (s *sketch) quantile(q float64) (float64, bool) {
	var n int64
	for _, b := range *s {
		n += b.count
	}
	if n == 0 {
		return 0, false
	}
	rank := int64(math.Ceil(min(max(q, 0), 1) * float64(n)))
	var below int64
	for _, b := range *s {
		below += b.count
		if below >= rank {
			return timeIndex.Value(int(b.index)), true
		}
	}
	return timeIndex.Value(int((*s)[len(*s)-1].index)), true
}
