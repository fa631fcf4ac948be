package store

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// forge is an entry's row with everything that hangs on its content recomputed,
// except the tree's inner hashes.
func forge(tb testing.TB, s *Store, revision int64, change func(*AuditEntry)) {
	tb.Helper()
	e := mustAudit(tb, s, AuditQuery{After: revision - 1, Before: revision + 1})[0]
	change(&e)
	leaf := e.leaf()
	s.sql(tb, "UPDATE nlpcanary_audit SET actor = $1, note = $2, leaf = $3 WHERE revision = $4", e.Actor, e.Note, leaf[:], revision)
}

func TestVerifyFindsTampering(t *testing.T) {
	const entries = 12
	swap := func(column string) []string {
		// Through a place outside, because a revision stands once.
		return []string{
			fmt.Sprintf("UPDATE nlpcanary_audit SET %s = 100 WHERE %s = 5", column, column),
			fmt.Sprintf("UPDATE nlpcanary_audit SET %s = 5 WHERE %s = 8", column, column),
			fmt.Sprintf("UPDATE nlpcanary_audit SET %s = 8 WHERE %s = 100", column, column),
		}
	}
	cases := []struct {
		name     string
		sql      []string
		tamper   func(testing.TB, *Store)
		firstBad int64
		problem  string
	}{
		{name: "changed actor", sql: []string{"UPDATE nlpcanary_audit SET actor = 'eve' WHERE revision = 5"}, firstBad: 5, problem: "changed"},
		{name: "changed time", sql: []string{"UPDATE nlpcanary_audit SET at = at + 1 WHERE revision = 5"}, firstBad: 5, problem: "changed"},
		{name: "changed warnings", sql: []string{`UPDATE nlpcanary_audit SET warnings = '["x"]' WHERE revision = 5`}, firstBad: 5, problem: "changed"},
		{name: "warnings made unreadable", sql: []string{`UPDATE nlpcanary_audit SET warnings = 'x' WHERE revision = 5`}, firstBad: 5, problem: "changed"},
		{name: "changed digest of the last", sql: []string{"UPDATE nlpcanary_audit SET state_digest = '' WHERE revision = 12"}, firstBad: 12, problem: "changed"},
		{name: "changed with its leaf", tamper: func(tb testing.TB, s *Store) { forge(tb, s, 5, func(e *AuditEntry) { e.Actor = "eve" }) }, firstBad: 5, problem: "the tree holds another hash"},
		{name: "changed with its leaf and the leaf in the tree", tamper: func(tb testing.TB, s *Store) {
			forge(tb, s, 5, func(e *AuditEntry) { e.Actor = "eve" })
			s.sql(tb, "UPDATE nlpcanary_audit_hashes SET hash = (SELECT leaf FROM nlpcanary_audit WHERE revision = 5) WHERE idx = $1", tlog.StoredHashIndex(0, 4))
		}, firstBad: 6, problem: "not the one that the entries give"},
		{name: "deleted", sql: []string{"DELETE FROM nlpcanary_audit WHERE revision = 5"}, firstBad: 5, problem: "missing"},
		{name: "deleted first", sql: []string{"DELETE FROM nlpcanary_audit WHERE revision = 1"}, firstBad: 1, problem: "missing"},
		{name: "inserted before", sql: []string{"INSERT INTO nlpcanary_audit SELECT 0, at, actor, role, action, subject, before_value, after_value, note, warnings, source, state_digest, leaf FROM nlpcanary_audit WHERE revision = 5"}, firstBad: 0, problem: "inserted"},
		{name: "inserted after", sql: []string{
			"INSERT INTO nlpcanary_audit SELECT 13, at, actor, role, action, subject, before_value, after_value, note, warnings, source, state_digest, leaf FROM nlpcanary_audit WHERE revision = 5",
		}, firstBad: 13, problem: "reordered"},
		{name: "swapped", sql: swap("revision"), firstBad: 5, problem: "reordered: this one was written as revision 8"},
		{name: "cut", sql: []string{"DELETE FROM nlpcanary_audit WHERE revision > 9"}, firstBad: 10, problem: "cut"},
		{name: "cut with its hashes", tamper: func(tb testing.TB, s *Store) {
			s.sql(tb, "DELETE FROM nlpcanary_audit WHERE revision > 9")
			s.sql(tb, "DELETE FROM nlpcanary_audit_hashes WHERE idx >= $1", tlog.StoredHashIndex(0, 9))
		}, firstBad: 10, problem: "cut"},
		{name: "emptied", sql: []string{"DELETE FROM nlpcanary_audit"}, firstBad: 1, problem: "cut"},
		{name: "changed inner hash", tamper: func(tb testing.TB, s *Store) {
			s.sql(tb, "UPDATE nlpcanary_audit_hashes SET hash = $1 WHERE idx = $2", make([]byte, 32), tlog.StoredHashIndex(1, 1))
		}, firstBad: 4, problem: "not the one"},
		{name: "deleted inner hash", tamper: func(tb testing.TB, s *Store) {
			s.sql(tb, "DELETE FROM nlpcanary_audit_hashes WHERE idx = $1", tlog.StoredHashIndex(1, 1))
		}, firstBad: 4, problem: "missing"},
		{name: "changed state", sql: []string{`UPDATE nlpcanary_clock SET document = replace(document, '"latched":true', '"latched":false')`}, firstBad: 12, problem: "behind the log's back"},
		{name: "raised revision", sql: []string{"UPDATE nlpcanary_clock SET revision = 20"}, firstBad: 13, problem: "cut"},
		{name: "changed newest history row", sql: []string{"UPDATE nlp_rollout_config SET rollout_percentage = 25 WHERE revision = 2"}, firstBad: 2, problem: "nlp_rollout_config"},
		{name: "deleted history row", sql: []string{"DELETE FROM nlp_rollout_config WHERE revision = 1"}, firstBad: 1, problem: "0 rows"},
		{name: "inserted history row", sql: []string{"INSERT INTO nlp_rollout_config (current_stage, rollout_percentage, updated_by, revision) VALUES (4, 100, 'eve', 7)"}, firstBad: 7, problem: "inserted"},
		{name: "history row of the future", sql: []string{"INSERT INTO nlp_rollout_config (current_stage, rollout_percentage, updated_by, revision) VALUES (4, 100, 'eve', 70)"}, firstBad: 70, problem: "no revision 70"},
	}
	onBoth(t, func(t *testing.T, d *database) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				s := (&database{dialect: d.dialect, url: newURL(t, d.dialect)}).open(t)
				mustApply(t, s, Request{Change: rollout.Rollback{Target: 1}, Actor: operator("ann")})
				for i := 2; i < entries; i++ {
					mustApply(t, s, Request{Change: rollout.ClearCache{}, Actor: operator("ann"), Note: fmt.Sprint("note ", i)})
				}
				wantSound(t, s)
				for _, query := range c.sql {
					s.sql(t, query)
				}
				if c.tamper != nil {
					c.tamper(t, s)
				}
				report := mustVerify(t, s, "")
				if report.OK || report.FirstBad != c.firstBad || !strings.Contains(report.Problem, c.problem) {
					t.Errorf("report = %+v, want revision %d: …%s…", report, c.firstBad, c.problem)
				}
				// A broken log blocks advancing, never rolling back.
				_, err := s.Apply(t.Context(), Request{Change: rollout.Advance{}, Actor: admin("bob")})
				if got := refusalCode(err); got != rollout.CodeAuditBroken {
					t.Errorf("advance over a broken log: %v", err)
				}
				mustApply(t, s, Request{Change: rollout.Rollback{Target: 0}, Actor: operator("ann")})
				// The rollback wrote the entry that had been forged, and says so.
				if report := mustVerify(t, s, ""); report.OK != (c.name == "inserted after") {
					t.Error("the log verifies after a rollback on top of the damage")
				}
			})
		}
	})
}

