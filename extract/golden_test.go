package extract

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nlpcanary/nlpcanary/internal/prose"
)

var update = flag.Bool("update", false, "write the golden file anew; read the difference before committing it")

// TestGolden shows what both architectures find in the prose. A change here is not
// wrong by itself, but somebody has to read it.
func TestGolden(t *testing.T) {
	const path = "testdata/prose.golden"
	var got strings.Builder
	for _, p := range prose.Passages() {
		for _, extractor := range architectures {
			result, err := extractor.Extract(t.Context(), Document{Language: Language(p.Language), Text: p.Text})
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&got, "== %s %s\n", p.ID, extractor.Name())
			for _, d := range result.Descriptions {
				fmt.Fprintf(&got, "%s [%d:%d] confidence %.2f consensus %.2f quality %.1f priority %.0f %s",
					d.Type, d.Start, d.End, d.Confidence, d.Consensus, d.Quality, d.Priority, strings.Join(d.Sources, "+"))
				if len(d.Entities) > 0 {
					fmt.Fprintf(&got, " (%s)", strings.Join(d.Entities, ", "))
				}
				fmt.Fprintf(&got, "\n    %s\n", strings.Join(strings.Fields(d.Content), " "))
			}
		}
	}
	if *update {
		if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got.String(), "\n")); diff != "" {
		t.Errorf("run with -update if this is better (-want +got)\n%s", diff)
	}
}

// TestProseByKind is the least that must be found and left alone, whatever the
// golden file says.
func TestProseByKind(t *testing.T) {
	wanted := map[string][]Type{
		"landscape":  {TypeLocation, TypeAtmosphere},
		"interior":   {TypeLocation, TypeAtmosphere},
		"portrait":   {TypeCharacter},
		"atmosphere": {TypeAtmosphere},
		"dialogue":   nil,
		"action":     nil,
		"reflection": nil,
	}
	for _, p := range prose.Passages() {
		types, known := wanted[strings.Split(p.ID, "-")[1]]
		if !known {
			continue
		}
		result, err := NewEnsemble().Extract(t.Context(), Document{Language: Language(p.Language), Text: p.Text})
		if err != nil {
			t.Fatal(err)
		}
		right, all := 0, 0
		for _, d := range result.Descriptions {
			all += len(d.Content)
			if slices.Contains(types, d.Type) {
				right += len(d.Content)
			}
		}
		share := func(part int) float64 { return float64(part) / float64(len(p.Text)) }
		if types != nil && share(right) < 0.2 {
			t.Errorf("%s: %.2f of the text is %v, want at least 0.2", p.ID, share(right), types)
		}
		if types == nil && share(all) > 0.1 {
			t.Errorf("%s: %.2f of the text describes, want at most 0.1", p.ID, share(all))
		}
	}
}
