package pgtest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFindBinaries(t *testing.T) {
	root := t.TempDir()
	install := func(dir string, programs ...string) string {
		dir = filepath.Join(root, dir)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, program := range programs {
			if err := os.WriteFile(filepath.Join(dir, program), nil, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	onlyServer := install("local", "postgres")
	complete := install("complete", "postgres", "initdb")
	install("versions/9/bin", "postgres", "initdb")
	newest := install("versions/17/bin", "postgres", "initdb")
	install("versions/18/bin", "psql")
	places := []string{filepath.Join(root, "versions/*/bin")}

	for _, test := range []struct {
		name, path, want string
		places           []string
	}{
		{"PATH comes first", complete, complete, places},
		{"a directory in PATH without initdb does not count", onlyServer, newest, places},
		{"the newest version with a server", "", newest, places},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := findBinaries(test.path, test.places)
			if err != nil || got != test.want {
				t.Errorf("got %q, %v; want %q", got, err, test.want)
			}
		})
	}

	t.Run("nothing found says what to install", func(t *testing.T) {
		_, err := findBinaries(onlyServer, nil)
		if err == nil || !strings.Contains(err.Error(), "nstall") || !strings.Contains(err.Error(), "postgresql") {
			t.Errorf("got %v", err)
		}
	})
}
