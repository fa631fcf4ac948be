package ingest

import (
	"testing"

	"github.com/nlpcanary/nlpcanary/outcome"
)

func TestMemoryForgetsTheOldestFirst(t *testing.T) {
	var m memory
	minute := outcome.Minute(1000)
	for i := range uint64(8) {
		m.add([]uint64{i, i + 100}, minute)
		minute += maxMinutes
	}
	for i := range uint64(8) {
		// Forty-eight hours are five generations: the last is only begun.
		if kept := i >= 3; m.has(i) != kept || m.has(i+100) != kept {
			t.Errorf("id %d is kept: %v, want %v", i, m.has(i), kept)
		}
	}
	if m.has(50) {
		t.Error("an id that was never reported is known")
	}
}

func TestIDSet(t *testing.T) {
	var s idSet
	for round := range 2 {
		for i := range uint64(200_000) {
			id := i * 0x9e3779b97f4a7c15
			if fresh := s.add(id); fresh != (round == 0) {
				t.Fatalf("id %d is new: %v in round %d", i, fresh, round)
			}
		}
	}
	if s.has(12345) || !s.has(0) || s.n != 200_000 {
		t.Errorf("%d ids", s.n)
	}
	s.clear()
	if s.has(0) || !s.add(7) {
		t.Error("not empty")
	}
}
