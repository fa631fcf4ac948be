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

func (s *sketch) add(micros int64) {
	index := indexOf(micros)
	at, found := slices.BinarySearchFunc(*s, index, func(b bin, index int32) int { return int(b.index - index) })
	s.count(at, found, bin{index, 1})
}

// count adds a bin at its place, which is taken or not.
func (s *sketch) count(at int, taken bool, b bin) {
	if taken {
		(*s)[at].count = plus((*s)[at].count, b.count)
		return
	}
	*s = slices.Insert(*s, at, b)
}

// merge walks through both, which is several times faster than searching for each.
func (s *sketch) merge(other *sketch) {
	at := 0
	for _, b := range *other {
		for at < len(*s) && (*s)[at].index < b.index {
			at++
		}
		s.count(at, at < len(*s) && (*s)[at].index == b.index, b)
	}
}

// take takes other counts off; false if they were not in it.
func (s *sketch) take(other *sketch) bool {
	at := 0
	for _, b := range *other {
		for at < len(*s) && (*s)[at].index < b.index {
			at++
		}
		if at == len(*s) || (*s)[at].index != b.index || (*s)[at].count < b.count {
			return false
		}
		(*s)[at].count -= b.count
	}
	*s = slices.DeleteFunc(*s, func(b bin) bool { return b.count == 0 })
	return true
}

func (s *sketch) total() int64 {
	var n int64
	for _, b := range *s {
		n = plus(n, b.count)
	}
	return n
}

func (s *sketch) quantile(q float64) (float64, bool) {
	n := s.total()
	if n == 0 {
		return 0, false
	}
	rank := int64(math.Ceil(min(max(q, 0), 1) * float64(n)))
	var below int64
	for _, b := range *s {
		below = plus(below, b.count)
		if below >= rank {
			return timeIndex.Value(int(b.index)), true
		}
	}
	return timeIndex.Value(int((*s)[len(*s)-1].index)), true
}
