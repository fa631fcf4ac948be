//go:build !unix

package bound

import "os"

// Elsewhere a process cannot be stopped and continued.
const canStop = false

func stopProcess(*os.Process) error     { return nil }
func continueProcess(*os.Process) error { return nil }
