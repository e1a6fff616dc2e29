package inquiry

import (
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// page is an answer being written for people. The first error is kept.
type page struct {
	w   io.Writer
	o   TextOptions
	err error
}

// line writes one. Its arguments are texts of ours, or safe: painted, or by show.
func (p *page) line(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format+"\n", args...)
	}
}

func (p *page) dim(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	blanks := len(text) - len(strings.TrimLeft(text, " "))
	p.line("%s%s", text[:blanks], p.o.Style.Paint(show.Dim, text[blanks:]))
}

func (p *page) strong(s string) string { return p.o.Style.Paint(show.Strong, s) }

func (p *page) table(t *show.Table) {
	if p.err == nil {
		p.err = t.Write(p.w, p.o.Style, p.o.Width)
	}
}

// wrapped writes a paragraph behind an indent of so many blanks.
func (p *page) wrapped(text string, indent int) {
	if p.err != nil {
		return
	}
	width := p.o.Width
	if width <= 0 {
		width = proseWidth
	}
	_, p.err = io.WriteString(p.w, show.Wrap(text, strings.Repeat(" ", indent), min(width, proseWidth)))
}

// proseWidth is how wide a paragraph is at most, in cells.
const proseWidth = 96

// alarm writes what nobody may miss.
func (p *page) alarm(title string, texts []string) {
	if len(texts) == 0 {
		return
	}
	p.line("%s", p.o.Style.Paint(show.Alarm, " "+title+" "))
	for _, text := range texts {
		p.wrapped("- "+text, 2)
	}
	p.line("")
}

// said writes a line, broken at blanks where the terminal is narrower.
func (p *page) said(c show.Color, format string, args ...any) {
	p.phrases(show.Colored(c, fmt.Sprintf(format, args...)))
}

// phrases writes a line of them with commas between, broken there rather than within one
// where the terminal is narrower.
func (p *page) phrases(phrases ...show.Cell) {
	var line strings.Builder
	used := 0
	for i, phrase := range phrases {
		lines := []string{phrase.Text}
		if p.o.Width > 0 {
			lines = show.Lines(phrase.Text, p.o.Width-1)
		}
		for j, text := range lines {
			comma := ""
			if i < len(phrases)-1 && j == len(lines)-1 {
				comma = ","
			}
			length := show.Width(show.Safe(text)) + len(comma)
			switch {
			case used == 0:
			case j > 0 || p.o.Width > 0 && used+1+length > p.o.Width:
				line.WriteByte('\n')
				used = 0
			default:
				line.WriteByte(' ')
				used++
			}
			line.WriteString(p.o.Style.Paint(phrase.Color, text) + comma)
			used += length
		}
	}
	p.line("%s", line.String())
}

// clock is a column of times. On a terminal, the day stands above the times of it.
type clock struct {
	p   *page
	day string
}

// clock is for rows the first of which is at a time.
func (p *page) clock(first time.Time) *clock { return &clock{p: p, day: show.Day(first, p.o.Location)} }

func (c *clock) title() string {
	if c.p.o.Width <= 0 {
		return "time"
	}
	return c.day
}

// cell is a time. If it is on another day than the one before, a row says so.
func (c *clock) cell(table *show.Table, t time.Time) show.Cell {
	if c.p.o.Width <= 0 {
		return show.Text(show.Time(t, c.p.o.Location))
	}
	if day := show.Day(t, c.p.o.Location); day != c.day {
		c.day = day
		table.Row(show.Colored(show.Strong, day))
	}
	return show.Text(show.Clock(t, c.p.o.Location))
}

func (p *page) notes(notes []string) {
	for _, note := range notes {
		p.wrapped("Note: "+note+".", 0)
	}
}

// next writes commands to paste.
func (p *page) next(commands []string) {
	if len(commands) == 0 {
		return
	}
	p.line("")
	p.line("%s", p.strong("Next"))
	for _, command := range commands {
		p.line("  %s", p.o.Style.Paint(show.Info, command))
	}
}

// stamp is a time for programs: RFC 3339 with milliseconds.
func stamp(t time.Time) string { return t.Format("2006-01-02T15:04:05.000Z07:00") }

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func prefixed(prefix string, names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = prefix + name
	}
	return out
}

// columns are the values of the named parameters, one text for each. Several values of
// one parameter are joined by a bar; one that is in a value itself stands as %7C.
func (c Codes) columns(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		values := make([]string, len(c[name]))
		for j, value := range c[name] {
			values[j] = strings.ReplaceAll(value, "|", "%7C")
		}
		out[i] = strings.Join(values, "|")
	}
	return out
}

// documents are rows as JSON.
func documents[T any](rows iter.Seq[T]) iter.Seq[show.Document] {
	return func(yield func(show.Document) bool) {
		for row := range rows {
			if !yield(show.Document{Head: row}) {
				return
			}
		}
	}
}
