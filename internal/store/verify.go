package store

import (
	"context"
	"fmt"
	"math"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/nlpcanary/nlpcanary/internal/store/gen"
)

// VerifyAudit checks the whole log against itself, the state and the history; and,
// if head is an earlier answer of [Store.AuditHead], that today's log extends it.
//
// A log rewritten whole by somebody who can write the database is consistent with
// itself. Only a head kept elsewhere shows that.
func (s *Store) VerifyAudit(ctx context.Context, head string) (AuditReport, error) {
	var earlier *tlog.Tree
	headProblem := ""
	if head != "" {
		tree, problem, err := s.openHead(head)
		if err != nil {
			return AuditReport{}, err
		}
		earlier, headProblem = &tree, problem
	}
	var report AuditReport
	err := again(ctx, func() error {
		v := &verification{head: earlier, headProblem: headProblem}
		return s.snapshot(ctx, "verifying the audit trail", func(q *gen.Queries) error {
			row, err := q.Snapshot(ctx)
			if err != nil {
				return failed("reading the state", err)
			}
			report, err = v.finish(ctx, q, row.Revision, row.Document)
			return err
		})
	})
	return report, err
}

// verifyEntries checks the entries that there are now; finish checks the rest.
func (s *Store) verifyEntries(ctx context.Context) (*verification, error) {
	v := &verification{}
	err := s.snapshot(ctx, "verifying the audit trail", func(q *gen.Queries) error { return v.run(ctx, q) })
	return v, err
}

// verification recomputes the tree from the entries, a page at a time. It can be
// continued where it stopped. Its zero value has seen nothing.
type verification struct {
	entries  int64      // seen and sound
	last     AuditEntry // the last of them
	peaks    []peak     // the roots of the complete subtrees so far, largest first
	firstBad int64
	problem  string
	// head is an earlier tree that this one must extend; nil if there is none.
	head        *tlog.Tree
	headProblem string // why the head itself is not to be believed
	atHead      tlog.Hash
}

type peak struct {
	level int
	hash  tlog.Hash
}

const pageSize = 1000

func (v *verification) bad(revision int64, format string, args ...any) {
	if v.problem == "" {
		v.firstBad, v.problem = revision, fmt.Sprintf(format, args...)
	}
}

// run checks all entries after those seen already, up to the first that is wrong.
func (v *verification) run(ctx context.Context, q *gen.Queries) error {
	for v.problem == "" {
		after := v.entries
		if v.entries == 0 {
			after = math.MinInt64 // revisions below 1 do not belong there either
		}
		rows, err := q.NextAudits(ctx, gen.NextAuditsParams{After: after, Most: pageSize})
		if err != nil {
			return failed("reading the audit trail", err)
		}
		if len(rows) == 0 {
			return nil
		}
		hashes, err := v.pageOfHashes(ctx, q, int64(len(rows)))
		if err != nil {
			return err
		}
		history, err := historyBetween(ctx, q, v.entries+1, v.entries+int64(len(rows)))
		if err != nil {
			return err
		}
		for _, row := range rows {
			if err := v.add(ctx, q, row, hashes); err != nil {
				return err
			}
			if v.problem == "" {
				v.checkEntry(history[row.Revision])
			}
			if v.problem != "" {
				return nil
			}
		}
	}
	return nil
}

// pageOfHashes reads the stored hashes of the next n entries.
func (v *verification) pageOfHashes(ctx context.Context, q *gen.Queries, n int64) (map[int64][]byte, error) {
	first, end := tlog.StoredHashIndex(0, v.entries), tlog.StoredHashIndex(0, v.entries+n)
	rows, err := q.NextAuditHashes(ctx, gen.NextAuditHashesParams{First: first, Most: int32(end - first)})
	if err != nil {
		return nil, failed("reading the audit trail's hashes", err)
	}
	hashes := make(map[int64][]byte, len(rows))
	for _, row := range rows {
		hashes[row.Idx] = row.Hash
	}
	return hashes, nil
}

// add checks the next entry and takes it into the tree.
func (v *verification) add(ctx context.Context, q *gen.Queries, row gen.NlpcanaryAudit, hashes map[int64][]byte) error {
	revision := v.entries + 1
	switch {
	case row.Revision > revision:
		v.bad(revision, "the entry of revision %d is missing", revision)
		return nil
	case row.Revision < revision: // below 1: the first page begins at the lowest
		v.bad(row.Revision, "an entry with revision %d was inserted; revisions begin at 1", row.Revision)
		return nil
	}
	entry, err := entryOf(row)
	if err != nil {
		v.bad(revision, "the entry was changed: %v", err)
		return nil
	}
	index := tlog.StoredHashIndex(0, revision-1)
	leaf := entry.leaf()
	if string(leaf[:]) != string(row.Leaf) || string(leaf[:]) != string(hashes[index]) {
		return v.explain(ctx, q, entry, row, hashes[index])
	}
	for i, hash := range v.grow(leaf) {
		if string(hash[:]) != string(hashes[index+int64(i)]) {
			v.bad(revision, "the stored hash %d, which this entry completed, is %s", index+int64(i), missingOr(hashes[index+int64(i)], "not the one that the entries give"))
			return nil
		}
	}
	v.entries, v.last = revision, entry
	if v.head != nil && v.head.N == revision {
		v.atHead = v.root()
	}
	return nil
}

