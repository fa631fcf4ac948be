package store

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// fingerprint is everything of a window that evidence is computed from.
func fingerprint(tb testing.TB, w outcome.Window) string {
	tb.Helper()
	var b bytes.Buffer
	for _, c := range []outcome.Cohort{w.Old, w.New} {
		data, err := c.Tally.MarshalBinary()
		if err != nil {
			tb.Fatal(err)
		}
		fmt.Fprintf(&b, "%x\n", data)
		for i, m := range c.Marks {
			if m != (outcome.Marks{}) {
				fmt.Fprintf(&b, "%d: %+v\n", i, m)
			}
		}
	}
	for _, block := range w.Blocks {
		fmt.Fprintf(&b, "%+v\n", block)
	}
	fmt.Fprintln(&b, w.SlowOver, w.SlowFrom)
	return b.String()
}

func mustFold(tb testing.TB, s *Store) {
	tb.Helper()
	if err := s.Fold(tb.Context()); err != nil {
		tb.Fatalf("Fold: %v", err)
	}
}

func genCounted() *rapid.Generator[outcome.Outcome] {
	return rapid.Custom(func(t *rapid.T) outcome.Outcome {
		o := outcome.Outcome{
			Rollout: "nlp", Epoch: rapid.Int64Range(1, 2).Draw(t, "epoch"),
			Variant:        rapid.SampledFrom([]rollout.Variant{rollout.Old, rollout.New}).Draw(t, "variant"),
			Region:         rapid.SampledFrom([]rollout.Region{"", "eu"}).Draw(t, "region"),
			UserKey:        rollout.UserKey{rapid.Byte().Draw(t, "user"), 1: rapid.Byte().Draw(t, "more"), 9: rapid.Byte().Draw(t, "and more")},
			ProcessingTime: time.Duration(rapid.IntRange(0, 1000).Draw(t, "ms")) * time.Millisecond,
			Error:          rapid.IntRange(0, 4).Draw(t, "error") == 0,
			Excluded:       rapid.IntRange(0, 9).Draw(t, "excluded") == 0,
		}
		if rapid.IntRange(0, 4).Draw(t, "marked") == 0 {
			quality := rapid.IntRange(1, 10).Draw(t, "quality")
			o.Marks = outcome.Feedback{Quality: &quality}.Marks()
		}
		return o
	})
}

