package command

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/inquiry"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
	"github.com/cacheward/cacheward/caddymodule/audit/show"
	"github.com/cacheward/cacheward/policies"
)

// tailLine lays records out as lines of columns. Columns whose values are of any length
// grow with what came until now, so that lines soon stand under each other.
type tailLine struct {
	style    show.Style
	width    int // of the terminal; 0: lines are as long as they are
	location *time.Location

	edge                string // of the first record
	edges               bool   // there is more than one
	name                int    // width of an edge's
	route, visitor, url int    // widths
	reasons             map[string]policies.ReasonInfo
}

const (
	wordWidth = len("revalidated")
	lifeWidth = len("59 min 59 s left")
	maxRoute  = 16
	maxURL    = 60

	clockFormat = "15:04:05.000"
	// Narrower terminals do not show how fresh an object is, nor the visitor.
	roomForLife, roomForVisitor = 120, 100
)

func newTailLine(style show.Style, width int, location *time.Location) *tailLine {
	t := &tailLine{style: style, width: width, location: location, reasons: make(map[string]policies.ReasonInfo)}
	for _, r := range policies.AllReasons() {
		t.reasons[r.String()] = r.Info()
	}
	return t
}

// text is the line of a record: most telling columns first, what it means last. A leak has
// several where the terminal is narrow: nothing of what it says is cut off.
func (t *tailLine) text(e *reading.Entry) string {
	if e.Event == audit.EventLeak {
		return t.leak(e)
	}
	word, color := tailWord(e)
	var b strings.Builder
	used := 0
	column := func(c show.Color, text string, width int) {
		text = show.Truncate(show.Safe(text), max(width, 0))
		b.WriteString(t.style.Paint(c, text))
		b.WriteString(strings.Repeat(" ", width-show.Width(text)+2))
		used += width + 2
	}
	column(show.Dim, e.Time.In(t.location).Format(clockFormat), len(clockFormat))
	if t.several(e.Edge) {
		t.name = grown(t.name, e.Edge, maxRoute)
		column(show.Plain, orNone(e.Edge), max(1, t.name))
	}
	column(color, word, wordWidth)
	t.route = grown(t.route, e.Route, maxRoute)
	column(show.Plain, orNone(e.Route), max(1, t.route))
	status, statusColor := "", show.Plain
	if e.Status != 0 {
		status = strconv.Itoa(e.Status)
	}
	if e.Status >= 500 {
		statusColor = show.Bad
	}
	column(statusColor, status, 3)
	if t.width <= 0 || t.width >= roomForLife {
		column(show.Dim, life(e), lifeWidth)
	}
	if t.width <= 0 || t.width >= roomForVisitor {
		visitor := e.Visitor
		if e.Probe {
			visitor = "probe"
		}
		t.visitor = grown(t.visitor, visitor, len("3f2a-9bc0d1e2f3a4"))
		column(show.Dim, orNone(visitor), max(1, t.visitor))
	}
	why := t.why(e)
	url := e.URL
	if url == "" {
		url = e.Scope
	}
	switch room := t.width - used; {
	case why == "":
		if t.width > 0 {
			url = show.TruncateURL(show.Safe(url), max(room, 1))
		}
		b.WriteString(t.style.Paint(show.Plain, url))
	default:
		most := maxURL
		if t.width > 0 {
			most = max(1, min(maxURL, (room-2)/2))
		}
		t.url = min(most, grown(t.url, url, most))
		column(show.Plain, show.TruncateURL(show.Safe(orNone(url)), max(1, t.url)), max(1, t.url))
		if t.width > 0 {
			why = show.Truncate(show.Safe(why), max(t.width-used, 1))
		}
		b.WriteString(t.style.Paint(color, why))
	}
	return strings.TrimRight(b.String(), " ")
}

// several says whether records are of more than one edge, as far as they have come.
func (t *tailLine) several(edge string) bool {
	if t.edge == "" {
		t.edge = edge
	}
	t.edges = t.edges || edge != "" && edge != t.edge
	return t.edges
}

