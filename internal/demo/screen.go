package demo

import (
	"fmt"
	"io"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/nlpcanary/nlpcanary/extract"
	"github.com/nlpcanary/nlpcanary/internal/api"
)

// screen shows the story: lines that stay, and a live table that is redrawn in
// place.
type screen struct {
	out    io.Writer
	bold   func(string) string
	dim    func(string) string
	good   func(string) string
	height int // lines of the live table on the screen now
}

func newScreen(config Config) *screen {
	plain := func(s string) string { return s }
	s := &screen{out: config.Stdout, bold: plain, dim: plain, good: plain}
	if config.Colour {
		style := func(st lipgloss.Style) func(string) string {
			return func(text string) string { return st.Render(text) }
		}
		s.bold = style(lipgloss.NewStyle().Bold(true))
		s.dim = style(lipgloss.NewStyle().Faint(true))
		s.good = style(lipgloss.NewStyle().Foreground(lipgloss.Green))
	}
	return s
}

func (s *screen) say(format string, args ...any) {
	s.clearLive()
	fmt.Fprintf(s.out, format+"\n", args...)
}

func (s *screen) phase(title string) { s.say("\n%s", s.bold(title)) }

func (s *screen) result(format string, args ...any) {
	s.say("  %s %s", s.good("✓"), fmt.Sprintf(format, args...))
}

func (s *screen) command(line, format string, args ...any) {
	s.say("  %s  %s", s.bold("$ "+line), fmt.Sprintf(format, args...))
}

// live redraws the status table.
func (s *screen) live(st api.Status, c counts) {
	s.clearLive()
	seconds := max(time.Since(c.began).Seconds(), 0.001)
	lines := []string{
		fmt.Sprintf("  stage      %d %s, %d %%", st.Stage, st.StageName, st.EffectivePercentage),
		fmt.Sprintf("  texts      %d (%.0f/s), %d served by old after new failed", c.requests, float64(c.requests)/seconds, c.fallbacks),
		fmt.Sprintf("  users      %d on old, %d on new", c.usersOld, c.usersNew),
		fmt.Sprintf("  mean time  %.1f ms", c.elapsedMS/max(float64(c.requests), 1)),
	}
	fmt.Fprintln(s.out, s.dim(strings.Join(lines, "\n")))
	s.height = len(lines)
}

// clearLive removes the live table, if there is one.
func (s *screen) clearLive() {
	if s.height > 0 {
		fmt.Fprintf(s.out, "\x1b[%dA\x1b[J", s.height)
		s.height = 0
	}
}

func (s *screen) passage(id string, old, found []extract.Description) {
	s.say("  passage %s", id)
	for _, side := range []struct {
		name string
		list []extract.Description
	}{{"old", old}, {"new", found}} {
		s.say("    %s finds %d", side.name, len(side.list))
		for i, d := range side.list {
			if i == 2 {
				s.say("      %s", s.dim(fmt.Sprintf("… and %d more", len(side.list)-i)))
				break
			}
			s.say("      %-10s %s", d.Type, s.dim("“"+shorten(d.Content, 88)+"”"))
		}
	}
}

func shorten(text string, most int) string {
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) <= most {
		return string(runes)
	}
	return string(runes[:most-1]) + "…"
}

func (s *screen) metrics(m api.Metrics) {
	s.say("  %s", s.dim(fmt.Sprintf("%-14s %10s %10s %10s %12s", "measured", "texts", "errors", "timeouts", "mean time")))
	for _, side := range []struct {
		name string
		api.ArchitectureMetrics
	}{{"old", m.OldArchitecture}, {"new", m.NewArchitecture}} {
		s.say("  %-14s %10d %10s %10s %12s", side.name+" ("+side.Name+")", side.TotalProcessed, percent(side.ErrorRate), percent(side.TimeoutRate), millis(side.AvgProcessingTimeMS))
	}
}

func percent(v *float64) string {
	if v == nil {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", 100**v)
}

func millis(v *float64) string {
	if v == nil {
		return "–"
	}
	return fmt.Sprintf("%.1f ms", *v)
}

func (s *screen) history(h api.History) {
	for i := len(h.History) - 1; i >= 0; i-- {
		e := h.History[i]
		s.say("  %3d  %-14s %3d %%  %-10s %s", e.ID, e.StageName, e.Percentage, e.UpdatedBy, s.dim(e.Notes))
	}
}
