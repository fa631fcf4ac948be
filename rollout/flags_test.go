package rollout_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nlpcanary/nlpcanary/rollout"
)

func TestKillSwitch(t *testing.T) {
	s := at(rollout.HalfRollout)
	off := apply(t, s, rollout.SetFlag{Name: rollout.KillSwitch}, by(olga))
	if off.State.NewArchitectureEnabled() || off.State.EffectivePercentage() != 0 || !off.Changed || off.StageEntry {
		t.Errorf("killed, the state is %+v", off.State)
	}
	if r := off.State.Rollout; r.Stage != rollout.HalfRollout || r.Percentage != 50 || r.Epoch != off.State.Revision || !r.EpochSince.Equal(later) || !r.StageSince.Equal(start) {
		t.Errorf("killed, the rollout is %+v, want the same stage in a new epoch", r)
	}
	if off.Subject != "flag/"+rollout.KillSwitch || !strings.Contains(string(off.Before), `"enabled":true`) || !strings.Contains(string(off.After), `"enabled":false`) {
		t.Errorf("the audit would read %s: %s, %s", off.Subject, off.Before, off.After)
	}
	if flag, _ := off.State.Flag(rollout.KillSwitch); !flag.UpdatedAt.Equal(later) || !flag.CreatedAt.Equal(start) {
		t.Errorf("the flag's times are %+v", flag)
	}
	again := apply(t, off.State, rollout.SetFlag{Name: rollout.KillSwitch}, by(olga))
	if again.Changed || again.State.Revision != off.State.Revision {
		t.Errorf("killing again changed something: %+v", again)
	}
	on := apply(t, off.State, rollout.SetFlag{Name: rollout.KillSwitch, Enabled: true}, by(ann))
	if on.State.EffectivePercentage() != 50 || on.State.Rollout.Epoch != on.State.Revision {
		t.Errorf("revived, the rollout is %+v", on.State.Rollout)
	}
}

func TestAnUnknownFlagIsRefused(t *testing.T) {
	for _, name := range []string{"", "use_new_nlp_architecture", "a\x00\xff", strings.Repeat("ж", 1<<20)} {
		_, err := at(0).Apply(rollout.SetFlag{Name: name, Enabled: true}, by(ann))
		wantRefusal(t, err, rollout.CodeNotFound, "there is no flag", "list the flags")
		wantPrintable(t, err)
	}
}

func TestCreateFlag(t *testing.T) {
	no, yes := false, true
	for _, c := range []struct {
		name    string
		change  rollout.CreateFlag
		enabled bool
	}{
		{"off by default", rollout.CreateFlag{Name: "A.b-c_1"}, false},
		{"on by default", rollout.CreateFlag{Name: "a", DefaultValue: true, Category: "категория", Description: "two\nlines"}, true},
		{"on by default, off now", rollout.CreateFlag{Name: "a", DefaultValue: true, Enabled: &no}, false},
		{"off by default, on now", rollout.CreateFlag{Name: strings.Repeat("f", 100), Enabled: &yes}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			result := apply(t, at(0), c.change, by(ann))
			got, _ := result.State.Flag(c.change.Name)
			want := rollout.Flag{Name: c.change.Name, Enabled: c.enabled, Category: c.change.Category, Description: c.change.Description, DefaultValue: c.change.DefaultValue, CreatedAt: later, UpdatedAt: later}
			if got != want || string(result.Before) != "null" || result.Subject != "flag/"+c.change.Name {
				t.Errorf("flag is %+v, want %+v (%s was %s)", got, want, result.Subject, result.Before)
			}
		})
	}
	full := at(0)
	for i := len(full.Flags); i < rollout.MaxFlags; i++ {
		full.Flags = append(full.Flags, rollout.Flag{Name: fmt.Sprintf("Z%04d", i)})
	}
	for _, c := range []struct {
		name   string
		state  rollout.State
		change rollout.CreateFlag
		code   rollout.Code
		words  []string
	}{
		{"twice", at(0), rollout.CreateFlag{Name: rollout.KillSwitch}, rollout.CodeAlreadyExists, []string{rollout.KillSwitch + " exists already", "set it"}},
		{"no name", at(0), rollout.CreateFlag{}, rollout.CodeInvalid, []string{"name is 0 bytes", "1 to 100 ASCII letters"}},
		{"long name", at(0), rollout.CreateFlag{Name: strings.Repeat("f", 101)}, rollout.CodeInvalid, []string{"name is 101 bytes"}},
		{"name with a slash", at(0), rollout.CreateFlag{Name: "a/b"}, rollout.CodeInvalid, []string{"'/'"}},
		{"name of Cyrillic", at(0), rollout.CreateFlag{Name: "флаг"}, rollout.CodeInvalid, []string{"'ф'"}},
		{"long category", at(0), rollout.CreateFlag{Name: "a", Category: strings.Repeat("я", 101)}, rollout.CodeInvalid, []string{"category is 101 characters", "0 to 100"}},
		{"category of two lines", at(0), rollout.CreateFlag{Name: "a", Category: "a\nb"}, rollout.CodeInvalid, []string{"category contains a control character"}},
		{"long description", at(0), rollout.CreateFlag{Name: "a", Description: strings.Repeat("я", 1001)}, rollout.CodeInvalid, []string{"description is 1001 characters"}},
		{"too many", full, rollout.CreateFlag{Name: "a"}, rollout.CodeInvalid, []string{"1000 flags already", "reuse"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := c.state.Apply(c.change, by(ann))
			wantRefusal(t, err, c.code, c.words...)
		})
	}
}

