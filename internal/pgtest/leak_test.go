//go:build unix

package pgtest

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// endVariable makes the test binary, run again by TestNothingOutlivesTheTests,
// start a cluster and end in the way it names.
const endVariable = "PGTEST_END"

func TestNothingOutlivesTheTests(t *testing.T) {
	if how := os.Getenv(endVariable); how != "" {
		startAndEnd(t, how)
		return
	}
	for _, how := range []string{"return", "panic", "exit", "killed", "interrupted"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			dir, pid := runChild(t, how)
			deadline := time.Now().Add(30 * time.Second)
			for !gone(dir) {
				if time.Now().After(deadline) {
					t.Fatalf("after 30 s %s is still there", dir)
				}
				time.Sleep(20 * time.Millisecond)
			}
			// The directory goes last, after the server.
			if err := syscall.Kill(pid, 0); err == nil && !zombie(pid) {
				t.Errorf("the server, process %d, is still there", pid)
			}
		})
	}
}

// startAndEnd is the child's part: it names its cluster on standard output and
// ends.
func startAndEnd(t *testing.T, how string) {
	c := Start(t)
	c.NewDatabase(t)
	os.Stdout.WriteString("cluster " + c.dir + " " + strconv.Itoa(c.server.pid()) + "\n")
	switch how {
	case "return":
	case "panic":
		panic("on purpose")
	case "exit":
		os.Exit(3)
	case "killed":
		signalSelf(t, syscall.SIGKILL)
	case "interrupted":
		signalSelf(t, syscall.SIGINT)
	}
}

func signalSelf(t *testing.T, sig syscall.Signal) {
	if err := syscall.Kill(os.Getpid(), sig); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Minute) // delivery takes a moment
}

func runChild(t *testing.T, how string) (dir string, pid int) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestNothingOutlivesTheTests$")
	cmd.Env = append(os.Environ(), endVariable+"="+how)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) == 3 && fields[0] == "cluster" {
			dir = fields[1]
			pid, err = strconv.Atoi(fields[2])
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := cmd.Wait(); (err == nil) != (how == "return") {
		t.Errorf("the child ended with %v", err)
	}
	if dir == "" {
		t.Fatal("the child started no cluster")
	}
	return dir, pid
}

func gone(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// zombie reports whether a process has ended and merely waits for a parent to
// ask how, as orphans do in containers whose first process does not ask.
func zombie(pid int) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	return err == nil && strings.Contains(string(stat), ") Z ")
}
