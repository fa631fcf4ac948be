package server

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nlpcanary/nlpcanary/outcome"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// maxSpool bounds the file, in bytes: more than a full outcome.Set takes.
const maxSpool = 192 << 20

// errSpoolFull says that the spool has its greatest size. What is in it stays good.
var errSpoolFull = errors.New("the spool is full")

// spool keeps the tallies of one producer on disk while the database is away, so that
// they are stored once it is back even if the process ended meanwhile. The file begins
// with the producer's name; then each record is a version of a tally, with its length
// and checksum. The last version of a tally counts, and what was cut off at the end by
// a crash is passed over. The store takes each version once, so it does no harm that a
// tally is both in the spool and shipped.
type spool struct {
	path     string // empty for no spool
	producer string
	// written is which version of each tally the file has.
	written map[outcome.Key]int64
	size    int64
}

const spoolMagic = "nlpcanary spool 1\n"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// spoolPrefix is how the names of this installation's spools begin.
func spoolPrefix(config Config) string {
	if config.Database == "" {
		return ""
	}
	dir, name := config.StateDir, "nlpcanary"
	if path, isFile := strings.CutPrefix(config.Database, "sqlite:"); isFile {
		name = filepath.Base(path)
		dir = cmp.Or(dir, filepath.Dir(path))
	}
	return filepath.Join(dir, name+".outcomes-")
}

const spoolSuffix = ".spool"

func newSpool(prefix, producer string) *spool {
	s := &spool{producer: producer}
	if prefix != "" {
		s.path = prefix + producer + spoolSuffix
	}
	return s
}

// keep adds the versions that the file does not have, durably.
func (s *spool) keep(list []outcome.Shipment) error {
	if s.path == "" {
		return nil
	}
	if _, err := os.Stat(s.path); errors.Is(err, fs.ErrNotExist) {
		s.written, s.size = nil, 0 // somebody else shipped it, or this is the first
	}
	if s.written == nil {
		return s.rewrite(list)
	}
	var more []byte
	for _, shipment := range list {
		if s.written[shipment.Key] < shipment.Seq {
			more = appendSpooled(more, shipment)
		}
	}
	if len(more) == 0 {
		return nil
	}
	if s.size+int64(len(more)) > maxSpool {
		return s.rewrite(list)
	}
	file, err := os.OpenFile(s.path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("spooling outcomes: %w", err)
	}
	_, err = file.Write(more)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		s.written = nil // a part may be there: begin anew next time
		return fmt.Errorf("spooling outcomes: %w", err)
	}
	s.note(list, int64(len(more)))
	return nil
}

func (s *spool) note(list []outcome.Shipment, more int64) {
	for _, shipment := range list {
		s.written[shipment.Key] = max(s.written[shipment.Key], shipment.Seq)
	}
	s.size += more
}

// rewrite writes a new file, of these versions only, in place of the old one.
func (s *spool) rewrite(list []outcome.Shipment) error {
	content := append([]byte(spoolMagic), byte(len(s.producer)))
	content = append(content, s.producer...)
	for _, shipment := range list {
		content = appendSpooled(content, shipment)
	}
	if len(content) > maxSpool {
		return errSpoolFull
	}
	file, err := os.CreateTemp(filepath.Dir(s.path), filepath.Base(s.path)+".new-*")
	if err != nil {
		return fmt.Errorf("spooling outcomes: %w", err)
	}
	_, err = file.Write(content)
	err = errors.Join(err, file.Sync(), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), s.path)
	}
	if err != nil {
		return fmt.Errorf("spooling outcomes: %w", errors.Join(err, os.Remove(file.Name())))
	}
	s.written, s.size = map[outcome.Key]int64{}, 0
	s.note(list, int64(len(content)))
	return nil
}

// clear removes the file: the store has everything.
func (s *spool) clear() error {
	if s.written == nil {
		return nil
	}
	s.written, s.size = nil, 0
	if err := os.Remove(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing the spool: %w", err)
	}
	return nil
}