func TestDirectFlags(t *testing.T) {
	s := must(must(at(rollout.Expanded), rollout.CreateFlag{Name: "beta"}), rollout.CreateFlag{Name: "alpha"})
	flags := func(change func(map[string]*rollout.Flag)) []rollout.Flag {
		byName := map[string]*rollout.Flag{}
		for _, f := range s.Flags {
			byName[f.Name] = &f
		}
		change(byName)
		var list []rollout.Flag
		for _, f := range byName {
			list = append(list, *f)
		}
		// As a database with a human collation sorts: USE_NEW… comes after beta.
		slices.SortFunc(list, func(a, b rollout.Flag) int {
			return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
		})
		return list
	}
	for _, c := range []struct {
		name          string
		found         []rollout.Flag
		subject       string
		before, after string
		enabled       bool
	}{
		{"killed by SQL", flags(func(f map[string]*rollout.Flag) { f[rollout.KillSwitch].Enabled = false }),
			"flag/" + rollout.KillSwitch, `{"USE_NEW_NLP_ARCHITECTURE":true}`, `{"USE_NEW_NLP_ARCHITECTURE":false}`, false},
		{"kill switch deleted: off", flags(func(f map[string]*rollout.Flag) { delete(f, rollout.KillSwitch) }),
			"flag/" + rollout.KillSwitch, `{"USE_NEW_NLP_ARCHITECTURE":true}`, `{}`, false},
		{"flag inserted", flags(func(f map[string]*rollout.Flag) { f["gamma"] = &rollout.Flag{Name: "gamma", Enabled: true} }),
			"flag/gamma", `{}`, `{"gamma":true}`, true},
		{"flag renamed: two changes", flags(func(f map[string]*rollout.Flag) { f["beta"].Name = "gamma" }),
			"flags", `{"beta":false}`, `{"gamma":false}`, true},
		{"two switched", flags(func(f map[string]*rollout.Flag) { f["beta"].Enabled, f["alpha"].Enabled = true, true }),
			"flags", `{"alpha":false,"beta":false}`, `{"alpha":true,"beta":true}`, true},
		{"another column only", flags(func(f map[string]*rollout.Flag) { f["beta"].Description = "new words" }),
			"flags", `{}`, `{}`, true},
		{"table emptied", nil,
			"flags", `{"USE_NEW_NLP_ARCHITECTURE":true,"alpha":false,"beta":false}`, `{}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			result := apply(t, s, rollout.DirectFlags{Found: c.found}, by(machine))
			if !result.Changed || result.Subject != c.subject || result.State.NewArchitectureEnabled() != c.enabled {
				t.Errorf("changed %t, subject %s, enabled %t; want true, %s, %t", result.Changed, result.Subject, result.State.NewArchitectureEnabled(), c.subject, c.enabled)
			}
			wantJSON(t, result.Before, c.before)
			wantJSON(t, result.After, c.after)
			for _, f := range c.found {
				if got, ok := result.State.Flag(f.Name); !ok || got != f {
					t.Errorf("flag %s is %+v (%t), want %+v as found", f.Name, got, ok, f)
				}
			}
			if moved := result.State.Rollout.Epoch == result.State.Revision; moved == c.enabled {
				t.Errorf("epoch is %d at revision %d, want a new one only for a turned kill switch", result.State.Rollout.Epoch, result.State.Revision)
			}
			kept := slices.Clone(result.State.Flags)
			for i := range c.found {
				c.found[i] = rollout.Flag{}
			}
			if diff := cmp.Diff(kept, result.State.Flags); diff != "" {
				t.Errorf("the state shares the caller's slice:\n%s", diff)
			}
		})
	}
	t.Run("nothing changed", func(t *testing.T) {
		result := apply(t, s, rollout.DirectFlags{Found: flags(func(map[string]*rollout.Flag) {})}, by(machine))
		if result.Changed || result.State.Revision != s.Revision {
			t.Errorf("finding the flags as they were raised the revision: %+v", result)
		}
	})
}

func TestADeletedKillSwitchCanBeCreatedAgain(t *testing.T) {
	s := withoutKillSwitch(at(rollout.Expanded))
	if d := planOf(s, false).Decide("user-1"); d.Reason != rollout.ReasonDisabled || d.Variant != rollout.Old {
		t.Errorf("without the kill switch the decision is %+v, want old and DISABLED", d)
	}
	s = must(s, rollout.CreateFlag{Name: rollout.KillSwitch, DefaultValue: true})
	if !s.NewArchitectureEnabled() {
		t.Error("the kill switch that was created again is off")
	}
}