// Two databases get the same shipments and feedback, repeated, overtaken, delayed for
// days. One folds and compacts, the other never does. They say the same.
func TestFoldingChangesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		clock := newClock()
		folding := d.openAt(t, clock.now)
		plain := (&database{dialect: d.dialect, url: newURL(t, d.dialect)}).openAt(t, clock.now)
		stores := []*Store{folding, plain}
		// Each round takes some tens of milliseconds.
		rounds, round, ids := map[string]int{SQLite: 60, Postgres: 15}[d.dialect], 0, 0
		rapid.Check(t, func(t *rapid.T) {
			if round++; round > rounds {
				return
			}
			clock.at = newClock().at
			for _, s := range stores {
				if _, err := s.write.ExecContext(t.Context(), "UPDATE nlpcanary_folding SET next_at = 0, compacted = 0"); err != nil {
					t.Fatal(err)
				}
				for _, table := range []string{"tallies", "feedback", "periods", "producers", "baselines"} {
					if _, err := s.write.ExecContext(t.Context(), "DELETE FROM nlpcanary_"+table); err != nil {
						t.Fatal(err)
					}
				}
			}
			sets := []*outcome.Set{outcome.NewSet(), outcome.NewSet()}
			// What counts as slow is frozen on both at the same moment.
			for range minBaseline {
				if err := sets[0].Add(outcome.Outcome{Rollout: "nlp", Epoch: 1, Variant: rollout.Old, ProcessingTime: 300 * time.Millisecond}, clock.now()); err != nil {
					t.Fatal(err)
				}
			}
			first, err := sets[0].Pending(clock.now())
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range stores {
				if err := s.PutTallies(t.Context(), "p0", first); err != nil {
					t.Fatal(err)
				}
				for epoch := range int64(3) {
					if _, err := s.Window(t.Context(), OutcomeQuery{Rollout: "nlp", Epoch: epoch}); err != nil {
						t.Fatal(err)
					}
				}
			}
			var sent [][]outcome.Shipment
			var from []int
			put := func(i int) {
				for _, s := range stores {
					if err := s.PutTallies(t.Context(), fmt.Sprint("p", from[i]), sent[i]); err != nil {
						t.Fatal(err)
					}
				}
			}
			compare := func(t *rapid.T, q OutcomeQuery) {
				var said []string
				for _, s := range stores {
					w, err := s.Window(t.Context(), q)
					if err != nil {
						t.Fatal(err)
					}
					var b bytes.Buffer
					for _, c := range []outcome.Cohort{w.Old, w.New} {
						data, err := c.Tally.MarshalBinary()
						if err != nil {
							t.Fatal(err)
						}
						fmt.Fprintf(&b, "%x\n%v", data, c.Marks)
					}
					fmt.Fprintf(&b, "\n%v\n%v %v", w.Blocks, w.SlowOver, w.SlowFrom)
					said = append(said, b.String())
				}
				if diff := cmp.Diff(said[1], said[0]); diff != "" {
					t.Fatalf("epoch %d from %v to %v (-plain +folded):\n%s", q.Epoch, q.From, q.To, diff)
				}
			}
			t.Repeat(map[string]func(*rapid.T){
				"count": func(t *rapid.T) {
					set := sets[rapid.IntRange(0, 1).Draw(t, "producer")]
					for _, o := range rapid.SliceOfN(genCounted(), 1, 4).Draw(t, "outcomes") {
						if err := set.Add(o, clock.now()); err != nil {
							t.Fatal(err)
						}
					}
				},
				"ship": func(t *rapid.T) {
					p := rapid.IntRange(0, 1).Draw(t, "producer")
					list, err := sets[p].Pending(clock.now())
					if err != nil {
						t.Fatal(err)
					}
					sent, from = append(sent, list), append(from, p)
					switch rapid.IntRange(0, 3).Draw(t, "fate") {
					case 0: // lost
					case 1: // stored, the answer lost
						put(len(sent) - 1)
					default:
						put(len(sent) - 1)
						sets[p].Acknowledge(list)
					}
				},
				"an old shipment comes again": func(t *rapid.T) {
					if len(sent) > 0 {
						put(rapid.IntRange(0, len(sent)-1).Draw(t, "which"))
					}
				},
				"feedback": func(t *rapid.T) {
					ids++
					f := Feedback{
						OutcomeID: fmt.Sprint(ids), Actor: "ann",
						Ticket: outcome.Ticket{
							Rollout: "nlp", Epoch: 1, Variant: rollout.New, UserKey: rollout.UserKey{rapid.Byte().Draw(t, "user")},
							Minute: outcome.MinuteOf(clock.now()) - outcome.Minute(rapid.IntRange(0, 5000).Draw(t, "minutes late")),
						},
					}
					quality := rapid.IntRange(1, 10).Draw(t, "quality")
					f.Feedback.Quality = &quality
					for _, s := range stores {
						if err := s.PutFeedback(t.Context(), f); err != nil {
							t.Fatal(err)
						}
					}
				},
				"time passes": func(t *rapid.T) {
					clock.advance(time.Duration(rapid.SampledFrom([]int{20, 60, 400, 3700, 86_400, 200_000}).Draw(t, "seconds")) * time.Second)
				},
				"fold": func(t *rapid.T) {
					if err := folding.Fold(t.Context()); err != nil {
						t.Fatal(err)
					}
				},
				"compare": func(t *rapid.T) {
					compare(t, OutcomeQuery{Rollout: "nlp", Epoch: rapid.Int64Range(0, 2).Draw(t, "epoch")})
					// Whole hours are the same even where the minutes are gone.
					end := clock.now().Truncate(time.Hour).Add(-time.Duration(rapid.IntRange(0, 60).Draw(t, "hours ago")) * time.Hour)
					compare(t, OutcomeQuery{Rollout: "nlp", Epoch: 1, From: end.Add(-30 * time.Hour), To: end})
					// And minutes where they are not.
					compare(t, OutcomeQuery{Rollout: "nlp", From: clock.now().Add(-90 * time.Minute), To: clock.now().Add(-30 * time.Minute)})
				},
			})
		})
	})
}

