package command

import (
	"cmp"
	"os"
	"os/user"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/cacheward/cacheward/caddymodule/audit/show"
	"github.com/cacheward/cacheward/caddymodule/control"
)

const (
	plainWidth = 100 // of lines where there is no terminal
	leastWidth = 40
	labelWidth = 10 // of what stands before facts
)

// view is how an answer is shown: in colours or not, how wide, and what time it is for
// whom. Tables are as wide as they are where there is no terminal.
type view struct {
	show.Style
	width    int
	terminal bool
	now      time.Time
	loc      *time.Location
}

// page is a text that grows. Whatever is written on it is made safe for a terminal.
type page struct {
	view
	strings.Builder
}

// alarm writes lines that nobody may miss: a block as wide as the page.
func (p *page) alarm(lines ...string) {
	for _, line := range lines {
		for text := range strings.Lines(show.Wrap(line, " ", p.width-1)) {
			text = strings.TrimSuffix(text, "\n")
			if p.Color {
				text += strings.Repeat(" ", max(0, p.width-show.Width(text)))
			}
			p.WriteString(p.Paint(show.Alarm, text) + "\n")
		}
	}
}

// headline says what was done.
func (p *page) headline(color show.Color, text string) {
	for line := range strings.Lines(show.Wrap(text, "", p.width)) {
		p.WriteString(p.Paint(color, strings.TrimSuffix(line, "\n")) + "\n")
	}
}

// fact writes a label and, beside it, a text.
func (p *page) fact(label, text string, color show.Color) {
	indent := strings.Repeat(" ", 2+labelWidth)
	before := "  " + p.Paint(show.Dim, label) + strings.Repeat(" ", max(1, labelWidth-show.Width(label)))
	for line := range strings.Lines(show.Wrap(text, indent, p.width)) {
		line = strings.TrimPrefix(strings.TrimSuffix(line, "\n"), indent)
		p.WriteString(strings.TrimRight(before+p.Paint(color, line), " ") + "\n")
		before = indent
	}
}

// next says what to do, and with which command. A command is on a line of its own, never
// broken, so that it can be copied.
func (p *page) next(what string, command ...string) {
	p.fact("next", what, show.Plain)
	if len(command) > 0 {
		p.WriteString(strings.Repeat(" ", 2+labelWidth) + p.Paint(show.Info, shellLine(command)) + "\n")
	}
}

// notes and problems are the proxy's.
func (p *page) notes(notes, problems []string) {
	for _, problem := range problems {
		p.fact("problem", problem, show.Bad)
	}
	for _, note := range notes {
		p.fact("note", note, show.Warn)
	}
}

// ago is a moment and how long ago it was.
func (v view) ago(t time.Time) string {
	return show.Time(t, v.loc) + t.In(v.loc).Format(" MST") + " (" + v.since(t) + " ago)"
}

func (v view) since(t time.Time) string {
	return show.Duration(max(0, v.now.Sub(t)).Truncate(time.Second))
}

var noQuotes = regexp.MustCompile(`^[A-Za-z0-9_./:@%+=,-]+$`)

// shellLine is the command with its words quoted for a POSIX shell.
func shellLine(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		if quoted[i] = word; !noQuotes.MatchString(word) {
			quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return show.Count(int64(n)) + " " + many
}

// scope is what a trip holds for, in words.
func scope(route string) string {
	if route == "" {
		return "everything"
	}
	return "route " + route
}

// trips writes a block for each trip in force, that of everything first.
func (p *page) trips(tripped []control.Tripped) {
	first := func(a, b control.Tripped) int { return cmp.Compare(a.Route, b.Route) }
	for i, t := range slices.SortedStableFunc(slices.Values(tripped), first) {
		if i > 0 {
			p.WriteByte('\n')
		}
		lines := []string{"CACHING IS STOPPED: " + scope(t.Route), "since " + p.ago(t.Since)}
		if t.By != "" {
			lines[1] += ", by " + t.By
		}
		lines = append(lines, "why: "+t.Why)
		if t.Unknown {
			lines = append(lines, "no handler that runs has a route of that name")
		}
		p.alarm(lines...)
		p.next("when it is mended", append([]string{"cacheward", "reset"}, append(routeFlag(t.Route), "--reason", "…")...)...)
	}
}

func routeFlag(route string) []string {
	if route == "" {
		return nil
	}
	return []string{"--route", route}
}

// whoami is who runs the command, for the record: it proves nothing.
func whoami() string {
	name := "somebody"
	if u, err := user.Current(); err == nil && u.Username != "" {
		name = u.Username
	}
	if behind := os.Getenv("SUDO_USER"); behind != "" && behind != name {
		name = behind + " as " + name
	}
	if host, err := os.Hostname(); err == nil && host != "" {
		name += "@" + host
	}
	name = strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) || r == unicode.ReplacementChar {
			return '?'
		}
		return r
	}, name)
	for len(name) > control.MaxBy {
		name = name[:len(name)-1]
	}
	return strings.ToValidUTF8(name, "")
}
