package report

import (
	"slices"
	"strings"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/inquiry"
	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// happening is something that nobody who reads the report may miss, in words.
type happening struct {
	Time  time.Time
	Event string
	Word  string
	Text  string
	Why   string
	By    string
	// Next is the command that tells more.
	Next string
	// Steps are what to do about it, one after the other.
	Steps [][]fragment
}

func happenings(notable []inquiry.Notable, loc *time.Location) []happening {
	list := make([]happening, 0, len(notable))
	for i := range notable {
		list = append(list, inWords(&notable[i], loc))
	}
	return list
}

// inWords says what happened. Its texts hold values from the log.
func inWords(n *inquiry.Notable, loc *time.Location) happening {
	h := happening{Time: n.Time, Event: n.Event, Why: n.Why, By: n.By}
	switch audit.Event(n.Event) {
	case audit.EventTrip:
		h.Word, h.Text = "stopped", "Caching was stopped: "+orWord(n.Scope, "everything")+"."
	case audit.EventReset:
		h.Word, h.Text = "resumed", "Caching goes on: "+orWord(n.Scope, "everything")+"."
	case audit.EventPurge:
		h.Word, h.Text = "purged", "Purged: "+orWord(n.Scope, "something not told")+"; "+counted(n.Removed, "object", "objects")
		if n.Soft {
			h.Text += " made stale"
		}
		h.Text += "."
	case audit.EventDrop:
		h.Word, h.Text = "lost", counted(max(1, n.Records), "record was", "records were")+" not written: the queue of the log was full."
	case audit.EventWithdraw:
		h.Word = "withdrawn"
		h.Text = "A page that had been shared is not shareable (" + orWord(n.Reason, "no reason told") + "): " + orWord(n.URL, "no URL told")
		if n.Route != "" {
			h.Text = "Route " + n.Route + ": a" + h.Text[1:]
		}
		h.Next = servedCommand(n.Object)
	case audit.EventLeak:
		h.Word, h.Text = "leak", "A probe from outside was given what belongs to another visitor: "+probed(n)
		h.Text += window(n, loc) + ". Whom a cache in front gave that page to meanwhile, only its own log can tell."
		h.Next, h.Steps = servedURLCommand(probed(n)), leakSteps(n)
	case audit.EventClear:
		h.Word, h.Text = "leak over", "Probes find no leak any more: "+probed(n)+window(n, loc)+"."
		h.Steps = clearSteps()
	default:
		h.Word, h.Text = "fault", "A fault of Cacheward's own: "+orWord(n.Reason, "no reason told")
		if n.Error != "" {
			h.Text += ": " + n.Error
		}
		h.Text += ". The request went to the app."
	}
	return h
}

// probed is the URL of a leak.
func probed(n *inquiry.Notable) string {
	return orWord(strings.TrimPrefix(orWord(n.URL, n.Scope), "url "), "no URL told")
}

// window is when a leak began, or how long it was there; empty where that is not told.
func window(n *inquiry.Notable, loc *time.Location) string {
	if text := inquiry.LeakWindow(audit.Event(n.Event), n.From, n.Until, loc); text != "" {
		return "; " + text
	}
	return ""
}

func orWord(s, instead string) string {
	if s == "" {
		return instead
	}
	return s
}

// graveEvents: somebody may have been given what was not theirs, or nobody can tell.
var graveEvents = []audit.Event{audit.EventLeak, audit.EventWithdraw, audit.EventTrip, audit.EventDrop}

// marked are the events that are marked on the chart, the gravest first.
var marked = []audit.Event{
	audit.EventLeak, audit.EventWithdraw, audit.EventTrip, audit.EventReset, audit.EventClear, audit.EventPurge, audit.EventDrop,
}

// newMarks places what happened on the chart: of events of one kind that would stand on
// one another, one mark. rows is how many lines of labels there are.
func newMarks(a axis, list []happening, loc *time.Location) (marks []mark, rows int) {
	const near, letter = 14, 6.6 // a label's letters are about so wide
	type placed struct {
		happening
		x    float64
		more int
	}
	var all []placed
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(x, y happening) int { return x.Time.Compare(y.Time) })
	for _, h := range list {
		buckets := float64(h.Time.Sub(a.start)) / float64(a.bucket)
		if !slices.Contains(marked, audit.Event(h.Event)) || h.Time.IsZero() || buckets < 0 || buckets > float64(a.buckets) {
			continue
		}
		x := a.x(buckets)
		if i := slices.IndexFunc(all, func(p placed) bool { return p.Event == h.Event && x-p.x < near }); i >= 0 {
			all[i].more++
			continue
		}
		all = append(all, placed{happening: h, x: x})
	}
	var ends [markRows]float64
	rows = 0
	for _, p := range all[:min(len(all), maxMarks)] {
		m := mark{X: px(p.x), Kind: p.Event, Text: show.Time(p.Time, loc) + ": " + p.Text, Anchor: "start"}
		if p.more > 0 {
			m.Text += " And " + show.Count(int64(p.more)) + " more of the kind, shortly after."
		}
		wide := letter*float64(len(p.Word)) + 8
		from := p.x + 4
		if from+wide > chartWidth {
			m.Anchor, from = "end", p.x-4-wide
		}
		for row := range ends {
			if from >= ends[row] {
				ends[row] = from + wide
				m.Label, m.TextY = p.Word, px(float64(chartTop+row*markRow)+4)
				rows = max(rows, row+1)
				break
			}
		}
		marks = append(marks, m)
	}
	return marks, rows
}

// LabelX is where the label stands, beside the line.
func (m mark) LabelX() string {
	if m.Anchor == "end" {
		return "-4"
	}
	return "4"
}

// gravity orders what happened: the gravest first.
func gravity(h happening) int { return slices.Index(marked, audit.Event(h.Event)) }
