package follow

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// String is the version as a person reads it.
func (v Version) String() string {
	text := fmt.Sprintf("revision %d", v.Revision)
	if v.FlagChanges > 0 {
		text += fmt.Sprintf(" with %d changes of flags", v.FlagChanges)
	}
	if v.Lineage > 0 {
		text += fmt.Sprintf(" of lineage %d", v.Lineage)
	}
	return text
}

// recall reads what an earlier run has seen. A memory that cannot be read is none: it
// must not keep an instance from serving for ever.
func (f *Follower) recall() {
	if f.config.Memory == "" {
		return
	}
	text, err := os.ReadFile(f.config.Memory)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err == nil {
		err = json.Unmarshal(text, &f.seen)
	}
	if err != nil {
		f.seen = Seen{}
		f.log.Warn("what was seen before the restart cannot be read: a database that went back meanwhile is not noticed", "error", err)
	}
	f.kept = f.seen
}

// keepMemory writes down what was seen last, if that is news. A failure is only told:
// the state holds all the same, and the next change tries again.
func (f *Follower) keepMemory() {
	if f.config.Memory == "" || f.kept == f.seen {
		return
	}
	f.kept = f.seen
	if err := writeWhole(f.config.Memory, f.seen); err != nil {
		f.log.Warn("what was seen cannot be kept for a restart", "error", err)
	}
}

// writeWhole replaces a file as a whole: a crash leaves the old one or the new one.
func writeWhole(path string, seen Seen) error {
	text, err := json.Marshal(seen)
	if err != nil {
		return err
	}
	draft, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = draft.Write(append(text, '\n'))
	err = errors.Join(err, draft.Sync(), draft.Close())
	if err == nil {
		err = os.Rename(draft.Name(), path)
	}
	if err != nil {
		_ = os.Remove(draft.Name()) // what is left of it is of no use
	}
	return err
}