func appendSpooled(b []byte, s outcome.Shipment) []byte {
	var p []byte
	for _, text := range []string{s.Key.Rollout, string(s.Key.Variant), string(s.Key.Region)} {
		p = append(binary.AppendUvarint(p, uint64(len(text))), text...)
	}
	for _, n := range []int64{s.Key.Epoch, int64(s.Key.Minute), s.Seq} {
		p = binary.AppendVarint(p, n)
	}
	p = append(p, s.Data...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(p)))
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(p, castagnoli))
	return append(b, p...)
}

// readSpool reads a spool's whole records, the last version of each tally, by minute;
// false if it is no spool.
func readSpool(content []byte) (producer string, list []outcome.Shipment, ok bool) {
	rest, found := bytes.CutPrefix(content, []byte(spoolMagic))
	if !found || len(rest) == 0 || len(rest) < 1+int(rest[0]) || rest[0] == 0 {
		return "", nil, false
	}
	producer, rest = string(rest[1:1+rest[0]]), rest[1+rest[0]:]
	last := map[outcome.Key]outcome.Shipment{}
	for len(rest) >= 8 {
		size, sum := int64(binary.LittleEndian.Uint32(rest)), binary.LittleEndian.Uint32(rest[4:])
		if size > int64(len(rest)-8) {
			break
		}
		p := rest[8 : 8+size]
		shipment, whole := readSpooled(p)
		if crc32.Checksum(p, castagnoli) != sum || !whole {
			break
		}
		if shipment.Seq > last[shipment.Key].Seq {
			last[shipment.Key] = shipment
		}
		rest = rest[8+size:]
	}
	for _, shipment := range last {
		list = append(list, shipment)
	}
	slices.SortFunc(list, func(a, b outcome.Shipment) int { return cmp.Compare(a.Key.Minute, b.Key.Minute) })
	return producer, list, true
}

func readSpooled(p []byte) (s outcome.Shipment, whole bool) {
	var texts [3]string
	for i := range texts {
		n, size := binary.Uvarint(p)
		if size <= 0 || n > uint64(len(p)-size) {
			return s, false
		}
		texts[i], p = string(p[size:size+int(n)]), p[size+int(n):]
	}
	var numbers [3]int64
	for i := range numbers {
		n, size := binary.Varint(p)
		if size <= 0 {
			return s, false
		}
		numbers[i], p = n, p[size:]
	}
	if new(outcome.Tally).UnmarshalBinary(p) != nil || numbers[2] < 1 {
		return s, false
	}
	s.Key = outcome.Key{Rollout: texts[0], Variant: rollout.Variant(texts[1]), Region: rollout.Region(texts[2]), Epoch: numbers[0], Minute: outcome.Minute(numbers[1])}
	s.Seq, s.Data = numbers[2], p
	return s, true
}

// leftBehind lists the spools of processes that ended while the database was away.
func leftBehind(prefix, own string) []string {
	if prefix == "" {
		return nil
	}
	entries, err := os.ReadDir(filepath.Dir(prefix))
	if err != nil {
		return nil // there is no directory, and so nothing in it
	}
	var list []string
	for _, entry := range entries {
		path := filepath.Join(filepath.Dir(prefix), entry.Name())
		if strings.HasPrefix(path, prefix) && strings.HasSuffix(path, spoolSuffix) && path != own {
			list = append(list, path)
		}
	}
	return list
}

// adoptBatch bounds a transaction; on SQLite renewals of the lease wait for it.
const adoptBatch = 100

// adopt ships a spool that was left behind, under its producer's name, and removes it.
// It may be shipped by two instances at once.
func adopt(ctx context.Context, path string, put func(context.Context, string, []outcome.Shipment) error) error {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading a spool: %w", err)
	}
	producer, list, ok := readSpool(content)
	if !ok {
		return nil // not ours, or begun by a crash: there is nothing to save in it
	}
	for part := range slices.Chunk(list, adoptBatch) { // in order of time, see Store.PutTallies
		if err := put(ctx, producer, part); err != nil {
			return fmt.Errorf("storing spooled outcomes: %w", err)
		}
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("removing a spool: %w", err)
	}
	return nil
}
