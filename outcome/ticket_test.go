package outcome_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

func TestSealedTicketsOpen(t *testing.T) {
	sealer := outcome.NewSealer([]byte("0123456789abcdef0123456789abcdef"))
	rapid.Check(t, func(t *rapid.T) {
		ticket := outcome.Ticket{
			Rollout: rapid.StringMatching(`[a-z0-9._-]{1,64}`).Draw(t, "rollout"),
			Epoch:   rapid.Int64Range(1, 1<<40).Draw(t, "epoch"),
			Variant: rapid.SampledFrom([]rollout.Variant{rollout.Old, rollout.New}).Draw(t, "variant"),
			Region:  rollout.Region(rapid.StringMatching(`[a-z0-9._-]{0,64}`).Draw(t, "region")),
			Minute:  outcome.Minute(rapid.Int64Range(0, 1<<40).Draw(t, "minute")),
			UserKey: userKey(rapid.Uint64().Draw(t, "user")), Excluded: rapid.Bool().Draw(t, "excluded"),
		}
		id := sealer.Seal(ticket)
		got, err := sealer.Open(id)
		if err != nil || got != ticket {
			t.Fatalf("sealed %+v, opened %+v, %v", ticket, got, err)
		}
		if again := sealer.Seal(ticket); again == id {
			t.Fatal("two outcomes have one id")
		}
	})
}

func TestIDsAreShort(t *testing.T) {
	id := outcome.NewSealer(nil).Seal(outcome.Ticket{Rollout: "nlp", Epoch: 12345, Variant: rollout.New, Region: "eu-west-1", Minute: 30_000_000})
	if len(id) > 120 {
		t.Errorf("an id has %d characters: %s", len(id), id)
	}
}

func TestForgedAndMalformedIDsAreRefused(t *testing.T) {
	sealer := outcome.NewSealer([]byte("secret"))
	id := sealer.Seal(outcome.Ticket{Rollout: "nlp", Epoch: 1, Variant: rollout.Old})
	raw, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		changed := append([]byte(nil), raw...)
		changed[i] ^= 1
		_, err := sealer.Open(base64.RawURLEncoding.EncodeToString(changed))
		if !errors.Is(err, outcome.ErrForged) && !errors.Is(err, outcome.ErrMalformed) {
			t.Fatalf("byte %d changed: %v", i, err)
		}
	}
	if _, err := outcome.NewSealer([]byte("another")).Open(id); !errors.Is(err, outcome.ErrForged) {
		t.Errorf("an id of another installation: %v, want ErrForged", err)
	}
	for _, bad := range []string{"", "x", "!!!", strings.Repeat("A", 100_000), id + "A", id[:len(id)-2]} {
		if _, err := sealer.Open(bad); err == nil {
			t.Errorf("opened %.20q", bad)
		}
	}
}

// Feedback is kept by id: a second spelling of an id would be credited twice.
func TestAnIDHasOneSpelling(t *testing.T) {
	sealer := outcome.NewSealer([]byte("secret"))
	// Rollout names of three lengths give ids whose last character has 6, 4 and 2 bits in use.
	for _, name := range []string{"n", "nl", "nlp"} {
		id := sealer.Seal(outcome.Ticket{Rollout: name, Epoch: 1, Variant: rollout.New})
		for at := range len(id) + 1 {
			for _, extra := range []string{"\n", "\r", "\r\n", "=", " "} {
				if _, err := sealer.Open(id[:at] + extra + id[at:]); !errors.Is(err, outcome.ErrMalformed) {
					t.Fatalf("%q put in at %d of a %d-character id: %v, want ErrMalformed", extra, at, len(id), err)
				}
			}
		}
		for c := range 128 {
			if spelt := id[:len(id)-1] + string(rune(c)); spelt != id {
				if _, err := sealer.Open(spelt); err == nil {
					t.Fatalf("%q opens, and so does %q", spelt, id)
				}
			}
		}
	}
}

func FuzzOpen(f *testing.F) {
	sealer := outcome.NewSealer([]byte("secret"))
	id := sealer.Seal(outcome.Ticket{Rollout: "nlp", Epoch: 1, Variant: rollout.New})
	f.Add("")
	f.Add(id)
	f.Add(id + "\n")
	f.Add(id[:9] + "\r\n" + id[9:])
	f.Fuzz(func(t *testing.T, id string) {
		ticket, err := sealer.Open(id)
		if err == nil {
			raw, decodeErr := base64.RawURLEncoding.DecodeString(id)
			if decodeErr != nil || base64.RawURLEncoding.EncodeToString(raw) != id {
				t.Fatalf("opened %q, which is not how it was sealed", id)
			}
		}
		if err == nil && ticket.Variant != rollout.Old && ticket.Variant != rollout.New {
			t.Fatalf("opened %+v", ticket)
		}
		if err != nil && !errors.Is(err, outcome.ErrForged) && !errors.Is(err, outcome.ErrMalformed) {
			t.Fatalf("an error of its own: %v", err)
		}
	})
}

