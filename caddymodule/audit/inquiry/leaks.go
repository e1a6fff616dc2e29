package inquiry

import (
	"cmp"
	"sort"
	"strings"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// Leak is a time in which a page leaked: probes from outside were given what belongs to
// others. Records of the events leak and clear tell of it.
type Leak struct {
	// URL that was probed, as records have it; Route that it is of, of several with commas
	// between.
	URL   string `json:"url"`
	Route string `json:"route,omitempty"`
	// Why says in a sentence what was found, Kind what it proves it by (canary, receipt,
	// refused), Input what the probes differed in.
	Why   string `json:"why,omitempty"`
	Kind  string `json:"kind,omitempty"`
	Input string `json:"input,omitempty"`
	// Clean is when the last probe began that had found none, nil where none is known. Found
	// is when it was first found, Over when the first probe began that finds none any more; nil:
	// as far as was read, it goes on.
	Clean *time.Time `json:"last_clean,omitempty"`
	Found time.Time  `json:"found"`
	Over  *time.Time `json:"over,omitempty"`
}

// LeakWindow says when a leak began, of a record of the event leak, or how long it was there,
// of one of the event clear: "it began within 2026-11-23 03:00:00 – 03:00:10 UTC (10 s)".
// Empty: the record does not say.
func LeakWindow(event audit.Event, from, until time.Time, loc *time.Location) string {
	switch {
	case until.IsZero():
		return ""
	case event == audit.EventLeak && from.IsZero():
		return "the first probe found it, " + show.Time(until, loc) + "; when it began is not known"
	case event == audit.EventLeak:
		return "it began within " + show.Span(from, until, loc)
	case event == audit.EventClear && !from.IsZero():
		return "it leaked " + show.Span(from, until, loc)
	}
	return ""
}

// leakSentence is what was found, without a full stop.
func leakSentence(e *reading.Entry) string {
	text := e.Why
	if text == "" && e.Evidence != nil {
		text = e.Evidence.Sentence
	}
	return orWord(strings.TrimSuffix(text, "."), "a probe was given what belongs to another visitor")
}

// sighting is a record of the event leak or clear.
type sighting struct {
	at, from, until int64 // Unix nanoseconds; from and until zero where the record does not say
	clear           bool
	scope, url      text
	route, by       text
	why, kind       text
	input           text
}

// leak is what sightings tell together: a leak, and its end.
type leak struct {
	sighting
	clean, found, over int64 // as in [Leak]; clean and over zero where they are not known
}

func (l *lives) sighting(e *reading.Entry) sighting {
	s := sighting{
		at: e.Time.UnixNano(), from: nanoseconds(e.From), until: nanoseconds(e.Until), clear: e.Event == audit.EventClear,
		scope: l.names.keep(e.Scope), url: l.names.keep(e.URL), route: l.names.keep(e.Route), by: l.names.keep(e.By),
	}
	if s.clear {
		return s
	}
	s.why = l.names.keep(leakSentence(e))
	if v := e.Evidence; v != nil {
		s.kind, s.input = l.names.keep(v.Kind), l.names.keep(v.Input)
	}
	return s
}

// nanoseconds are those of a time, zero for none.
func nanoseconds(t time.Time) int64 {
	ns, _ := moment(t)
	return ns
}

func (l *lives) compareSightings(s, o sighting) int {
	if c := cmp.Or(cmp.Compare(s.at, o.at), cmp.Compare(btoi(s.clear), btoi(o.clear)), cmp.Compare(s.from, o.from), cmp.Compare(s.until, o.until)); c != 0 {
		return c
	}
	return cmp.Or(l.names.compare(s.scope, o.scope), l.names.compare(s.url, o.url), l.names.compare(s.route, o.route), l.names.compare(s.by, o.by),
		l.names.compare(s.why, o.why), l.names.compare(s.kind, o.kind), l.names.compare(s.input, o.input))
}

// pairLeaks puts leaks and their ends together. The sightings are sorted.
func (l *lives) pairLeaks() {
	l.leaks = l.leaks[:0]
	open := make(map[text][]int) // by what was probed: which of the leaks
	for _, s := range l.sightings {
		if !s.clear {
			open[s.scope] = append(open[s.scope], len(l.leaks))
			l.leaks = append(l.leaks, leak{sighting: s, clean: s.from, found: cmp.Or(s.until, s.at)})
			continue
		}
		over := cmp.Or(s.until, s.at)
		for _, i := range open[s.scope] {
			l.leaks[i].over = over
		}
		if len(open[s.scope]) == 0 { // its beginning was not read
			l.leaks = append(l.leaks, leak{sighting: s, found: cmp.Or(s.from, s.at), over: over})
		}
		delete(open, s.scope)
	}
	l.pathLeaks, l.routeLeaks = make(map[string][]int), make(map[string][]int)
	for i := range l.leaks {
		k := &l.leaks[i]
		path := pathOf(l.page(k))
		l.pathLeaks[path] = append(l.pathLeaks[path], i)
		for route := range strings.SplitSeq(l.names.of(k.route), ", ") {
			if route != "" {
				l.routeLeaks[route] = append(l.routeLeaks[route], i)
			}
		}
	}
}

// page is the URL that was probed.
func (l *lives) page(k *leak) string {
	if k.url != 0 {
		return l.names.of(k.url)
	}
	return strings.TrimPrefix(l.names.of(k.scope), "url ")
}

// during says whether there may have been a leak in a time. Zero: not bounded on that side.
func (k *leak) during(since, until int64) bool {
	return (k.over == 0 || since < k.over) && (until == 0 || k.clean < until)
}

// samePage says whether two URLs have one host and path. One without a host may be on any.
func samePage(a, b string) bool {
	if pathOf(a) != pathOf(b) {
		return false
	}
	hostA, hostB := hostOf(a), hostOf(b)
	return hostA == hostB || hostA == "" || hostB == ""
}

// leakTurns are the leaks of an object's page, and their ends; where there are none, the first
// on another page of its route. Gone is when the object was, zero: not as far as is known.
func (l *lives) leakTurns(began, gone int64, route, pageURL string) []Turn {
	ofPage := func(k *leak) bool { return pageURL != "" && samePage(l.page(k), pageURL) }
	if found := l.leaksNear(l.pathLeaks[pathOf(pageURL)], began, gone, maxLeakTurns, ofPage); len(found) > 0 {
		return l.turnsOf(found, gone, true)
	}
	return l.turnsOf(l.leaksNear(l.routeLeaks[route], began, gone, 1, func(k *leak) bool { return !ofPage(k) }), gone, false)
}

// Of an object, so many leaks are told; so many are looked at, of these some that were found
// before the object was there: one of them may be going on.
const (
	maxLeakTurns  = 20
	leaksLookedAt = 64
	leaksBefore   = 8
)

// leaksNear are the first of a list that are meant and may have been there in a time.
func (l *lives) leaksNear(list []int, began, gone int64, most int, meant func(*leak) bool) []*leak {
	start := sort.Search(len(list), func(i int) bool { return l.leaks[list[i]].at >= began })
	start = max(0, start-leaksBefore)
	var found []*leak
	for _, i := range list[start:min(len(list), start+leaksLookedAt)] {
		if k := &l.leaks[i]; len(found) < most && k.during(began, gone) && meant(k) {
			found = append(found, k)
		}
	}
	return found
}

// turnsOf tells leaks of an object's page, or of another.
func (l *lives) turnsOf(leaks []*leak, gone int64, ofPage bool) []Turn {
	var turns []Turn
	for _, k := range leaks {
		// Without a probe before it, nobody knows whether it leaked when the object was there.
		perhaps := !ofPage || k.clean == 0 && gone != 0 && gone < k.found
		scope, by := "url "+l.page(k), l.names.of(k.by)
		found := Turn{Time: time.Unix(0, k.found), What: Leaked, Why: l.names.of(k.why), By: by, Scope: scope, Perhaps: perhaps}
		if k.clean != 0 {
			clean := time.Unix(0, k.clean)
			found.Clean = &clean
		}
		turns = append(turns, found)
		if k.over != 0 {
			turns = append(turns, Turn{Time: time.Unix(0, k.over), What: Cleared, By: by, Scope: scope, Perhaps: perhaps})
		}
	}
	return turns
}

// told is a leak for an answer.
func (l *lives) told(k *leak, o AnswerOptions) Leak {
	at := func(ns int64) *time.Time {
		if ns == 0 {
			return nil
		}
		t := o.time(ns)
		return &t
	}
	return Leak{
		URL: l.page(k), Route: l.names.of(k.route), Why: l.names.of(k.why), Kind: l.names.of(k.kind), Input: l.names.of(k.input),
		Clean: at(k.clean), Found: o.time(k.found), Over: at(k.over),
	}
}

// leaksDuring are those of a time, of pages that are meant. Zero: not bounded on that side.
func (l *lives) leaksDuring(since, until time.Time, o AnswerOptions, meant func(page string) bool) []Leak {
	var leaks []Leak
	for i := range l.leaks {
		if k := &l.leaks[i]; k.during(nanoseconds(since), nanoseconds(until)) && meant(l.page(k)) {
			leaks = append(leaks, l.told(k, o))
		}
	}
	return leaks
}

// window says when it leaked, as far as is known.
func (k *Leak) window(loc *time.Location) string {
	var clean time.Time
	if k.Clean != nil {
		clean = *k.Clean
	}
	text := LeakWindow(audit.EventLeak, clean, k.Found, loc)
	if k.Over != nil {
		text += ", and was over " + show.Time(*k.Over, loc)
	}
	return text
}
