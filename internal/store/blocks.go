package store

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/nlpcanary/nlpcanary/outcome"
)

// blocks are the counts of the minutes of a period, ascending, each minute once. The
// region is that of the period and stays empty here.
type blocks []outcome.Block

// at is the block of a minute, made if there is none.
func (b *blocks) at(minute outcome.Minute) *outcome.Block {
	i, found := len(*b), false
	// Minutes come in order, nearly always.
	if i > 0 && (*b)[i-1].Minute >= minute {
		i, found = slices.BinarySearchFunc(*b, minute, func(block outcome.Block, m outcome.Minute) int { return int(block.Minute - m) })
	}
	if !found {
		*b = slices.Insert(*b, i, outcome.Block{Minute: minute})
	}
	return &(*b)[i]
}

const blocksVersion = 1

// encode writes the version, the number of blocks, and of each the distance of its
// minute from the one before (of the first: from start), and the counts of old and new.
func (b blocks) encode(start outcome.Minute) []byte {
	data := make([]byte, 0, 16+12*len(b))
	data = append(data, blocksVersion)
	data = binary.AppendUvarint(data, uint64(len(b)))
	next := start
	for i := range b {
		data = binary.AppendUvarint(data, uint64(b[i].Minute-next))
		next = b[i].Minute + 1
		for _, c := range [2]*outcome.Counts{&b[i].Old, &b[i].New} {
			data = binary.AppendUvarint(data, uint64(c.Requests))
			data = binary.AppendUvarint(data, uint64(c.Errors))
			data = binary.AppendUvarint(data, uint64(c.Timeouts))
			data = binary.AppendUvarint(data, uint64(c.Slow))
		}
	}
	return data
}

// appendBlocks reads what encode wrote and appends it.
func appendBlocks(b blocks, data []byte, start outcome.Minute, span int64) (blocks, error) {
	bad := fmt.Errorf("%w: the minutes of a period cannot be read", ErrDatabase)
	if len(data) == 0 || data[0] != blocksVersion {
		return nil, bad
	}
	at, broken := 1, false
	number := func() int64 {
		// Nearly all numbers are small.
		if at < len(data) && data[at] < 0x80 {
			at++
			return int64(data[at-1])
		}
		v, n := binary.Uvarint(data[min(at, len(data)):])
		if n <= 0 || v > 1<<61 {
			broken = true
			return 0
		}
		at += n
		return int64(v)
	}
	n := number()
	if n > span {
		return nil, bad
	}
	b = slices.Grow(b, int(n))
	next := start
	for range n {
		step := number()
		if step >= span {
			return nil, bad
		}
		block := outcome.Block{Minute: next + outcome.Minute(step)}
		for _, c := range [2]*outcome.Counts{&block.Old, &block.New} {
			c.Requests, c.Errors, c.Timeouts, c.Slow = number(), number(), number(), number()
		}
		if broken || block.Minute >= start+outcome.Minute(span) {
			return nil, bad
		}
		b = append(b, block)
		next = block.Minute + 1
	}
	if at != len(data) {
		return nil, bad
	}
	return b, nil
}
