package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/dustin/go-humanize"

	"github.com/nlpcanary/nlpcanary/rollout"
)

// style colours text for one stream. The zero style leaves text alone.
type style struct {
	on      bool
	profile colorprofile.Profile
}

// styleFor colours only what goes to a terminal that shows colours, and never
// under NO_COLOR (https://no-color.org).
func styleFor(stream io.Writer, env environ) style {
	if !isTerminal(stream) || env.get("NO_COLOR") != "" || env.get("TERM") == "dumb" {
		return style{}
	}
	return style{on: true, profile: colorprofile.Env(env)}
}

func (s style) render(look lipgloss.Style, text string) string {
	if !s.on || text == "" {
		return text
	}
	var b strings.Builder
	_, _ = (&colorprofile.Writer{Forward: &b, Profile: s.profile}).WriteString(look.Render(text)) // a Builder does not fail
	return b.String()
}

// The looks, named after what they mean. The colours are the terminal's own, so
// that they suit its background.
var (
	lookStrong = lipgloss.NewStyle().Bold(true)
	lookQuiet  = lipgloss.NewStyle().Faint(true)
	lookGood   = lipgloss.NewStyle().Foreground(lipgloss.Green)
	lookWarn   = lipgloss.NewStyle().Foreground(lipgloss.Yellow)
	lookBad    = lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Red)
)

func (s style) strong(text string) string { return s.render(lookStrong, text) }
func (s style) quiet(text string) string  { return s.render(lookQuiet, text) }
func (s style) good(text string) string   { return s.render(lookGood, text) }
func (s style) warn(text string) string   { return s.render(lookWarn, text) }
func (s style) bad(text string) string    { return s.render(lookBad, text) }

// table is rows of cells in aligned columns.
type table struct {
	header []string
	rows   [][]string
	// right are the columns aligned to the right, for numbers.
	right map[int]bool
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// write prints the table, its header quiet, after an indent.
func (t *table) write(w io.Writer, s style, indent string) {
	all := t.rows
	if t.header != nil {
		header := make([]string, len(t.header))
		for i, cell := range t.header {
			header[i] = s.quiet(cell)
		}
		all = append([][]string{header}, t.rows...)
	}
	var widths []int
	for _, row := range all {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], lipgloss.Width(cell))
		}
	}
	for _, row := range all {
		var line strings.Builder
		line.WriteString(indent)
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-lipgloss.Width(cell))
			if t.right[i] {
				line.WriteString(pad + cell)
			} else {
				line.WriteString(cell + pad)
			}
			line.WriteString("  ")
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

// clip shortens text to a number of terminal columns.
func clip(text string, most int) string {
	text = strings.Join(strings.Fields(text), " ")
	if lipgloss.Width(text) <= most {
		return text
	}
	var b strings.Builder
	width := 0
	for _, r := range text {
		w := lipgloss.Width(string(r))
		if width+w > most-1 {
			break
		}
		width += w
		b.WriteRune(r)
	}
	return b.String() + "…"
}

// printable keeps what others wrote, such as notes and labels, from moving the
// cursor or colouring the terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return ' '
		}
		return r
	}, text)
}

// stageText is a stage the way every message writes it: "3 HALF_ROLLOUT 50 %".
func stageText(stage, percentage int) string {
	return fmt.Sprintf("%d %s %d %%", stage, rollout.Stage(stage), percentage)
}

func timeText(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 MST") }

// agoText says how long ago something was.
func agoText(since time.Duration) string {
	if since < time.Second {
		return "just now"
	}
	return rollout.Span(since) + " ago"
}

func countText(n int64) string { return humanize.Comma(n) }

// unmeasured stands for what has not been measured. It is never 0.
const unmeasured = "–"

func countOr(n *int64) string {
	if n == nil {
		return unmeasured
	}
	return countText(*n)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return countText(int64(n)) + " " + many
}
