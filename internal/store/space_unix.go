//go:build linux || darwin

package store

import (
	"fmt"
	"syscall"
)

// freeSpace is how many bytes this user may still write below a directory.
func freeSpace(dir string) (bytes uint64, known bool, err error) {
	var disk syscall.Statfs_t
	if err := syscall.Statfs(dir, &disk); err != nil {
		return 0, false, fmt.Errorf("looking for free space: %w", err)
	}
	return disk.Bavail * uint64(disk.Bsize), true, nil
}
