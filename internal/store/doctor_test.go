package store

import (
	"os"
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
