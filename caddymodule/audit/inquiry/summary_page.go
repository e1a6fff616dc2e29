package inquiry

import (
	"fmt"
	"strings"

	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// prose is the width to which sentences are wrapped.
func (p *page) prose() int {
	if p.o.Width <= 0 {
		return proseWidth
	}
	return max(40, min(p.o.Width, proseWidth))
}

// title is the first line: what was asked, and beside it, or below if there is no room,
// what it was asked of.
func (p *page) title(what string, beside ...string) {
	what = show.Safe(what)
	about := show.Safe(strings.Join(beside, " · "))
	switch {
	case about == "":
		p.line("%s", p.strong(what))
	case p.o.Width > 0 && show.Width(what)+3+show.Width(about) > p.o.Width:
		p.line("%s", p.strong(what))
		p.say(show.Dim, "", about)
	default:
		p.line("%s%s", p.strong(what), p.o.Style.Paint(show.Dim, " · "+about))
	}
}

// heading begins a section.
func (p *page) heading(text string) {
	p.line("")
	p.line("%s", p.strong(text))
}

// say writes sentences in one colour.
func (p *page) say(c show.Color, indent, text string) {
	for line := range strings.Lines(show.Wrap(text, indent, p.prose())) {
		p.line("%s%s", indent, p.o.Style.Paint(c, strings.TrimSpace(line)))
	}
}

// labelled writes sentences beside a word, in lines under one another.
func (p *page) labelled(label string, c show.Color, text string) {
	const column = 12
	indent := strings.Repeat(" ", 2+column)
	for line := range strings.Lines(show.Wrap(text, indent, p.prose())) {
		p.line("  %s%s%s", p.o.Style.Paint(show.Dim, label), strings.Repeat(" ", max(1, column-show.Width(label))),
			p.o.Style.Paint(c, strings.TrimSpace(line)))
		label = ""
	}
}

// more says how many lines are left out.
func (p *page) more(n int, singular, plural string) {
	if n > 0 {
		p.say(show.Dim, "  ", fmt.Sprintf("and %s; --limit 0 shows all", counted(n, singular, plural)))
	}
}

// limited is how many of n lines are shown.
func (p *page) limited(n int) int {
	if p.o.Limit > 0 {
		return min(n, p.o.Limit)
	}
	return n
}

// wide says whether there is room for charts beside figures.
func (p *page) wide() bool { return p.o.Width <= 0 || p.o.Width >= wideTable }

// wideTable is from where on there is, in cells.
const wideTable = 100

// steps is how many neighbours must be added up for there to be at most room of them.
func steps(n, room int) int { return max(1, (n+room-1)/max(1, room)) }

// squeeze adds up so many neighbours each.
func squeeze(values []int64, step int) []int64 {
	out := make([]int64, (len(values)+step-1)/step)
	for i, v := range values {
		out[i/step] += v
	}
	return out
}

func floats(values []int64) []float64 {
	out := make([]float64, len(values))
	for i, v := range values {
		out[i] = float64(v)
	}
	return out
}

// probesLeftOut says how many requests of probes are in no figure.
func (p *page) probesLeftOut(n int64, about bool) {
	if n == 0 {
		return
	}
	noun := " requests"
	if n == 1 {
		noun = " request"
	}
	p.line("")
	p.say(show.Dim, "", show.Estimate(n, about)+noun+" of probes left out: these are no visitors. cacheward audit why shows them.")
}