// After two days, what is read of a month of minutes is days and hours.
func TestFoldCompacts(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		clock := newClock()
		s := d.openAt(t, clock.now)
		p := newCounting(s, "p")
		var first []outcome.Shipment
		for i := range 60 {
			at := clock.now()
			p.add(t, 20, outcome.Outcome{Epoch: 1, Variant: rollout.Old, Region: "eu", ProcessingTime: 10 * time.Millisecond}, at)
			p.add(t, 20, outcome.Outcome{Epoch: 1, Variant: rollout.New, Region: "eu", ProcessingTime: time.Duration(i) * time.Millisecond, Error: i%7 == 0}, at)
			list := p.ship(t, at)
			if i == 0 {
				first = list
			}
			clock.advance(90 * time.Minute)
			mustFold(t, s)
		}
		rows := s.scalar(t, "SELECT count(*) FROM nlpcanary_tallies WHERE folded")
		if n := s.scalar(t, "SELECT count(*) FROM nlpcanary_tallies"); n != rows {
			t.Errorf("%s of %s rows are folded", rows, n)
		}
		if want := fmt.Sprint(2 * 32); rows != want { // the last 48 hours, 90 minutes apart
			t.Errorf("%s rows are left, want %s", rows, want)
		}
		for _, step := range []time.Duration{MinuteStep, HourStep, DayStep} {
			points, err := s.Series(t.Context(), OutcomeQuery{Rollout: "nlp", From: newClock().now(), To: clock.now()}, step)
			if err != nil {
				t.Fatal(err)
			}
			var counts outcome.Counts
			for i, p := range points {
				counts.Add(p.New.Counts)
				if i > 0 && !points[i-1].Start.Before(p.Start) || p.Start.Truncate(step) != p.Start {
					t.Errorf("step %v: a point at %v", step, p.Start)
				}
			}
			if last := points[len(points)-1]; counts.Requests != 1200 || counts.Errors != 180 || last.New.Tally == nil {
				t.Errorf("step %v: %+v in %d points", step, counts, len(points))
			}
		}
		before := fingerprint(t, mustWindow(t, s, OutcomeQuery{Rollout: "nlp", Epoch: 1}))
		for range 3 {
			if err := s.PutTallies(t.Context(), "p", first); err != nil {
				t.Fatal(err)
			}
			mustFold(t, s)
			clock.advance(time.Hour)
		}
		w := mustWindow(t, s, OutcomeQuery{Rollout: "nlp", Epoch: 1})
		if fingerprint(t, w) != before {
			t.Error("a shipment that was repeated after days counted again")
		}
		if w.SlowOver == 0 || w.New.Tally.Total().Requests != 1200 || len(w.Blocks) != 60 || !slices.ContainsFunc(w.Blocks, func(b outcome.Block) bool { return b.New.Slow > 0 }) {
			t.Errorf("slow over %v, %d outcomes in %d blocks", w.SlowOver, w.New.Tally.Total().Requests, len(w.Blocks))
		}
	})
}

// Instances take turns.
func TestOneInstanceFolds(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		clock := newClock()
		s := d.openAt(t, clock.now)
		p := newCounting(s, "p")
		p.add(t, 1, outcome.Outcome{Epoch: 1, Variant: rollout.Old}, clock.now())
		p.ship(t, clock.now())
		mustFold(t, s)
		clock.advance(foldEvery - time.Second)
		mustFold(t, s)
		if n := s.scalar(t, "SELECT count(*) FROM nlpcanary_periods"); n != "0" {
			t.Errorf("folded %s periods too early, or out of turn", n)
		}
		clock.advance(foldAfter)
		mustFold(t, s)
		if n := s.scalar(t, "SELECT count(*) FROM nlpcanary_periods"); n != "3" {
			t.Errorf("%s periods, want an hour, a day and the whole", n)
		}
	})
}

