package ingest

import "github.com/nlpcanary/nlpcanary/outcome"

// idSet is a set of hashes: open addressing, a quarter of the slots free.
type idSet struct {
	slots []uint64 // 0 is free; the hash 0 is kept as 1
	n     int
}

func (s *idSet) find(id uint64) int {
	mask := uint64(len(s.slots) - 1)
	at := id & mask
	for s.slots[at] != 0 && s.slots[at] != id {
		at = (at + 1) & mask
	}
	return int(at)
}

func (s *idSet) has(id uint64) bool {
	return len(s.slots) > 0 && s.slots[s.find(max(id, 1))] != 0
}

// add reports whether the id is new.
func (s *idSet) add(id uint64) bool {
	id = max(id, 1)
	if 4*(s.n+1) > 3*len(s.slots) {
		s.grow()
	}
	at := s.find(id)
	if s.slots[at] != 0 {
		return false
	}
	s.slots[at] = id
	s.n++
	return true
}

func (s *idSet) grow() {
	old := s.slots
	s.slots = make([]uint64, max(1024, 2*len(old)))
	for _, id := range old {
		if id != 0 {
			s.slots[s.find(id)] = id
		}
	}
}

// clear empties the set; a small one keeps its room.
func (s *idSet) clear() {
	if len(s.slots) > 1<<16 {
		s.slots = nil
	}
	clear(s.slots)
	s.n = 0
}

// memory holds the ids of reported outcomes in generations, of which the oldest is
// forgotten whole: the ids of at least 48 hours, or if they are more, at least the last
// ten million, in at most 160 MiB.
type memory struct {
	generations []*generation // the newest last
}

type generation struct {
	ids   idSet
	began outcome.Minute
}

const (
	maxGenerations = 5
	maxIDs         = 2_500_000 // of a generation
	maxMinutes     = 12 * 60   // that a generation is added to
)

func (m *memory) has(id uint64) bool {
	for _, g := range m.generations {
		if g.ids.has(id) {
			return true
		}
	}
	return false
}

func (m *memory) add(ids []uint64, minute outcome.Minute) {
	for _, id := range ids {
		last := len(m.generations) - 1
		if last < 0 || m.generations[last].ids.n >= maxIDs || minute >= m.generations[last].began+maxMinutes {
			m.generations = append(m.generations, &generation{began: minute})
			if len(m.generations) > maxGenerations {
				m.generations = m.generations[1:]
			}
			last = len(m.generations) - 1
		}
		m.generations[last].ids.add(id)
	}
}
