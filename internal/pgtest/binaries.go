package pgtest

import (
	"cmp"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// usualPlaces are where PostgreSQL's server programs live when they are not in
// PATH: Debian and Ubuntu, Red Hat, Homebrew, and a build from source.
var usualPlaces = []string{
	"/usr/lib/postgresql/*/bin",
	"/usr/pgsql-*/bin",
	"/opt/homebrew/opt/postgresql*/bin",
	"/usr/local/opt/postgresql*/bin",
	"/usr/local/pgsql/bin",
}

// findBinaries returns the directory that holds both postgres and initdb: the
// first in searchPath (PATH's value), else the newest version in places. Both
// must come from one directory, so that their versions agree.
func findBinaries(searchPath string, places []string) (string, error) {
	dirs := filepath.SplitList(searchPath)
	for _, place := range places {
		found, err := filepath.Glob(place)
		if err != nil {
			return "", err
		}
		slices.SortFunc(found, func(a, b string) int { return cmp.Compare(version(b), version(a)) })
		dirs = append(dirs, found...)
	}
	for _, dir := range dirs {
		if filepath.IsAbs(dir) && executable(filepath.Join(dir, "postgres")) && executable(filepath.Join(dir, "initdb")) {
			return dir, nil
		}
	}
	return "", errors.New("PostgreSQL's server programs (postgres and initdb) are neither in PATH nor in the usual places.\n" +
		"Install them, or let ./scripts/test do it on Debian and Ubuntu:\n  " + installHint())
}

func installHint() string {
	switch runtime.GOOS {
	case "darwin":
		return "brew install postgresql@17"
	case "linux":
		return "Debian, Ubuntu: apt-get install --no-install-recommends postgresql\n  " +
			"Fedora, RHEL:   dnf install postgresql-server\n  " +
			"Alpine:         apk add postgresql\n  " +
			"Arch:           pacman -S postgresql"
	default:
		return "see https://www.postgresql.org/download/"
	}
}

// version reads the major version out of a directory such as
// /usr/lib/postgresql/15/bin; 0 when there is none.
func version(dir string) int {
	digits := strings.TrimFunc(filepath.Base(filepath.Dir(dir)), func(r rune) bool { return r < '0' || r > '9' })
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 0
	}
	return n
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}
