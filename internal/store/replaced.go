package store

import (
	"database/sql"
	"os"
	"sync"
)

// replacement notices that another file was put in the place of an SQLite database.
// The connections would go on with the file that has gone from the directory: an
// instance would renew its lease where nobody can roll it back.
type replacement struct {
	mu     sync.Mutex
	opened os.FileInfo // nil where it is not known
	// closing says that connections to the old file may be left.
	closing bool
}

// noticeReplacement must be called before whatever must see the file that is there now.
func (s *Store) noticeReplacement() {
	if s.at.dialect != SQLite {
		return
	}
	r := &s.replaced
	r.mu.Lock()
	defer r.mu.Unlock()
	is, err := os.Stat(s.at.path)
	if same := err == nil && r.opened != nil && os.SameFile(is, r.opened); same {
		if r.closing && s.write.Stats().OpenConnections+s.read.Stats().OpenConnections == 0 {
			r.closing = false
			s.keepIdle()
		}
		return
	}
	// Each connection is closed when it comes back to its pool, and the next one opens
	// the file that is there then, if there is one.
	r.opened, r.closing = is, true
	for _, db := range []*sql.DB{s.write, s.read} {
		db.SetMaxIdleConns(-1)
	}
}
