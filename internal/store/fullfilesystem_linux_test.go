package store

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

const smallDiskAt = "NLPCANARY_TEST_SMALL_DISK"

// A real file system without space. It is mounted in a namespace of its own, where
// an ordinary user may do so and from which nothing is left; so this test runs in a
// child process. Where the kernel forbids such namespaces, TestFullDatabase
// has to do.
func TestFullFileSystem(t *testing.T) {
	if dir := os.Getenv(smallDiskAt); dir != "" {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
			t.Skipf("mounting a file system: %v", err)
		}
		wantSurvivesFullDisk(t, smallDisk(t, dir))
		return
	}
	child := exec.Command(os.Args[0], "-test.run=^TestFullFileSystem$", "-test.count=1", "-test.v")
	child.Env = append(os.Environ(), smallDiskAt+"="+t.TempDir())
	child.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	output, err := child.CombinedOutput()
	t.Logf("%s", output)
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended):
		t.Error(err)
	case err != nil:
		t.Skipf("a process with namespaces of its own: %v", err)
	case bytes.Contains(output, []byte("--- SKIP")):
		t.Skip("no file system could be mounted")
	case !bytes.Contains(output, []byte("--- PASS")):
		t.Error("the child tested nothing")
	}
}
