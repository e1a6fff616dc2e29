package inquiry

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
)

// Notable is something that happened and that nobody who reads a summary should miss.
type Notable struct {
	Time time.Time `json:"time"`
	// Edge is where it happened, one of several that work together.
	Edge string `json:"edge,omitempty"`
	// Event is leak, clear, trip, reset, purge, drop, withdraw or fault.
	Event string `json:"event"`
	// Scope is what an operator named: "route landing", "everything"; of a leak what was
	// probed: "url https://…".
	Scope string `json:"scope,omitempty"`
	By    string `json:"by,omitempty"`
	Why   string `json:"why,omitempty"`
	Soft  bool   `json:"soft,omitempty"`
	// Removed is how many objects went.
	Removed int64 `json:"removed,omitempty"`
	// Records is how many were lost: drop.
	Records int64  `json:"records,omitempty"`
	Route   string `json:"route,omitempty"`
	URL     string `json:"url,omitempty"`
	Object  string `json:"object,omitempty"`
	// Reason is the code of the first reason: withdraw, fault.
	Reason string `json:"reason,omitempty"`
	Error  string `json:"error,omitempty"`
	Detail string `json:"detail,omitempty"`
	// From and Until are when a leak began, as far as is known, or how long it was there, as
	// in [reading.Entry]; Kind is what proves it, Input what the probes differed in.
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
	Kind  string    `json:"kind,omitempty"`
	Input string    `json:"input,omitempty"`
}

func (n *Notable) compare(o *Notable) int {
	return cmp.Or(
		o.Time.Compare(n.Time), strings.Compare(n.Event, o.Event), strings.Compare(n.Scope, o.Scope), strings.Compare(n.By, o.By),
		strings.Compare(n.Why, o.Why), strings.Compare(n.Route, o.Route), strings.Compare(n.URL, o.URL),
		strings.Compare(n.Object, o.Object), strings.Compare(n.Reason, o.Reason), strings.Compare(n.Error, o.Error),
		strings.Compare(n.Detail, o.Detail), cmp.Compare(n.Removed, o.Removed), cmp.Compare(n.Records, o.Records),
		n.From.Compare(o.From), n.Until.Compare(o.Until), strings.Compare(n.Kind, o.Kind), strings.Compare(n.Input, o.Input),
		strings.Compare(n.Edge, o.Edge),
	)
}

// notables counts what is notable, and keeps the latest of each event.
type notables struct {
	counts words
	latest map[audit.Event][]Notable
}

// maxNotable is how many of one event are kept.
const maxNotable = 100

func newNotables() notables {
	return notables{counts: words{}, latest: make(map[audit.Event][]Notable)}
}

func (n *notables) add(e *reading.Entry) {
	switch e.Event {
	case audit.EventTrip, audit.EventReset, audit.EventPurge, audit.EventDrop, audit.EventWithdraw, audit.EventFault,
		audit.EventLeak, audit.EventClear:
	default:
		return
	}
	at := time.Time{}
	if ns, ok := moment(e.Time); ok {
		at = time.Unix(0, ns).UTC()
	}
	reason := ""
	if len(e.Reasons) > 0 {
		reason = e.Reasons[0]
	}
	var evidence reading.Evidence
	why := e.Why
	if e.Evidence != nil {
		evidence = *e.Evidence
		why = orWord(why, evidence.Sentence)
	}
	n.counts.add(string(e.Event), one)
	n.keep(e.Event, Notable{
		From: e.From, Until: e.Until, Kind: evidence.Kind, Input: evidence.Input,
		Time: at, Edge: e.Edge, Event: string(e.Event), Scope: e.Scope, By: e.By, Why: why, Soft: e.Soft, Removed: e.Removed,
		Records: e.Records, Route: e.Route, URL: e.URL, Object: e.Object, Reason: reason, Error: e.Error, Detail: e.Detail,
	})
}

// keep lets the oldest go when there are twice as many as are kept.
func (n *notables) keep(event audit.Event, list ...Notable) {
	list = append(n.latest[event], list...)
	if len(list) >= 2*maxNotable {
		list = latestOf(list)
	}
	n.latest[event] = list
}

func latestOf(list []Notable) []Notable {
	slices.SortFunc(list, func(a, b Notable) int { return a.compare(&b) })
	return list[:min(len(list), maxNotable)]
}

func (n *notables) merge(o *notables) {
	n.counts.merge(o.counts)
	for event, list := range o.latest {
		n.keep(event, list...)
	}
}

// list is what is kept, the latest first.
func (n *notables) list() []Notable {
	all := []Notable{}
	for _, list := range n.latest {
		all = append(all, latestOf(list)...)
	}
	slices.SortFunc(all, func(a, b Notable) int { return a.compare(&b) })
	return all
}
