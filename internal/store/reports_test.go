package store

import (
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/outcome"
)

// Batches of ids become few, and are forgotten after their time; numbers go on.
func TestReportIDsAreMergedAndForgotten(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		clock := newClock()
		s := d.openAt(t, clock.now)
		put := func(since int64, ids ...uint64) int64 {
			t.Helper()
			n, err := s.PutReports(t.Context(), "p", since, func([]ReportedIDs) ([]uint64, []outcome.Shipment, error) {
				tally, err := new(outcome.Tally).MarshalBinary()
				key := outcome.Key{Rollout: "nlp", Epoch: 1, Variant: "old", Minute: outcome.MinuteOf(clock.now())}
				return ids, []outcome.Shipment{{Key: key, Seq: clock.now().UnixMicro(), Data: tally}}, err
			})
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		list := func(since int64) (numbers []int64, ids int) {
			t.Helper()
			all, err := s.ReportedIDs(t.Context(), since)
			if err != nil {
				t.Fatal(err)
			}
			for _, one := range all {
				numbers = append(numbers, one.Number)
				ids += len(one.IDs)
			}
			return numbers, ids
		}
		last := int64(0)
		for i := range uint64(20) {
			last = put(last, 2*i, 2*i+1)
			clock.advance(time.Second)
		}
		if n := put(last); n != last {
			t.Errorf("nothing new, and yet batch %d", n)
		}
		clock.advance(20 * time.Minute)
		last = put(last, 99)
		clock.advance(time.Second)
		mustFold(t, s)
		if numbers, ids := list(0); len(numbers) != 2 || numbers[0] != 20 || numbers[1] != last || ids != 41 {
			t.Errorf("batches %v with %d ids", numbers, ids)
		}
		if numbers, ids := list(20); len(numbers) != 1 || ids != 1 {
			t.Errorf("batches %v with %d ids after the 20th", numbers, ids)
		}
		clock.advance(KeepReportIDs)
		mustFold(t, s) // merges the last
		if numbers, _ := list(0); len(numbers) != 1 || numbers[0] != last {
			t.Errorf("batches %v", numbers)
		}
		clock.advance(time.Hour)
		mustFold(t, s)
		if numbers, _ := list(0); len(numbers) != 0 {
			t.Errorf("batches %v", numbers)
		}
		if n := put(0, 1); n != last+1 {
			t.Errorf("batch %d follows %d", n, last)
		}
	})
}