// explain says in which way an entry does not fit its hashes.
func (v *verification) explain(ctx context.Context, q *gen.Queries, entry AuditEntry, row gen.NlpcanaryAudit, stored []byte) error {
	leaf := entry.leaf()
	switch {
	case string(leaf[:]) == string(row.Leaf) && stored == nil:
		v.bad(entry.Revision, "the entry's hash is missing from the tree")
		return nil
	case string(leaf[:]) == string(row.Leaf):
		v.bad(entry.Revision, "the entry and its own hash were changed: the tree holds another hash")
		return nil
	}
	// Does it fit another place? Then entries were exchanged.
	newest, err := q.ListAuditNewest(ctx, gen.ListAuditNewestParams{Before: math.MaxInt64, After: math.MinInt64, Most: 1})
	if err != nil {
		return failed("reading the audit trail", err)
	}
	for other := int64(1); len(newest) > 0 && other <= newest[0].Revision+1; other++ {
		moved := entry
		moved.Revision = other
		if hash := moved.leaf(); string(hash[:]) == string(row.Leaf) {
			v.bad(entry.Revision, "the entries were reordered: this one was written as revision %d", other)
			return nil
		}
	}
	v.bad(entry.Revision, "the entry was changed: it does not fit its hash")
	return nil
}

// grow adds a leaf to the tree and returns the hashes that it adds to the store: its
// own, and those of the subtrees that it completes.
func (v *verification) grow(leaf tlog.Hash) []tlog.Hash {
	added := []tlog.Hash{leaf}
	p := peak{0, leaf}
	for n := len(v.peaks); n > 0 && v.peaks[n-1].level == p.level; n-- {
		p = peak{p.level + 1, tlog.NodeHash(v.peaks[n-1].hash, p.hash)}
		v.peaks = v.peaks[:n-1]
		added = append(added, p.hash)
	}
	v.peaks = append(v.peaks, p)
	return added
}

// root is the hash of the whole tree so far.
func (v *verification) root() tlog.Hash {
	if len(v.peaks) == 0 {
		return tlog.RecordHash(nil) // never of a database that was initialised
	}
	hash := v.peaks[len(v.peaks)-1].hash
	for i := len(v.peaks) - 2; i >= 0; i-- {
		hash = tlog.NodeHash(v.peaks[i].hash, hash)
	}
	return hash
}

// finish checks what is left: new entries, the log's end, the state, the history and
// the head. It must run on the same view of the database as revision and document.
func (v *verification) finish(ctx context.Context, q *gen.Queries, revision int64, document string) (AuditReport, error) {
	if err := v.run(ctx, q); err != nil {
		return AuditReport{}, err
	}
	if v.problem == "" {
		if err := v.checkEnd(ctx, q, revision, document); err != nil {
			return AuditReport{}, err
		}
	}
	report := AuditReport{Entries: v.entries, Root: v.root().String()}
	if v.head != nil && v.problem == "" {
		report.Extends = v.checkHead()
	}
	report.FirstBad, report.Problem = v.firstBad, v.problem
	report.OK = v.problem == ""
	return report, nil
}

func (v *verification) checkEnd(ctx context.Context, q *gen.Queries, revision int64, document string) error {
	switch {
	case revision > v.entries:
		v.bad(v.entries+1, "the log was cut: its last entry is of revision %d, and the state is at revision %d", v.entries, revision)
		return nil
	case revision < v.entries:
		v.bad(revision+1, "an entry was inserted: the state is at revision %d", revision)
		return nil
	case digestOf(document) != v.last.StateDigest:
		v.bad(revision, "the state was changed behind the log's back: it does not fit the digest in the last entry")
		return nil
	}
	extra, err := q.NextAuditHashes(ctx, gen.NextAuditHashesParams{First: tlog.StoredHashIndex(0, v.entries), Most: 1})
	if err != nil {
		return failed("reading the audit trail's hashes", err)
	}
	if len(extra) > 0 {
		v.bad(revision, "there is a stored hash %d after the last entry", extra[0].Idx)
		return nil
	}
	return v.checkHistoryAfterEnd(ctx, q)
}

// checkHead reports whether the log extends the earlier head.
func (v *verification) checkHead() bool {
	switch {
	case v.headProblem != "":
		v.bad(0, "%s", v.headProblem)
	case v.head.N > v.entries:
		v.bad(v.entries+1, "the log was cut: the signed head has %d entries and the log has %d", v.head.N, v.entries)
	case v.atHead != v.head.Hash:
		v.bad(0, "the log was rewritten: its first %d entries are not those of the signed head", v.head.N)
	default:
		return true
	}
	return false
}

func missingOr(hash []byte, otherwise string) string {
	if hash == nil {
		return "missing"
	}
	return otherwise
}
