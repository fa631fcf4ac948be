package rollout_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nlpcanary/nlpcanary/rollout"
)

var allStages = []rollout.Stage{rollout.Disabled, rollout.EarlyTesting, rollout.Expanded, rollout.HalfRollout, rollout.FullRollout}

// The stages are fixed points of the product: numbers, names, percentages, soak.
func TestStages(t *testing.T) {
	for _, c := range []struct {
		stage   rollout.Stage
		number  int
		name    string
		percent rollout.Percent
		soak    time.Duration
	}{
		{rollout.Disabled, 0, "DISABLED", 0, 24 * time.Hour},
		{rollout.EarlyTesting, 1, "EARLY_TESTING", 5, 48 * time.Hour},
		{rollout.Expanded, 2, "EXPANDED", 25, 72 * time.Hour},
		{rollout.HalfRollout, 3, "HALF_ROLLOUT", 50, 168 * time.Hour},
		{rollout.FullRollout, 4, "FULL_ROLLOUT", 100, 0},
	} {
		if int(c.stage) != c.number || c.stage.String() != c.name || c.stage.Percentage() != c.percent || c.stage.Soak() != c.soak || !c.stage.Valid() {
			t.Errorf("stage %d is %s, %d %%, soak %s, valid %t; want %+v", c.stage, c.stage, c.stage.Percentage(), c.stage.Soak(), c.stage.Valid(), c)
		}
	}
	for _, s := range []rollout.Stage{-1, 5, 7, 1 << 40} {
		if s.Valid() || s.Percentage() != 0 || s.Soak() != 0 || !strings.Contains(s.String(), strconv.Itoa(int(s))) {
			t.Errorf("stage %d: valid %t, %d %%, soak %s, named %s; want an invalid stage of 0 %%, named by its number", int(s), s.Valid(), s.Percentage(), s.Soak(), s)
		}
	}
}

func TestParseStage(t *testing.T) {
	for text, want := range map[string]rollout.Stage{
		"0": rollout.Disabled, "4": rollout.FullRollout, " 2 ": rollout.Expanded,
		"DISABLED": rollout.Disabled, "early_testing": rollout.EarlyTesting, "Half_Rollout\n": rollout.HalfRollout,
	} {
		if got, err := rollout.ParseStage(text); err != nil || got != want {
			t.Errorf("ParseStage(%q) = %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", " ", "-1", "5", "7", "02", "+2", "2.0", "0x2", "EARLY TESTING", "EARLY", "STAGE(1)", "٢", strings.Repeat("9", 1<<20), "\x00", "\xff"} {
		got, err := rollout.ParseStage(text)
		wantRefusal(t, err, rollout.CodeInvalid, "is not a stage", "0 DISABLED, 1 EARLY_TESTING, 2 EXPANDED, 3 HALF_ROLLOUT and 4 FULL_ROLLOUT")
		if got != 0 || len(err.Error()) > 500 {
			t.Errorf("ParseStage(%.20q) = %s and an error of %d bytes", text, got, len(err.Error()))
		}
	}
}

func FuzzParseStage(f *testing.F) {
	for _, text := range []string{"0", "4", "5", "-1", "EXPANDED", "expanded", " half_rollout ", "FULL ROLLOUT", "", "\xff", "9999999999999999999999"} {
		f.Add(text)
	}
	byName := map[string]rollout.Stage{}
	for i, s := range allStages {
		byName[strconv.Itoa(i)], byName[s.String()] = s, s
	}
	f.Fuzz(func(t *testing.T, text string) {
		want, valid := byName[strings.ToUpper(strings.TrimSpace(text))]
		got, err := rollout.ParseStage(text)
		if (err == nil) != valid || got != want {
			t.Fatalf("ParseStage(%q) = %s, %v; want %s, valid: %t", text, got, err, want, valid)
		}
	})
}

func TestParseVariant(t *testing.T) {
	for _, v := range []rollout.Variant{rollout.Old, rollout.New} {
		if got, err := rollout.ParseVariant(string(v)); err != nil || got != v {
			t.Errorf("ParseVariant(%q) = %q, %v", v, got, err)
		}
	}
	for _, text := range []string{"", "OLD", "new ", "ensemble", strings.Repeat("n", 1<<20), "a\x00b\xff", strings.Repeat("ж", 100)} {
		got, err := rollout.ParseVariant(text)
		wantRefusal(t, err, rollout.CodeInvalid, "is not an architecture", "old and new")
		wantPrintable(t, err)
		if got != "" {
			t.Errorf("ParseVariant(%.20q) = %q beside its error", text, got)
		}
	}
}

func TestParseRole(t *testing.T) {
	for _, r := range allRoles {
		if got, err := rollout.ParseRole(string(r)); err != nil || got != r {
			t.Errorf("ParseRole(%q) = %q, %v", r, got, err)
		}
	}
	for _, text := range []string{"", "Admin", "root", "admin ", "a\x00b\xff", strings.Repeat("ж", 100)} {
		got, err := rollout.ParseRole(text)
		wantRefusal(t, err, rollout.CodeInvalid, "is not a role", "client, viewer, operator and admin")
		wantPrintable(t, err)
		if got != "" {
			t.Errorf("ParseRole(%.20q) = %q beside its error", text, got)
		}
	}
}

func TestParseRegion(t *testing.T) {
	for _, text := range []string{"", "eu", "eu-central-1.a_B", strings.Repeat("r", 64)} {
		if got, err := rollout.ParseRegion(text); err != nil || string(got) != text {
			t.Errorf("ParseRegion(%q) = %q, %v", text, got, err)
		}
	}
	for text, wrong := range map[string]string{
		"eu west":               "' '",
		"eu/west":               "'/'",
		"ев":                    "'е'",
		"\x00":                  `'\x00'`,
		"\xff":                  "region contains",
		strings.Repeat("r", 65): "65 bytes",
	} {
		got, err := rollout.ParseRegion(text)
		wantRefusal(t, err, rollout.CodeInvalid, wrong, "0 to 64 ASCII letters, digits, '-', '_' or '.'")
		wantPrintable(t, err)
		if got != "" {
			t.Errorf("ParseRegion(%q) = %q beside its error", text, got)
		}
	}
}

func TestSpan(t *testing.T) {
	const day = 24 * time.Hour
	for d, want := range map[time.Duration]string{
		-time.Hour:                            "0s",
		0:                                     "0s",
		499 * time.Millisecond:                "0s",
		500 * time.Millisecond:                "1s",
		59*time.Second + 600*time.Millisecond: "1m",
		90 * time.Second:                      "1m 30s",
		41*time.Minute + 10*time.Second:       "41m 10s",
		time.Hour:                             "1h",
		time.Hour + 59*time.Second:            "1h",
		25 * time.Hour:                        "1d 1h",
		day + 59*time.Minute:                  "1d",
		6*day + 23*time.Hour + 59*time.Minute: "6d 23h",
		168 * time.Hour:                       "7d",
	} {
		if got := rollout.Span(d); got != want {
			t.Errorf("Span(%s) = %q, want %q", d, got, want)
		}
	}
}
