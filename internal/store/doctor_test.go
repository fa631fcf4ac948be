package store

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestDoctor(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		s := d.open(t)
		checks := map[string]Check{}
		for _, check := range s.Doctor(t.Context()) {
			t.Logf("%+v", check)
			checks[check.Name] = check
			// The tests' PostgreSQL is fast rather than durable.
			if !check.OK && (check.Name != "durability" || d.dialect == SQLite) {
				t.Errorf("%s: %s", check.Name, check.Detail)
			}
			if !check.OK && check.Hint == "" {
				t.Errorf("%s has no hint", check.Name)
			}
		}
		if len(checks) < 6 {
			t.Errorf("%d checks", len(checks))
		}
		if instances, err := s.Instances(t.Context()); err != nil || len(instances) != 0 {
			t.Errorf("instances = %v, %v", instances, err)
		}

		s.sql(t, "UPDATE nlpcanary_audit SET actor = 'eve'")
		if d.dialect == SQLite {
			if err := os.Chmod(s.at.path, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		bad := 0
		for _, check := range s.Doctor(t.Context()) {
			if (check.Name == "audit" || check.Name == "file") && !check.OK && check.Hint != "" {
				bad++
			}
		}
		if want := map[string]int{SQLite: 2, Postgres: 1}[d.dialect]; bad != want {
			t.Errorf("%d things were found, want %d", bad, want)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if checks := s.Doctor(t.Context()); len(checks) != 1 || checks[0].OK {
			t.Errorf("a closed store: %+v", checks)
		}
	})
}

func TestDoctorKnowsBadClocks(t *testing.T) {
	for source, want := range map[string]struct{ ok, slow bool }{
		"tsc":             {ok: true},
		"kvm-clock":       {ok: true},
		"hpet":            {ok: true, slow: true},
		"acpi_pm":         {ok: true, slow: true},
		"jiffies":         {},
		"refined-jiffies": {},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "current_clocksource"), []byte(source+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		check, known := checkClock(dir)
		if !known || check.OK != want.ok || check.OK != (check.Hint == "") || strings.Contains(check.Detail, "slow") != want.slow {
			t.Errorf("%s: %+v", source, check)
		}
	}
	if check, known := checkClock(t.TempDir()); known {
		t.Errorf("a machine that does not say: %+v", check)
	}
}

func TestDoctorSeesLittleSpace(t *testing.T) {
	for free, ok := range map[uint64]bool{0: false, littleSpace - 1: false, littleSpace: true, 1 << 50: true} {
		if check := spaceCheck(free); check.OK != ok || check.OK != (check.Hint == "") {
			t.Errorf("%d bytes: %+v", free, check)
		}
	}
	if _, _, err := freeSpace(filepath.Join(t.TempDir(), "gone")); err == nil && runtime.GOOS == "linux" {
		t.Error("a directory that is not there has space")
	}
}
