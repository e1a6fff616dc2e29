package inquiry

import (
	"fmt"
	"io"
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
// one parameter are joined by a bar, which no value has that was not encoded.
func (c Codes) columns(names []string) []string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = strings.Join(c[name], "|")
	}
	return out
}
