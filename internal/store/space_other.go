//go:build !(linux || darwin)

package store

// freeSpace is not known here.
func freeSpace(string) (bytes uint64, known bool, err error) { return 0, false, nil }
