package inquiry

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// Text writes the answer for people: one paragraph for each decision, the newest first.
func (a *WhyAnswer) Text(w io.Writer, o TextOptions) error {
	p := &page{w: w, o: o}
	found := counted(int(a.Found), "decision", "decisions")
	if a.Probes > 0 {
		found += ", " + show.Count(a.Probes) + " of them on probes"
	}
	p.title("Decisions on "+a.URL, found)
	if a.Found == 0 {
		p.say(show.Plain, "", "No record is about it. cacheward explain says what would be decided.")
		return p.err
	}
	p.line("")
	day, change := "", ""
	edges := make([]string, len(a.Decisions))
	for i := range a.Decisions {
		edges[i] = a.Decisions[i].Edge
	}
	several := among(edges...)
	for i := range a.Decisions {
		d := &a.Decisions[i]
		if today := show.Day(d.Time, o.Location); today != day {
			p.line("%s", p.o.Style.Paint(show.Dim, today))
			day = today
		}
		p.decision(d, several)
		if window := LeakWindow(audit.Event(d.Event), d.From, d.Until, o.Location); window != "" {
			p.beside(window, show.Plain)
		}
		// The same advice again and again would hide what is new.
		if d.Change != "" && d.Change != change {
			p.beside("to change: "+d.Change, show.Strong)
		}
		if !d.Probe {
			change = d.Change
		}
	}
	if more := a.Found - int64(len(a.Decisions)); more > 0 {
		p.line("")
		p.say(show.Dim, "", fmt.Sprintf("The latest of %s; --limit N shows more.", counted(int(a.Found), "decision", "decisions")))
	}
	for _, note := range a.Notes {
		p.line("")
		p.say(show.Dim, "", "Note: "+note+".")
	}
	return p.err
}

// besideIndent is where what is said of a decision begins.
const besideIndent = "            "

// decision tells one; with edge, where it was decided.
func (p *page) decision(d *Decision, edge bool) {
	lines := show.Lines(d.Words, p.prose()-len(besideIndent))
	for i, line := range lines {
		if i == 0 {
			p.line("  %s  %s", p.o.Style.Paint(show.Dim, show.Clock(d.Time, p.o.Location)), p.o.Style.Paint(d.color(), line))
			continue
		}
		p.line("%s%s", besideIndent, p.o.Style.Paint(d.color(), line))
	}
	by, visitor := "visitor ", d.Visitor
	if d.Probe {
		by, visitor = "by ", "a probe"
	}
	var about []string
	if edge && d.Edge != "" {
		about = append(about, "edge "+d.Edge)
	}
	for _, part := range []struct{ name, value string }{
		{"route ", d.Route}, {"asked for ", query(d.URL)}, {by, visitor}, {"object ", d.Object},
	} {
		if part.value != "" {
			about = append(about, part.name+part.value)
		}
	}
	if d.Status != 0 && d.Status != http.StatusOK && d.Event != "store" && d.Event != "deny" {
		about = append(about, "status "+strconv.Itoa(d.Status))
	}
	width := p.prose()
	if p.o.Width > width {
		width = p.o.Width // a list of names may be as wide as there is room
	}
	for _, line := range show.Lines(strings.Join(about, ", "), width-len(besideIndent)) {
		p.line("%s%s", besideIndent, p.o.Style.Paint(show.Dim, line))
	}
}

// query is that of a URL, with its question mark.
func query(url string) string {
	if i := strings.IndexByte(url, '?'); i >= 0 {
		return url[i:]
	}
	return ""
}

// beside writes sentences under what was decided.
func (p *page) beside(text string, c show.Color) {
	for _, line := range show.Lines(text, p.prose()-len(besideIndent)) {
		p.line("%s%s", besideIndent, p.o.Style.Paint(c, line))
	}
}

func (d *Decision) color() show.Color {
	switch d.Event {
	case "serve", "bypass", "deny":
		return outcomeColor(d.Outcome)
	}
	return outcomeColor(d.Event)
}

// CSV writes one line for each decision, the newest first.
func (a *WhyAnswer) CSV(w io.Writer) error {
	c := show.NewCSV(w)
	err := c.Row("time", "event", "outcome", "route", "reasons", "words", "change", "url", "status", "visitor", "object", "key", "probe")
	for i := range a.Decisions {
		if err != nil {
			return err
		}
		d := &a.Decisions[i]
		err = c.Row(csvTime(d.Time), d.Event, d.Outcome, d.Route, d.Reasons, d.Words, d.Change, d.URL, strconv.Itoa(d.Status), d.Visitor,
			d.Object, d.Key, yes(d.Probe))
	}
	if err != nil {
		return err
	}
	return c.Flush()
}