func TestForgedNextEntryIsReplacedAndReported(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		s := d.open(t)
		s.sql(t, "INSERT INTO nlpcanary_audit SELECT 2, at, 'eve', role, action, subject, before_value, after_value, note, warnings, source, state_digest, leaf FROM nlpcanary_audit")
		applied := mustApply(t, s, Request{Change: rollout.Rollback{Target: 0}, Actor: operator("ann")})
		if len(applied.Warnings) != 1 || !strings.Contains(applied.Warnings[0], `"eve"`) {
			t.Errorf("warnings = %q", applied.Warnings)
		}
		wantSound(t, s)
	})
}

func TestHeads(t *testing.T) {
	onBoth(t, func(t *testing.T, d *database) {
		s := d.open(t)
		change := func() { mustApply(t, s, Request{Change: rollout.ClearCache{}, Actor: operator("ann")}) }
		var heads []string
		for range 9 {
			head, err := s.AuditHead(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			heads = append(heads, head)
			change()
		}
		for i, head := range heads {
			if report := mustVerify(t, s, head); !report.OK || !report.Extends || report.Entries != 10 {
				t.Errorf("head of %d entries: %+v", i+1, report)
			}
		}
		if report := mustVerify(t, s, strings.Replace(heads[3], "\n4\n", "\n5\n", 1)); report.OK || !strings.Contains(report.Problem, "not signed") {
			t.Errorf("a changed head: %+v", report)
		}
		other := (&database{dialect: d.dialect, url: newURL(t, d.dialect)}).open(t)
		if report := mustVerify(t, other, heads[0]); report.OK || report.Extends {
			t.Errorf("a head of another installation: %+v", report)
		}
		for _, garbage := range []string{"x", "nlpcanary\n1\n", strings.Split(heads[0], "—")[0], strings.ReplaceAll(heads[0], "nlpcanary\n", "else\n")} {
			if _, err := s.VerifyAudit(t.Context(), garbage); refusalCode(err) != rollout.CodeInvalid {
				t.Errorf("head %q: %v", garbage, err)
			}
		}

		// Somebody who can write the database rewrites the log from entry 5 on, all
		// hashes and the digest included. It verifies by itself, and not against a
		// head that was kept.
		rewrite(t, s, 5)
		if report := mustVerify(t, s, ""); !report.OK {
			t.Fatalf("the rewriting was not thorough: %+v", report)
		}
		if report := mustVerify(t, s, heads[3]); !report.OK {
			t.Errorf("the head before the rewriting: %+v", report)
		}
		if report := mustVerify(t, s, heads[4]); report.OK || !strings.Contains(report.Problem, "rewritten") {
			t.Errorf("the head after the rewriting: %+v", report)
		}
	})
}

// rewrite forges the entry at a revision and recomputes every hash after it.
func rewrite(tb testing.TB, s *Store, revision int64) {
	tb.Helper()
	forge(tb, s, revision, func(e *AuditEntry) { e.Actor = "eve" })
	var v verification
	for _, e := range mustAudit(tb, s, AuditQuery{Oldest: true, Limit: 1000}) {
		for i, hash := range v.grow(e.leaf()) {
			s.sql(tb, "UPDATE nlpcanary_audit_hashes SET hash = $1 WHERE idx = $2", hash[:], tlog.StoredHashIndex(0, e.Revision-1)+int64(i))
		}
	}
}

// The canonical encoding is for ever: heads kept elsewhere rest on it.
func TestCanonicalEncoding(t *testing.T) {
	e := AuditEntry{
		Revision: 7, At: newClock().now(), Actor: "ann", Role: rollout.RoleAdmin, Action: rollout.ActionAdvance, Subject: "rollout/nlp",
		Before: []byte(`{"stage":0}`), After: []byte(`{"stage":1}`), Note: "zwölf\n", Warnings: []string{"a", ""}, Source: rollout.SourceCLI, StateDigest: "00ff",
	}
	const want = "nlpcanary audit entry v1\n1:7\n16:1893553445678901\n3:ann\n5:admin\n7:advance\n11:rollout/nlp\n" +
		"11:{\"stage\":0}\n11:{\"stage\":1}\n7:zwölf\n\n1:2\n1:a\n0:\n3:cli\n4:00ff\n"
	if got := string(e.canonical()); got != want {
		t.Errorf("canonical encoding = %q\nwant %q", got, want)
	}
	leaf := e.leaf()
	if got := tlog.RecordHash([]byte(want)); got != leaf {
		t.Errorf("leaf = %s", hex.EncodeToString(leaf[:]))
	}
}

func FuzzParseHead(f *testing.F) {
	f.Add(formatHead(tlog.Tree{N: 3, Hash: tlog.RecordHash([]byte("x"))}))
	f.Add("nlpcanary\n0\n\n")
	f.Add("nlpcanary\n+1\nAAAA\n")
	f.Fuzz(func(t *testing.T, text string) {
		tree, err := parseHead(text)
		if err == nil && formatHead(tree) != text {
			t.Errorf("%q was read as %v", text, tree)
		}
	})
}
