package extract

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// broken is a processor that behaves until its nth block, and then fails as told.
type broken struct {
	processor
	blocks int
	fail   func() error
}

func (p *broken) find(b *block, found []candidate) ([]candidate, error) {
	if p.blocks--; p.blocks < 0 {
		if err := p.fail(); err != nil {
			return nil, err
		}
	}
	return p.processor.find(b, found)
}

func ensembleOf(processors ...processor) *Ensemble {
	return &Ensemble{processors: processors, voting: defaultVoting}
}

func TestFailingProcessorDegradesTheResult(t *testing.T) {
	doc := Document{Language: Russian, Text: chapter(Russian, 5000)}
	want, err := ensembleOf(density{}, gazetteer{}).Extract(t.Context(), doc)
	if err != nil {
		t.Fatal(err)
	}
	if len(want.Descriptions) == 0 {
		t.Fatal("two processors find nothing, so the test would prove nothing")
	}
	tests := []struct {
		name   string
		blocks int
		fail   func() error
		reason string
	}{
		{"error at once", 0, func() error { return errors.New("no model") }, "no model"},
		{"error after some paragraphs", 7, func() error { return errors.New("no model") }, "no model"},
		{"panic of the runtime", 3, func() error { s := make([]int, 1); _ = s[len(doc.Text)]; return nil }, "index out of range"},
		{"panic with a piece of the text", 3, func() error { panic(doc.Text) }, "panic with a string"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got, err := ensembleOf(density{}, gazetteer{}, &broken{constructions{}, test.blocks, test.fail}).Extract(t.Context(), doc)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.Degraded) != 1 || got.Degraded[0].Processor != "constructions" || !strings.Contains(got.Degraded[0].Reason, test.reason) {
				t.Errorf("degraded: %v, want constructions and %q", got.Degraded, test.reason)
			}
			if strings.Contains(got.Degraded[0].Reason, "Дорога") {
				t.Error("the reason holds the text")
			}
			got.Degraded = nil
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the result is not that of the other two (-want +got)\n%s", diff)
			}
		})
	}
}

func TestAllProcessorsFailing(t *testing.T) {
	fail := func() error { return errors.New("no model") }
	e := ensembleOf(&broken{density{}, 2, fail}, &broken{gazetteer{}, 0, fail}, &broken{constructions{}, 1, fail})
	result, err := e.Extract(t.Context(), Document{Language: English, Text: chapter(English, 3000)})
	var failed *FailedError
	if !errors.As(err, &failed) || len(failed.Failures) != 3 {
		t.Fatalf("error %v, want a FailedError with three failures", err)
	}
	if result.Descriptions != nil || result.Processors != nil {
		t.Errorf("result %v beside the error", result)
	}
}

// counting cancels its context at the first block and counts those that follow.
type counting struct {
	density
	cancel context.CancelFunc
	blocks int
}

func (p *counting) find(b *block, found []candidate) ([]candidate, error) {
	p.blocks++
	p.cancel()
	return p.density.find(b, found)
}

func TestCancellingStopsWithinABlock(t *testing.T) {
	texts := map[string]string{
		"many paragraphs": chapter(English, 100_000),
		"one paragraph":   strings.ReplaceAll(chapter(English, 100_000), "\n", " "),
	}
	for name, text := range texts {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			p := &counting{cancel: cancel}
			if _, err := ensembleOf(p).Extract(ctx, Document{Language: English, Text: text}); !errors.Is(err, context.Canceled) {
				t.Errorf("error %v, want context.Canceled", err)
			}
			if p.blocks != 1 {
				t.Errorf("%d blocks were read, want 1", p.blocks)
			}
		})
	}
}
