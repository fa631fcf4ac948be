package store

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// littleSpace is how much free space is too little: days of audit trail and tallies,
// so that there is time to make room.
const littleSpace = 100 << 20 // bytes

// checkSpace looks at the disk under an SQLite database. PostgreSQL's disk is its
// server's affair, and cannot be seen from here.
func (s *Store) checkSpace() (check Check, known bool) {
	free, known, err := freeSpace(filepath.Dir(s.at.path))
	if err != nil {
		return broken("space", err, ""), true
	}
	return spaceCheck(free), known
}

func spaceCheck(free uint64) Check {
	check := Check{Name: "space", OK: free >= littleSpace, Detail: fmt.Sprintf("%d MB are free", free>>20)}
	if !check.OK {
		check.Hint = "make room: on a full disk no change can be written and no lease be renewed, and everyone is sent to old"
	}
	return check
}

// clockSources is where Linux says what its clock reads.
const clockSources = "/sys/devices/system/clocksource/clocksource0"

// checkClock looks at the clock of this machine, by which leases are counted. Only
// Linux says what its clock is.
func checkClock(dir string) (check Check, known bool) {
	text, err := os.ReadFile(filepath.Join(dir, "current_clocksource"))
	if err != nil {
		return Check{}, false
	}
	source := strings.TrimSpace(string(text))
	check = Check{Name: "clock", OK: true, Detail: "this machine's clock source is " + source}
	switch source {
	case "jiffies", "refined-jiffies":
		// They count interrupts, and a virtual machine that is not scheduled misses some.
		check.OK = false
		check.Hint = "a clock that counts timer interrupts can lose time, and a lease last too long: choose another from " + filepath.Join(clockSources, "available_clocksource")
	case "hpet", "acpi_pm":
		check.Detail += ", which is right but slow to read: decisions take longer"
	}
	return check, true
}
