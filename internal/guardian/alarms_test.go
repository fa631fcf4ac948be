package guardian

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nlpcanary/nlpcanary/internal/notify"
	"github.com/nlpcanary/nlpcanary/internal/store"
)

var noon = time.Date(2030, 1, 2, 12, 0, 0, 0, time.UTC)

// TestAlarms plays looks at given times: "w" a warning, "c" something critical, "-"
// nothing found.
func TestAlarms(t *testing.T) {
	for name, c := range map[string]struct {
		looks string // "0s w, 30s -": when, and what was found
		want  string // what people hear: "0s fires, 1m30s resolved"
	}{
		"once":                         {"0s w, 2s w, 4s w", "0s fires"},
		"resolved":                     {"0s w, 2s -, 61s -", "0s fires, 1m1s resolved"},
		"gone for a moment":            {"0s w, 30s -, 50s w, 100s -, 111s -", "0s fires, 1m51s resolved"},
		"back within the cool-down":    {"0s w, 70s -, 120s w, 200s w", "0s fires, 1m10s resolved"},
		"back and it stays":            {"0s w, 70s -, 120s w, 899s w, 900s w", "0s fires, 1m10s resolved, 15m0s fires"},
		"back and gone unheard":        {"0s w, 70s -, 120s w, 190s -, 900s -", "0s fires, 1m10s resolved"},
		"back after the cool-down":     {"0s w, 70s -, 1000s w", "0s fires, 1m10s resolved, 16m40s fires"},
		"worse":                        {"0s w, 2s c, 4s w, 6s c", "0s fires, 2s fires, 6s fires"},
		"worse within the cool-down":   {"0s w, 70s -, 80s c", "0s fires, 1m10s resolved, 1m20s fires"},
		"it goes on":                   {"0s w, 4h w, 6h w, 8h w", "0s fires, 4h0m0s fires, 8h0m0s fires"},
		"nothing was found, ever":      {"0s -, 100s -", ""},
		"resolved trouble stays quiet": {"0s w, 70s -, 500s -, 10h -", "0s fires, 1m10s resolved"},
	} {
		t.Run(name, func(t *testing.T) {
			a := recall(nil, noon)
			var heard []string
			for _, look := range strings.Split(c.looks, ", ") {
				when, what, _ := strings.Cut(look, " ")
				after, err := time.ParseDuration(when)
				if err != nil {
					t.Fatal(err)
				}
				severity := map[string]notify.Severity{"w": notify.Warning, "c": notify.Critical}[what]
				var found []finding
				if severity != "" {
					found = []finding{{"rule", "x", severity, "it is bad"}}
				}
				kept, told := a.look(found, noon.Add(after))
				for _, one := range told {
					word := "fires"
					if !one.ResolvedAt.IsZero() {
						word = "resolved"
					}
					heard = append(heard, fmt.Sprint(after, " ", word))
				}
				// A leader that takes over here must go on in the same way.
				if len(kept) > 0 {
					a = recall(kept, noon.Add(after))
				}
			}
			if got := strings.Join(heard, ", "); got != c.want {
				t.Errorf("people hear %q, want %q", got, c.want)
			}
		})
	}
}

// However trouble comes and goes: nobody hears of a resolution of what they never
// heard of, nor twice within the cool-down of the same severity.
func TestAlarmsAreNotNoisy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, now := recall(nil, noon), noon
		firing, lastFired := false, time.Time{}
		for range rapid.IntRange(1, 200).Draw(t, "looks") {
			now = now.Add(time.Duration(rapid.IntRange(1, 600).Draw(t, "seconds")) * time.Second)
			var found []finding
			if rapid.Bool().Draw(t, "trouble") {
				found = []finding{{"rule", "", notify.Warning, "bad"}}
			}
			_, told := a.look(found, now)
			if len(told) > 1 {
				t.Fatal("told twice in one look")
			}
			for _, one := range told {
				resolved := !one.ResolvedAt.IsZero()
				switch {
				case resolved && !firing:
					t.Fatal("resolved what nobody heard of")
				case !resolved && now.Sub(lastFired) < coolDown:
					t.Fatalf("told %s after the last time", now.Sub(lastFired))
				case !resolved:
					lastFired = now
				}
				firing = !resolved
			}
		}
	})
}

func TestAlarmsTogether(t *testing.T) {
	a := recall([]store.Alert{{Rule: "b", Since: noon, NotifiedAt: noon, Severity: "warning"}}, noon)
	kept, told := a.look([]finding{{"c", "2", notify.Info, "x"}, {"c", "1", notify.Info, "x"}, {"a", "", notify.Critical, "x"}}, noon.Add(settleAfter))
	if len(kept) != 4 || len(told) != 4 || told[0].Rule != "a" || told[1].Rule != "b" || told[1].ResolvedAt.IsZero() || told[2].Subject != "1" {
		t.Errorf("kept %d, told %+v", len(kept), told)
	}
}
