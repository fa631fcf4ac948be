package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/nlpcanary/nlpcanary/internal/store/gen"
	"github.com/nlpcanary/nlpcanary/rollout"
)

// The audit trail is a Merkle tree (RFC 6962, by golang.org/x/mod/sumdb/tlog). Leaf
// i is revision i+1. A leaf's hash is tlog.RecordHash of the canonical encoding
// below; the inner hashes are kept in nlpcanary_audit_hashes by their stored index.

// canonical is the text whose hash is an entry's leaf. It is the line
// "nlpcanary audit entry v1" and then each field as its length in bytes, a colon,
// its bytes and a line feed, so that no two entries have the same text. The fields:
// revision, time (microseconds since 1970), actor, role, action, subject, before,
// after, note, number of warnings, each warning, source, state digest. Numbers are
// decimal; before and after are JSON as it is kept.
func (e AuditEntry) canonical() []byte {
	text := make([]byte, 0, 512)
	text = append(text, "nlpcanary audit entry v1\n"...)
	field := func(value string) {
		text = strconv.AppendInt(text, int64(len(value)), 10)
		text = append(text, ':')
		text = append(text, value...)
		text = append(text, '\n')
	}
	field(strconv.FormatInt(e.Revision, 10))
	field(strconv.FormatInt(e.At.UnixMicro(), 10))
	field(e.Actor)
	field(string(e.Role))
	field(string(e.Action))
	field(e.Subject)
	field(string(e.Before))
	field(string(e.After))
	field(e.Note)
	field(strconv.Itoa(len(e.Warnings)))
	for _, warning := range e.Warnings {
		field(warning)
	}
	field(string(e.Source))
	field(e.StateDigest)
	return text
}

// leaf is the entry's hash in the tree.
func (e AuditEntry) leaf() tlog.Hash { return tlog.RecordHash(e.canonical()) }

// writtenEntry is what is left to know of an entry that was written.
type writtenEntry struct {
	revision int64
	leaf     tlog.Hash
	warnings []string
}

// appendAudit writes an entry and its hashes. It gets through also where somebody
// has meddled with the tables: a broken log must never hold up a rollback.
func appendAudit(ctx context.Context, q *gen.Queries, e AuditEntry) (writtenEntry, error) {
	n, err := insertAudit(ctx, q, e)
	if err == nil && n == 0 {
		// Somebody put an entry where this one belongs. What it said is kept.
		forged, getErr := q.GetAudit(ctx, e.Revision)
		if getErr != nil {
			return writtenEntry{}, failed("reading the audit trail", getErr)
		}
		e.Warnings = append(e.Warnings, fmt.Sprintf("an entry with this revision stood in the audit trail already and was replaced: %.100q by %.255q, note %.500q", forged.Action, forged.Actor, forged.Note))
		if err := q.RemoveForgedAudit(ctx, e.Revision); err != nil {
			return writtenEntry{}, failed("writing the audit trail", err)
		}
		_, err = insertAudit(ctx, q, e)
	}
	if err != nil {
		return writtenEntry{}, failed("writing the audit trail", err)
	}
	hashes, err := tlog.StoredHashesForRecordHash(e.Revision-1, e.leaf(), storedHashes(ctx, q))
	if err != nil {
		return writtenEntry{}, failed("reading the audit trail's hashes", err)
	}
	first := tlog.StoredHashIndex(0, e.Revision-1)
	for i, hash := range hashes {
		if err := q.PutAuditHash(ctx, gen.PutAuditHashParams{Idx: first + int64(i), Hash: hash[:]}); err != nil {
			return writtenEntry{}, failed("writing the audit trail's hashes", err)
		}
	}
	return writtenEntry{e.Revision, e.leaf(), e.Warnings}, nil
}

func insertAudit(ctx context.Context, q *gen.Queries, e AuditEntry) (int64, error) {
	warnings, err := json.Marshal(e.Warnings)
	if err != nil {
		return 0, err
	}
	leaf := e.leaf()
	return q.InsertAudit(ctx, gen.InsertAuditParams{
		Revision: e.Revision, At: e.At.UnixMicro(), Actor: e.Actor, Role: string(e.Role), Action: string(e.Action), Subject: e.Subject,
		BeforeValue: string(e.Before), AfterValue: string(e.After), Note: e.Note, Warnings: string(warnings), Source: string(e.Source),
		StateDigest: e.StateDigest, Leaf: leaf[:],
	})
}

// storedHashes reads the tree's inner hashes. One that somebody removed reads as
// zero: the tree comes out wrong, which is what a verification then says.
func storedHashes(ctx context.Context, q *gen.Queries) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			stored, err := q.GetAuditHash(ctx, index)
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return nil, err
			}
			copy(hashes[i][:], stored)
		}
		return hashes, nil
	})
}

// entryOf reads a row. A row that was tampered with may hold anything.
func entryOf(row gen.NlpcanaryAudit) (AuditEntry, error) {
	e := AuditEntry{
		Revision: row.Revision, At: fromMicros(row.At), Actor: row.Actor, Role: rollout.Role(row.Role), Action: rollout.Action(row.Action),
		Subject: row.Subject, Before: json.RawMessage(row.BeforeValue), After: json.RawMessage(row.AfterValue), Note: row.Note,
		Source: rollout.Source(row.Source), StateDigest: row.StateDigest,
	}
	if err := json.Unmarshal([]byte(row.Warnings), &e.Warnings); err != nil || e.Warnings == nil {
		return e, fmt.Errorf("its warnings are not a JSON array of strings")
	}
	if !json.Valid(e.Before) || !json.Valid(e.After) {
		return e, fmt.Errorf("what it changed is not JSON")
	}
	return e, nil
}

// Audit lists audit entries. It does not verify them: see [Store.VerifyAudit].
func (s *Store) Audit(ctx context.Context, query AuditQuery) ([]AuditEntry, error) {
	limit, err := checkLimit(query.Limit, 50)
	if err != nil {
		return nil, err
	}
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	if query.Before <= 0 {
		query.Before = math.MaxInt64
	}
	params := gen.ListAuditNewestParams{
		Before: query.Before, After: query.After, Action: string(query.Action), Actor: query.Actor, Most: int32(limit),
	}
	q := gen.New(s.read)
	var rows []gen.NlpcanaryAudit
	if query.Oldest {
		rows, err = q.ListAuditOldest(ctx, gen.ListAuditOldestParams(params))
	} else {
		rows, err = q.ListAuditNewest(ctx, params)
	}
	if err != nil {
		return nil, failed("reading the audit trail", err)
	}
	entries := make([]AuditEntry, 0, len(rows))
	for _, row := range rows {
		e, err := entryOf(row)
		if err != nil {
			// Shown nevertheless, in a form that every reader can encode.
			e.Before, e.After = json.RawMessage("null"), json.RawMessage("null")
			e.Warnings = []string{"this entry was tampered with: " + err.Error()}
		}
		entries = append(entries, e)
	}
	return entries, nil
}