// leak tells of one, all of it painted.
func (t *tailLine) leak(e *reading.Entry) string {
	before := e.Time.In(t.location).Format(clockFormat) + "  "
	why := e.Why
	if why == "" && e.Evidence != nil {
		why = e.Evidence.Sentence
	}
	parts := []string{strings.ToUpper(string(e.Event))}
	edge := ""
	if t.several(e.Edge) && e.Edge != "" {
		edge = "edge " + e.Edge
	}
	for _, part := range []string{
		edge, e.Route, strings.TrimPrefix(cmp.Or(e.Scope, e.URL), "url "), strings.TrimSuffix(why, "."),
		inquiry.LeakWindow(e.Event, e.From, e.Until, t.location),
	} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	text := parts[0] + "  " + strings.Join(parts[1:], "; ")
	if e.By != "" {
		text += "; by " + e.By
	}
	if t.width <= 0 {
		return t.style.Paint(show.Dim, before) + t.style.Paint(show.Alarm, text)
	}
	lines := show.Lines(text, max(leastLeak, t.width-len(before)))
	for i, line := range lines {
		lines[i] = strings.Repeat(" ", len(before)) + t.style.Paint(show.Alarm, line)
	}
	lines[0] = t.style.Paint(show.Dim, before) + strings.TrimLeft(lines[0], " ")
	return strings.Join(lines, "\n")
}

// leastLeak is how many cells the words of a leak have, however narrow the terminal is.
const leastLeak = 20

// tailWord is the outcome of a request, or the event of another record, and its colour.
func tailWord(e *reading.Entry) (string, show.Color) {
	word := string(e.Event)
	switch e.Event {
	case audit.EventServe, audit.EventBypass, audit.EventDeny:
		if e.Outcome != "" {
			word = e.Outcome
		}
	}
	switch e.Event {
	case audit.EventServe:
		return word, show.Good
	case audit.EventStore, audit.EventRefresh:
		return word, show.Info
	case audit.EventDeny, audit.EventRefuse, audit.EventPurge, audit.EventReset:
		return word, show.Warn
	case audit.EventDiverge, audit.EventFault:
		return word, show.Bad
	case audit.EventWithdraw, audit.EventTrip, audit.EventLeak, audit.EventDrop:
		return word, show.Alarm
	case audit.EventClear:
		return word, show.Good
	case audit.EventExpire, audit.EventEvict:
		return word, show.Dim
	}
	if e.Outcome == "fault" {
		return word, show.Bad
	}
	return word, show.Plain
}

// life is what is left of an object's freshness.
func life(e *reading.Entry) string {
	switch {
	case e.Object == "" || e.Event == audit.EventWithdraw:
		return ""
	case e.Event == audit.EventExpire || e.Event == audit.EventEvict:
		return show.Seconds(e.Age) + " old"
	case e.TTL < 0:
		return show.Seconds(-e.TTL) + " stale"
	}
	return show.Seconds(e.TTL) + " left"
}

// why is the reason and what it means, or whatever else a record is about.
func (t *tailLine) why(e *reading.Entry) string {
	var parts []string
	add := func(text string) {
		if text != "" {
			parts = append(parts, text)
		}
	}
	if e.Divergence != nil && e.Divergence.Class != "" {
		add(e.Divergence.Class)
		if e.Divergence.Near != "" {
			add("near " + e.Divergence.Near)
		}
	}
	for i, code := range e.Reasons {
		text := code
		if i == 0 && t.reasons[code].Sentence != "" {
			text += ": " + t.reasons[code].Sentence
		}
		add(text)
	}
	if e.Would != "" {
		add("would have been " + e.Would)
	}
	if e.Records > 0 {
		add(fmt.Sprintf("%s records were lost: the queue was full", show.Count(e.Records)))
	}
	if e.Event == audit.EventPurge {
		add(fmt.Sprintf("removed %s", show.Count(e.Removed)))
	}
	add(inquiry.LeakWindow(e.Event, e.From, e.Until, t.location))
	add(e.Why)
	if e.By != "" {
		add("by " + e.By)
	}
	add(e.Detail)
	add(e.Error)
	return strings.Join(parts, "; ")
}

// grown is the width of a column that has to hold a text as well, within bounds.
func grown(width int, text string, most int) int {
	return min(most, max(width, show.Width(show.Safe(text))))
}

func orNone(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// jsonLine is the record as it was read. Characters that a terminal would obey stand as
// escapes, so that it is the same JSON.
func jsonLine(e *reading.Entry) string {
	var b strings.Builder
	for raw := e.Raw; len(raw) > 0; {
		r, size := utf8.DecodeRune(raw)
		switch {
		case r == utf8.RuneError && size == 1:
			b.WriteString(`\ufffd`) // as every reader of JSON takes it
		case r < ' ':
			b.WriteByte(' ') // between tokens: in strings JSON has none
		case r == 0x7f || r > 0x7f && !unicode.IsPrint(r):
			if r > 0xffff {
				r -= 0x10000
				fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
			} else {
				fmt.Fprintf(&b, `\u%04x`, r)
			}
		default:
			b.Write(raw[:size])
		}
		raw = raw[size:]
	}
	return b.String()
}
