package inquiry

import (
	"fmt"
	"strings"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// alarms says what nobody should miss, before any figure.
func (a *SummaryAnswer) alarms(p *page) {
	if a.Lost > 0 {
		p.say(show.Alarm, "", fmt.Sprintf("Not complete: %s lost because the queue of the log was full. Every count is too low.",
			countedWere(a.Lost, "record")))
	}
	if a.Unserved {
		p.say(show.Alarm, "", "Not complete: no serve records were written (serves none). Requests that were served from the cache are in no figure.")
	}
	if len(a.Notable) == 0 {
		return
	}
	p.heading("What happened")
	for _, event := range alarming {
		a.happened(p, event)
	}
}

// alarming are the notable events, the most alarming first.
var alarming = []audit.Event{
	audit.EventLeak, audit.EventWithdraw, audit.EventTrip, audit.EventReset, audit.EventClear, audit.EventPurge, audit.EventDrop, audit.EventFault,
}

// happened tells the latest of one event. What has the same words is told once.
func (a *SummaryAnswer) happened(p *page, event audit.Event) {
	var latest []*Notable
	times, edges := make(map[string]int), make(map[string][]string)
	all := countOf(a.Events, string(event))
	for i := range a.Notable {
		n := &a.Notable[i]
		if n.Event != string(event) {
			continue
		}
		_, _, text := n.words(p.o.Location)
		if times[text]++; times[text] == 1 {
			latest = append(latest, n)
		}
		if len(a.Edges) > 0 {
			edges[text] = append(edges[text], n.Edge)
		}
	}
	told := int64(0)
	for i, n := range latest {
		if i == textNotable {
			break
		}
		color, what, text := n.words(p.o.Location)
		where := onEdges(edges[text])
		if same := times[text]; same > 1 {
			told += int64(same)
			text += where + fmt.Sprintf(" (%s, this is the last)", counted(same, "time", "times"))
		} else {
			told++
			text += where
		}
		p.happening(show.Time(n.Time, p.o.Location), color, what, text)
	}
	if more := all - told; more > 0 {
		p.happening("", show.Dim, eventWord(string(event)), "and "+show.Count(more)+" more")
	}
}

// happening writes a time, a word, and sentences in lines under one another.
func (p *page) happening(at string, c show.Color, what, text string) {
	const before, beside = len("2026-11-23 03:00:00"), len("withdrawn")
	for i, line := range show.Lines(text, p.prose()-before-beside-6) {
		if i > 0 {
			p.line("%s%s", strings.Repeat(" ", before+beside+6), line)
			continue
		}
		p.line("  %s%s  %s%s  %s", p.o.Style.Paint(show.Dim, at), strings.Repeat(" ", max(0, before-show.Width(at))),
			p.o.Style.Paint(c, what), strings.Repeat(" ", max(0, beside-show.Width(what))), line)
	}
}

// eventWord is how an event is called in texts.
func eventWord(event string) string {
	switch audit.Event(event) {
	case audit.EventTrip:
		return "stopped"
	case audit.EventReset:
		return "resumed"
	case audit.EventPurge:
		return "purged"
	case audit.EventDrop:
		return "lost"
	case audit.EventWithdraw:
		return "withdrawn"
	case audit.EventLeak:
		return "leak"
	case audit.EventClear:
		return "leak over"
	}
	return event
}

// words says what happened, and how loudly.
func (n *Notable) words(loc *time.Location) (c show.Color, what, text string) {
	what = eventWord(n.Event)
	switch audit.Event(n.Event) {
	case audit.EventTrip:
		c, text = show.Alarm, "caching of "+orWord(n.Scope, "everything")
	case audit.EventReset:
		c, text = show.Warn, "caching of "+orWord(n.Scope, "everything")
	case audit.EventPurge:
		c, text = show.Warn, fmt.Sprintf("%s, %s dropped", orWord(n.Scope, "something"), counted(int(n.Removed), "object", "objects"))
		if n.Soft {
			text = strings.TrimSuffix(text, "dropped") + "made stale"
		}
	case audit.EventDrop:
		return show.Alarm, what, countedWere(max(1, n.Records), "record") + " not written"
	case audit.EventWithdraw:
		c, text = show.Alarm, fmt.Sprintf("a page that had been shared is not shareable (%s): %s, object %s; see cacheward audit served",
			orWord(n.Reason, "no reason told"), orWord(n.URL, "no URL told"), orWord(n.Object, "not known"))
	case audit.EventLeak, audit.EventClear:
		return n.leakWords(loc)
	default:
		c, text = show.Bad, orWord(n.Reason, "a fault of Cacheward's own")
		if n.Error != "" {
			text += ": " + n.Error
		}
	}
	if n.Why != "" {
		text += ": " + n.Why
	}
	if n.By != "" {
		text += " (by " + n.By + ")"
	}
	return c, what, text
}

// leakWords tells of a leak or its end. Whom a cache in front gave what to is not on record.
func (n *Notable) leakWords(loc *time.Location) (c show.Color, what, text string) {
	what = eventWord(n.Event)
	text = strings.TrimPrefix(orWord(n.Scope, n.URL), "url ")
	if n.Event == string(audit.EventClear) {
		c, text = show.Good, orWord(text, "what was probed")+": probes find none any more"
	} else {
		c, text = show.Alarm, orWord(text, "no URL told")+": "+strings.TrimSuffix(orWord(n.Why, "a probe was given what belongs to another visitor"), ".")
	}
	if window := LeakWindow(audit.Event(n.Event), n.From, n.Until, loc); window != "" {
		text += "; " + window
	}
	if n.By != "" {
		text += " (by " + n.By + ")"
	}
	return c, what, text
}

func orWord(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}

func countedWere(n int64, what string) string {
	if n == 1 {
		return "1 " + what + " was"
	}
	return show.Count(n) + " " + what + "s were"
}
