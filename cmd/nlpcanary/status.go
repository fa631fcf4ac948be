package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/nlpcanary/nlpcanary/internal/api"
	"github.com/nlpcanary/nlpcanary/rollout"
)

type statusCmd struct {
	Watch bool `short:"w" help:"Redraw every second until Ctrl-C."`
}

// watchEvery is how often --watch looks again.
const watchEvery = time.Second

// Run shows the status once, or again and again.
func (cmd statusCmd) Run(ctx context.Context, s *session) error {
	c, err := s.connect(ctx)
	if err != nil {
		return err
	}
	defer c.close() //nolint:errcheck // nothing was written
	if cmd.Watch {
		return s.watchStatus(ctx, c)
	}
	status, raw, err := c.status(ctx)
	if err != nil {
		return err
	}
	return s.answer(raw, func() { statusCard{status, s.now(), s.style}.write(s.stdout) })
}

// watchStatus goes on when a look fails, and says so: that is when somebody
// watches. Only a failure of the first look ends it.
func (s *session) watchStatus(ctx context.Context, c *client) error {
	redraw := isTerminal(s.stdout) && !s.JSON
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	var last api.Status
	for looks := 0; ; looks++ {
		status, raw, err := c.status(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && looks == 0:
			return err
		case err != nil:
			s.note("nlpcanary: %s", s.redact(explain(err).message))
		default:
			last = status
		}
		if err == nil {
			if err := s.answer(raw, func() { s.draw(last, redraw) }); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// draw writes the card over the one before, line by line so that it does not
// flicker, or below it where nothing can be overwritten.
func (s *session) draw(status api.Status, over bool) {
	var card strings.Builder
	statusCard{status, s.now(), s.style}.write(&card)
	if !over {
		fmt.Fprintf(s.stdout, "%s\n", card.String())
		return
	}
	const home, clearLine, clearBelow = "\x1b[H", "\x1b[K", "\x1b[J"
	text := card.String() + s.style.quiet("\nevery second; Ctrl-C ends") + "\n"
	fmt.Fprint(s.stdout, home+strings.ReplaceAll(text, "\n", clearLine+"\n")+clearBelow)
}

// statusCard is a status as people read it.
type statusCard struct {
	status api.Status
	now    time.Time
	style  style
}

func (card statusCard) write(w io.Writer) {
	status, s := card.status, card.style
	fmt.Fprintf(w, "%s  %s → %s  %s\n\n", s.strong(status.Rollout), status.OldName, status.NewName,
		s.quiet(fmt.Sprintf("revision %d", status.Revision)))
	t := table{}
	t.add(s.quiet("  stage"), card.stage())
	t.add(s.quiet("  kill switch"), card.killSwitch())
	t.add(s.quiet("  changed"), fmt.Sprintf("%s (%s) by %s", timeText(status.LastUpdated), agoText(card.now.Sub(status.LastUpdated)), printable(status.UpdatedBy)))
	if status.Notes != "" {
		t.add(s.quiet("  why"), printable(status.Notes))
	}
	t.add(s.quiet("  soak"), card.soak())
	if status.ApprovalsNeeded > 0 {
		t.add(s.quiet("  approvals"), card.approvals())
	}
	t.add(s.quiet("  guardian"), card.guardian())
	t.add(s.quiet("  users"), card.users())
	t.add(s.quiet("  cache"), plural(status.CacheSize, "user", "users"))
	if status.Overrides > 0 {
		t.add(s.quiet("  overrides"), plural(status.Overrides, "user pinned", "users pinned"))
	}
	t.add(s.quiet("  rollback"), card.bound())
	t.add(s.quiet("  source"), card.source())
	t.write(w, s, "")
	card.instances(w)
	for _, warning := range status.Warnings {
		fmt.Fprintf(w, "\n%s %s", s.warn("!"), s.warn(printable(warning)))
	}
	if len(status.Warnings) > 0 {
		fmt.Fprintln(w)
	}
}

func (card statusCard) stage() string {
	status, s := card.status, card.style
	const cells = 20
	full := status.EffectivePercentage * cells / 100
	bar := s.good(strings.Repeat("█", full)) + s.quiet(strings.Repeat("░", cells-full))
	text := fmt.Sprintf("%s  %s", s.strong(stageText(status.Stage, status.Percentage)), bar)
	switch {
	case status.Latched:
		text += "  " + s.warn("rolled back: automation waits for a person to advance")
	case status.Finalised:
		text += "  " + s.good("finalised")
	}
	return text
}

func (card statusCard) killSwitch() string {
	if card.status.FeatureFlagEnabled {
		return rollout.KillSwitch + " is " + card.style.good("on")
	}
	return rollout.KillSwitch + " is " + card.style.bad("OFF: everyone is on old")
}

func (card statusCard) soak() string {
	ends := card.status.SoakEndsAt
	switch {
	case ends == nil:
		return "none: this is the last stage"
	case ends.After(card.now):
		return fmt.Sprintf("%s left, until %s", rollout.Span(ends.Sub(card.now)), timeText(*ends))
	}
	return card.style.good("over") + " since " + timeText(*ends)
}

func (card statusCard) approvals() string {
	var by []string
	for _, a := range card.status.Approvals {
		by = append(by, printable(a.By))
	}
	text := fmt.Sprintf("%d of %d for the next stage", len(by), card.status.ApprovalsNeeded)
	if len(by) > 0 {
		text += ": " + strings.Join(by, ", ")
	}
	return text
}

func (card statusCard) guardian() string {
	g, s := card.status.Guardian, card.style
	text := map[string]string{
		string(rollout.GuardianObserve): "observes: it alerts only",
		string(rollout.GuardianGuard):   "guards: it rolls back on harm",
		string(rollout.GuardianAuto):    "automatic: it rolls back on harm, and advances when all is proven safe",
	}[g.Mode]
	switch rollout.Pause(g.Paused) {
	case rollout.PauseAll:
		text = s.warn("PAUSED: it alerts only") + " (" + printable(g.By) + ")"
	case rollout.PauseAdvance:
		if g.Mode == string(rollout.GuardianAuto) {
			text += s.warn("; advancing is paused") + " (" + printable(g.Why) + ", " + printable(g.By) + ")"
		}
	}
	return text
}

func (card statusCard) users() string {
	status := card.status
	if status.TotalUsers == nil {
		return "none seen yet"
	}
	return fmt.Sprintf("%s seen: about %s on new, %s on old", countText(*status.TotalUsers),
		countOr(status.EstimatedUsersNewArch), countOr(status.EstimatedUsersOldArch))
}

func (card statusCard) bound() string {
	if bound := card.status.RollbackBound; bound != "none" {
		return "holds everywhere within " + bound
	}
	return card.style.bad("not bounded in time: instances hold a stale state (setting when_stale)")
}

func (card statusCard) source() string {
	lease := card.status.Lease
	switch {
	case lease == nil:
		return "straight from the database"
	case lease.Valid:
		return fmt.Sprintf("an instance with a lease: %d of %d ms left", lease.RemainingMS, lease.LengthMS)
	}
	text := card.style.bad("an instance WITHOUT a valid lease: it sends everyone to old")
	if lease.LastError != "" {
		text += " (" + printable(lease.LastError) + ")"
	}
	return text
}

func (card statusCard) instances(w io.Writer) {
	status, s := card.status, card.style
	if len(status.Instances) == 0 {
		fmt.Fprintf(w, "\n%s\n", s.quiet("No instances are running."))
		return
	}
	fmt.Fprintln(w)
	t := table{header: []string{"INSTANCE", "REGION", "ADDRESS", "VERSION", "REVISION", "SEEN", "STATE"}, right: map[int]bool{4: true}}
	for _, in := range status.Instances {
		t.add(printable(in.ID), orDash(printable(in.Region)), orDash(printable(in.Address)), printable(in.Version),
			fmt.Sprint(in.Revision), agoText(card.now.Sub(in.SeenAt)), card.instanceState(in))
	}
	t.write(w, s, "  ")
}

func (card statusCard) instanceState(in api.Instance) string {
	switch {
	case !in.Live:
		return card.style.quiet("gone: its lease has ended")
	case in.BreakGlass:
		return card.style.bad("break-glass: everyone on old")
	case in.Revision < card.status.Revision:
		return card.style.warn("behind")
	}
	return card.style.good("up to date")
}

func orDash(text string) string {
	if text == "" {
		return "–"
	}
	return text
}