func FuzzBlocks(f *testing.F) {
	f.Add(blocks{{Minute: 61, Old: outcome.Counts{Requests: 300, Slow: 1}}, {Minute: 119, New: outcome.Counts{Requests: 1, Timeouts: 1}}}.encode(60))
	f.Add([]byte{1, 0})
	f.Add([]byte{1, 200, 1})
	f.Fuzz(func(t *testing.T, data []byte) {
		decode := func(data []byte) (blocks, error) {
			reader, err := readBlocks(data, "", 60, hour)
			if err != nil {
				return nil, err
			}
			return mergeBlocks(nil, []*blockReader{reader})
		}
		read, err := decode(data)
		if err != nil {
			return
		}
		again, err := decode(read.encode(60))
		if err != nil || !slices.Equal(read, again) {
			t.Fatalf("%v, then %v, %v", read, again, err)
		}
		for i, b := range read {
			if b.Minute < 60 || b.Minute >= 120 || i > 0 && read[i-1].Minute >= b.Minute {
				t.Fatalf("a minute out of place: %v", read)
			}
		}
	})
}

// The last minutes of a producer that was cut off are folded, and kept: it may have
// counted more in them. What it ships when it is back, days later, takes their place.
func TestALaterVersionOfAFoldedTallyTakesItsPlace(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		clock := newClock()
		s := d.openAt(t, clock.now)
		plain := (&database{dialect: d.dialect, url: newURL(t, d.dialect)}).openAt(t, clock.now)
		other := newCounting(s, "other")
		canary := outcome.Outcome{Rollout: "nlp", Epoch: 2, Variant: rollout.New, ProcessingTime: time.Second, Error: true, UserKey: rollout.UserKey{1, 2, 3}}
		old := outcome.Outcome{Rollout: "nlp", Epoch: 1, Variant: rollout.Old, ProcessingTime: 10 * time.Millisecond}
		set := outcome.NewSet()
		count := func(n int, o outcome.Outcome) {
			t.Helper()
			for range n {
				if err := set.Add(o, clock.now()); err != nil {
					t.Fatal(err)
				}
			}
		}
		put := func(list []outcome.Shipment, to ...*Store) {
			t.Helper()
			for _, s := range to {
				if err := s.PutTallies(t.Context(), "p", list); err != nil {
					t.Fatal(err)
				}
			}
		}
		pending := func() []outcome.Shipment {
			t.Helper()
			list, err := set.Pending(clock.now())
			if err != nil {
				t.Fatal(err)
			}
			return list
		}
		count(minBaseline, old)
		put(pending(), s, plain)
		for epoch := range int64(3) { // what counts as slow is frozen now
			mustWindow(t, s, OutcomeQuery{Rollout: "nlp", Epoch: epoch})
			mustWindow(t, plain, OutcomeQuery{Rollout: "nlp", Epoch: epoch})
		}
		clock.advance(3 * time.Minute)
		count(4, canary)
		count(3, old)
		early := pending()
		put(early, s)
		count(6, canary)
		canary.ProcessingTime = time.Millisecond
		count(1, canary)
		late := pending()
		put(late, plain)
		for range 4 {
			clock.advance(26 * time.Hour)
			other.add(t, 1, outcome.Outcome{Rollout: "another", Epoch: 9, Variant: rollout.Old}, clock.now())
			other.ship(t, clock.now())
			mustFold(t, s)
		}
		put(late, s)
		put(early, s)
		put(late, s)
		clock.advance(time.Hour)
		mustFold(t, s)
		for epoch := range int64(3) {
			q := OutcomeQuery{Rollout: "nlp", Epoch: epoch}
			if diff := cmp.Diff(fingerprint(t, mustWindow(t, plain, q)), fingerprint(t, mustWindow(t, s, q))); diff != "" {
				t.Errorf("epoch %d (-plain +folded):\n%s", epoch, diff)
			}
		}
		if w := mustWindow(t, s, OutcomeQuery{Rollout: "nlp", Epoch: 2}); len(w.Blocks) != 1 || w.Blocks[0].New != (outcome.Counts{Requests: 11, Errors: 11, Slow: 10}) {
			t.Errorf("%+v", w.Blocks)
		}
	})
}