func TestFeedback(t *testing.T) {
	n := func(v int) *int { return &v }
	for name, c := range map[string]struct {
		feedback outcome.Feedback
		field    string // that is refused; empty if none
	}{
		"a mark":             {outcome.Feedback{Quality: n(10)}, ""},
		"counts":             {outcome.Feedback{Correct: n(3), Wrong: n(0), Missed: n(1)}, ""},
		"both":               {outcome.Feedback{Quality: n(1), Correct: n(3), Wrong: n(0), Missed: n(1)}, ""},
		"nothing":            {outcome.Feedback{}, "quality"},
		"quality 0":          {outcome.Feedback{Quality: n(0)}, "quality"},
		"quality 11":         {outcome.Feedback{Quality: n(11)}, "quality"},
		"a negative count":   {outcome.Feedback{Correct: n(-1), Wrong: n(0), Missed: n(0)}, "correct"},
		"too large a count":  {outcome.Feedback{Correct: n(1), Wrong: n(10_001), Missed: n(0)}, "wrong"},
		"one count missing":  {outcome.Feedback{Correct: n(1), Wrong: n(1)}, "missed"},
		"counts that are 0":  {outcome.Feedback{Correct: n(0), Wrong: n(0), Missed: n(0)}, "correct"},
		"a mark and a count": {outcome.Feedback{Quality: n(5), Missed: n(2)}, "correct"},
	} {
		t.Run(name, func(t *testing.T) {
			err := c.feedback.Validate()
			var invalid *outcome.InvalidError
			switch {
			case c.field == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.field != "" && (!errors.As(err, &invalid) || invalid.Field != c.field):
				t.Errorf("got %v, want an InvalidError for %s", err, c.field)
			}
		})
	}
}

func TestLabels(t *testing.T) {
	l := outcome.Labels{Correct: 6, Wrong: 2, Missed: 4}
	if *l.Precision() != .75 || *l.Recall() != .6 || *l.F1() != 12./18. {
		t.Errorf("precision %v, recall %v, F1 %v; want 0.75, 0.6, 0.667", *l.Precision(), *l.Recall(), *l.F1())
	}
	if none := (outcome.Labels{}); none.Precision() != nil || none.Recall() != nil || none.F1() != nil {
		t.Error("nothing was labelled, and yet there is a number")
	}
	if nothingFound := (outcome.Labels{Missed: 3}); nothingFound.Precision() != nil || *nothingFound.Recall() != 0 {
		t.Error("with nothing found, precision is not measured and recall is 0")
	}
}

func BenchmarkSealer(b *testing.B) {
	sealer := outcome.NewSealer([]byte("0123456789abcdef0123456789abcdef"))
	ticket := outcome.Ticket{Rollout: "nlp", Epoch: 12345, Variant: rollout.New, Region: "eu-west-1", Minute: 30_000_000, UserKey: userKey(1)}
	b.Run("seal", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sealer.Seal(ticket)
		}
	})
	b.Run("open", func(b *testing.B) {
		id := sealer.Seal(ticket)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := sealer.Open(id); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// What a client makes opens at the server and says who made it; the client cannot make
// what only servers may.
func TestClientsMakeIDsOfTheirOwn(t *testing.T) {
	server := outcome.NewSealer([]byte("0123456789abcdef0123456789abcdef"))
	client := outcome.NewClientSealer(server.ClientKey())
	ticket := outcome.Ticket{Rollout: "nlp", Epoch: 3, Variant: rollout.New, Region: "eu", Minute: 30_000_000}
	id := client.Seal(ticket)
	ticket.ByClient = true
	if got, err := server.Open(id); err != nil || got != ticket {
		t.Errorf("opened %+v, %v", got, err)
	}
	if got, err := client.Open(id); err != nil || got != ticket {
		t.Errorf("the client opened %+v, %v", got, err)
	}
	if _, err := client.Open(server.Seal(ticket)); !errors.Is(err, outcome.ErrForged) {
		t.Errorf("the client opens a server's id: %v", err)
	}
	raw, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil {
		t.Fatal(err)
	}
	raw[0] = 1 // as if a server had made it
	if _, err := server.Open(base64.RawURLEncoding.EncodeToString(raw)); !errors.Is(err, outcome.ErrForged) {
		t.Errorf("a client's id passes for a server's: %v", err)
	}
	if _, err := outcome.NewSealer([]byte("another")).Open(id); !errors.Is(err, outcome.ErrForged) {
		t.Errorf("an id of another installation's client: %v", err)
	}
}
