package store

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// blocks are the counts of minutes, by minute, then region, each once. Those of a
// period have no region of their own.
type blocks []outcome.Block

// at is the block of a minute in a region, made if there is none.
func (b *blocks) at(minute outcome.Minute, region rollout.Region) *outcome.Block {
	order := func(block outcome.Block, _ struct{}) int {
		return cmp.Or(cmp.Compare(block.Minute, minute), cmp.Compare(block.Region, region))
	}
	i, found := len(*b), false
	// Minutes come in order, nearly always.
	if i > 0 && order((*b)[i-1], struct{}{}) >= 0 {
		i, found = slices.BinarySearchFunc(*b, struct{}{}, order)
	}
	if !found {
		*b = slices.Insert(*b, i, outcome.Block{Minute: minute, Region: region})
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

// errBlocks: bytes that encode did not write.
var errBlocks = fmt.Errorf("%w: the minutes of a period cannot be read", ErrDatabase)

// blockReader reads what encode wrote, block by block.
type blockReader struct {
	region rollout.Region
	rest   []byte
	left   int64 // blocks
	next   outcome.Minute
	until  outcome.Minute
	broken bool
}

func readBlocks(data []byte, region rollout.Region, start outcome.Minute, span int64) (*blockReader, error) {
	r := &blockReader{region: region, next: start, until: start + outcome.Minute(span)}
	if len(data) == 0 || data[0] != blocksVersion {
		return nil, errBlocks
	}
	r.rest = data[1:]
	r.left = r.number()
	if r.broken || r.left > span || r.left == 0 && len(r.rest) > 0 {
		return nil, errBlocks
	}
	return r, nil
}

func (r *blockReader) number() int64 {
	// Nearly all numbers are small.
	if len(r.rest) > 0 && r.rest[0] < 0x80 {
		n := int64(r.rest[0])
		r.rest = r.rest[1:]
		return n
	}
	v, n := binary.Uvarint(r.rest)
	if n <= 0 || v > 1<<61 {
		r.broken = true
		return 0
	}
	r.rest = r.rest[n:]
	return int64(v)
}

// read reads the next of the blocks that are left.
func (r *blockReader) read(b *outcome.Block) error {
	step := r.number()
	if r.broken || step >= int64(r.until-r.next) {
		return errBlocks
	}
	b.Minute, b.Region = r.next+outcome.Minute(step), r.region
	for _, c := range [2]*outcome.Counts{&b.Old, &b.New} {
		c.Requests, c.Errors, c.Timeouts, c.Slow = r.number(), r.number(), r.number(), r.number()
	}
	r.next = b.Minute + 1
	r.left--
	if r.broken || r.left == 0 && len(r.rest) > 0 {
		return errBlocks
	}
	return nil
}

// mergeBlocks appends the blocks of several regions' periods of the same time, by
// minute, then region. There are few regions and many blocks.
func mergeBlocks(list []outcome.Block, regions []*blockReader) ([]outcome.Block, error) {
	total := int64(0)
	heads := make([]outcome.Block, len(regions))
	for i, r := range regions {
		total += r.left
		if r.left > 0 {
			if err := r.read(&heads[i]); err != nil {
				return nil, err
			}
			continue
		}
		heads[i].Minute = endOfTime
	}
	list = slices.Grow(list, int(total))
	for range total {
		next := 0
		for i := 1; i < len(heads); i++ {
			if heads[i].Minute < heads[next].Minute || heads[i].Minute == heads[next].Minute && heads[i].Region < heads[next].Region {
				next = i
			}
		}
		list = append(list, heads[next])
		if regions[next].left == 0 {
			heads[next].Minute = endOfTime
			continue
		}
		if err := regions[next].read(&heads[next]); err != nil {
			return nil, err
		}
	}
	return list, nil
}
