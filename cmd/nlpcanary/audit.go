package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/nlpcanary/nlpcanary/internal/store"
)

type auditCmd struct {
	List   auditListCmd   `cmd:"" help:"List the audit trail, newest first."`
	Verify auditVerifyCmd `cmd:"" help:"Check that nothing in the audit trail was changed, removed, inserted or reordered."`
	Head   auditHeadCmd   `cmd:"" help:"Print a signed head of the audit trail, to be kept elsewhere."`
}

type auditListCmd struct {
	Limit  int    `short:"n" default:"20" placeholder:"N" help:"How many entries to show."`
	Action string `placeholder:"NAME" help:"Only this action, such as rollback or flag.set."`
	Actor  string `placeholder:"NAME" help:"Only changes by this actor."`
}

// Run lists the audit trail.
func (cmd auditListCmd) Run(ctx context.Context, s *session) error {
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close() //nolint:errcheck // nothing was written
	query := url.Values{"limit": {strconv.Itoa(cmd.Limit)}}
	if cmd.Action != "" {
		query.Set("action", cmd.Action)
	}
	if cmd.Actor != "" {
		query.Set("actor", cmd.Actor)
	}
	var list struct {
		Entries []store.AuditEntry `json:"entries"`
	}
	raw, err := c.get(ctx, auditPath, query, &list)
	if err != nil {
		return err
	}
	return s.answer(raw, func() {
		t := table{header: []string{"REVISION", "WHEN", "WHO", "BY WAY OF", "ACTION", "WHAT", "WHY"}, right: map[int]bool{0: true}}
		for _, e := range list.Entries {
			why := printable(strings.Join(append([]string{e.Note}, e.Warnings...), " ! "))
			t.add(fmt.Sprint(e.Revision), timeText(e.At), printable(e.Actor), string(e.Source), string(e.Action), printable(e.Subject), clip(strings.TrimPrefix(why, " "), 60))
		}
		t.write(s.stdout, s.style, "")
	})
}

type auditVerifyCmd struct {
	Head string `placeholder:"FILE" help:"A signed head that 'audit head' printed earlier: prove that today's log extends it. '-' reads stdin."`
}

// Run verifies the audit trail. A broken one is an error.
func (cmd auditVerifyCmd) Run(ctx context.Context, s *session) error {
	head := ""
	if cmd.Head != "" {
		var err error
		if head, err = s.readFile(ctx, cmd.Head, 1<<16); err != nil {
			return err
		}
	}
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close() //nolint:errcheck // nothing was written
	var report store.AuditReport
	raw, err := c.post(ctx, auditPath+"/verify", map[string]string{"head": head}, &report)
	if err != nil {
		return err
	}
	if err := s.answer(raw, func() { s.writeAuditReport(report) }); err != nil {
		return err
	}
	if !report.OK {
		return failed(auditProblem(report), "nothing advances until it verifies again; rolling back still works. Compare with a backup, and with the heads that you kept elsewhere")
	}
	return nil
}

func (s *session) writeAuditReport(report store.AuditReport) {
	if !report.OK {
		return // the error says it
	}
	fmt.Fprintf(s.stdout, "%s %s, root %s\n", s.style.good("The audit trail verifies:"), plural(int(report.Entries), "entry", "entries"), report.Root)
	if report.Extends {
		fmt.Fprintln(s.stdout, "It extends the signed head: nothing before it was rewritten or cut.")
	}
}

func auditProblem(report store.AuditReport) string {
	text := "the audit trail does not verify"
	if report.FirstBad != 0 {
		text += fmt.Sprintf(": the first bad entry is revision %d", report.FirstBad)
	}
	if report.Problem != "" {
		text += ": " + printable(report.Problem)
	}
	return text
}

type auditHeadCmd struct{}

// Run prints a signed head.
func (auditHeadCmd) Run(ctx context.Context, s *session) error {
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close() //nolint:errcheck // nothing was written
	var answer struct {
		Head string `json:"head"`
	}
	raw, err := c.get(ctx, auditPath+"/head", nil, &answer)
	if err != nil {
		return err
	}
	if !json.Valid(raw) {
		return failed("the server's answer is not a signed head", "check --server")
	}
	return s.answer(raw, func() { fmt.Fprint(s.stdout, answer.Head) })
}
