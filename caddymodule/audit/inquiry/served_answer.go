package inquiry

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// AnswerSchema is the version of the answers' JSON format. It changes when a member
// changes its meaning or goes, not when one is added.
const AnswerSchema = 2

// AnswerOptions are what an answer takes from outside of the records.
type AnswerOptions struct {
	// Location of the times in the answer. Nil: UTC.
	Location *time.Location
	// Unread says in words what could not be read, so that records may be missing.
	Unread []string
}

func (o AnswerOptions) time(ns int64) time.Time {
	loc := o.Location
	if loc == nil {
		loc = time.UTC
	}
	return time.Unix(0, ns).Round(time.Millisecond).In(loc)
}

// ServedAnswer is who was served what.
type ServedAnswer struct {
	Schema int `json:"schema"`
	// Incomplete says why there are more who were served than are listed. Empty: as far
	// as records can tell, there are not.
	Incomplete []string `json:"incomplete,omitempty"`
	// Notes say how to take the figures.
	Notes []string `json:"notes,omitempty"`
	// Serves is how often an object was served, Probes how often of these to a probe, which
	// is no visitor; Visitors is to how many different ones.
	Serves   int `json:"serves"`
	Probes   int `json:"probes,omitempty"`
	Visitors int `json:"visitors"`
	// First and Last time that one was served.
	First *time.Time `json:"first,omitempty"`
	Last  *time.Time `json:"last,omitempty"`
	// OwnAnswers is how many requests for what was asked about were given the origin's
	// answer to their own request, and no object; OwnProbes how many of these were probes.
	OwnAnswers int `json:"own_answers"`
	OwnProbes  int `json:"own_answers_of_probes,omitempty"`
	// Leaks are what probes from outside have found on the pages that were asked about: whom
	// a cache in front has given them to, only that cache knows.
	Leaks []Leak `json:"leaks,omitempty"`
	// Objects, the oldest first.
	Objects List[ServedObject] `json:"objects"`

	unknown int  // of how many no admission is on record
	edges   bool // they were served by more than one
}

// ServedObject is one object and those who were served it.
type ServedObject struct {
	Object string `json:"object"`
	Key    string `json:"key,omitempty"`
	Route  string `json:"route,omitempty"`
	// Filled is when the fill began that made it.
	Filled *time.Time `json:"filled,omitempty"`
	// Stored is what the record of its admission says; nil if none was read.
	Stored *Stored `json:"stored,omitempty"`
	// Cause is the visitor's request that caused the fill; nil if no record tells.
	Cause *Cause `json:"cause,omitempty"`
	// State is what became of it in the end, Turns how.
	State string `json:"state"`
	Turns []Turn `json:"turns,omitempty"`

	// Serves, Probes and Visitors are as in [ServedAnswer].
	Serves   int        `json:"serves"`
	Probes   int        `json:"probes,omitempty"`
	Visitors int        `json:"visitors"`
	First    *time.Time `json:"first,omitempty"`
	Last     *time.Time `json:"last,omitempty"`
	// Served are all of them, the earliest first.
	Served List[ServedTo] `json:"served"`
}

// Stored is the admission of an object.
type Stored struct {
	Time time.Time `json:"time"`
	// URL of the canonical request: what the origin was asked.
	URL      string  `json:"url"`
	Status   int     `json:"status"`
	Size     int64   `json:"size_bytes"`
	OriginMS float64 `json:"origin_ms"`
	Reasons  string  `json:"reasons,omitempty"`
	// Findings is how many places of the response looked like state of a visitor and
	// were let pass, because two answers had them alike.
	Findings int `json:"findings,omitempty"`
}

// Cause is the request that caused a fill.
type Cause struct {
	Time    time.Time `json:"time"`
	Visitor string    `json:"visitor,omitempty"`
	URL     string    `json:"url"`
	Codes   Codes     `json:"codes,omitempty"`
	// Own: they were given the origin's answer to their own request, not the object.
	// Which request it was follows from the times.
	Own bool `json:"own"`
	// Probe: it was one, and no visitor's.
	Probe bool `json:"probe,omitempty"`
}

// ServedTo is one visitor, or probe, being served an object.
type ServedTo struct {
	Time    time.Time `json:"time"`
	Visitor string    `json:"visitor,omitempty"`
	Probe   bool      `json:"probe,omitempty"`
	// Edge is which one served them, of several that work together.
	Edge string `json:"edge,omitempty"`
	URL  string `json:"url"`
	// Codes are the parameters that stand in clear.
	Codes   Codes   `json:"codes,omitempty"`
	Outcome string  `json:"outcome"`
	Status  int     `json:"status"`
	Age     float64 `json:"age_s"`
}

// Answer is what was found. The question cannot be added to afterwards. It fails if
// there was more than there is room for.
func (s *Served) Answer(o AnswerOptions) (*ServedAnswer, error) {
	if err := s.options.Room.Err(); err != nil {
		return nil, err
	}
	s.lives.sort()
	byObject := s.byObject()
	a := &ServedAnswer{Schema: AnswerSchema, OwnAnswers: s.own, OwnProbes: s.ownProbes}
	var wanted []servedID
	visitors, edges := make(map[text]struct{}), make(map[text]struct{})
	for id, life := range s.lives.objects {
		rows := byObject[id]
		if !s.wants(id, rows) {
			continue
		}
		name := s.names.of(id)
		wanted = append(wanted, servedID{filled(name), began(name, life, rows), id})
		a.Serves += len(rows)
		a.unknown += btoi(life.stored == nil)
		if len(rows) > 0 {
			first, last := o.time(rows[0].at), o.time(rows[len(rows)-1].at)
			a.First, a.Last = earlier(a.First, &first), later(a.Last, &last)
		}
		for i := range rows {
			edges[rows[i].edge] = struct{}{}
			if rows[i].probe {
				a.Probes++
			} else {
				visitors[rows[i].visitor] = struct{}{}
			}
		}
	}
	delete(visitors, 0)
	delete(edges, 0)
	a.Visitors, a.edges = len(visitors), len(edges) > 1
	slices.SortFunc(wanted, func(x, y servedID) int {
		return cmp.Or(cmp.Compare(x.filled, y.filled), s.names.compare(x.id, y.id))
	})
	successors := s.lives.successors()
	a.Objects = List[ServedObject]{len(wanted), func(i int) ServedObject {
		id := wanted[i].id
		return s.object(id, s.lives.objects[id], byObject[id], successors, o)
	}}
	since := s.options.Since
	if len(wanted) > 0 {
		earliest := slices.MinFunc(wanted, func(x, y servedID) int { return cmp.Compare(x.began, y.began) }).began
		if began := time.Unix(0, earliest); began.After(since) {
			since = began
		}
	}
	a.Leaks = s.leaks(wanted, byObject, since, o)
	a.Incomplete = append(s.coverage.incomplete(since, s.options.Until, o), unlisted(a.Leaks, o)...)
	a.Notes = s.notes(a)
	return a, nil
}

// byObject are the rows of each object, in the order of time.
func (s *Served) byObject() map[text][]serving {
	all := s.rows.take()
	slices.SortFunc(all, func(a, b serving) int { return s.compare(&a, &b) })
	of := make(map[text][]serving)
	for start, end := 0, 0; start < len(all); start = end {
		for end < len(all) && all[end].object == all[start].object {
			end++
		}
		of[all[start].object] = all[start:end]
	}
	return of
}

// servedID is an object that belongs into the answer.
type servedID struct {
	filled, began int64 // Unix nanoseconds
	id            text
}

// Document is the answer as JSON, of which the rows are made one after another.
func (a *ServedAnswer) Document() show.Document {
	head := *a
	head.Objects = List[ServedObject]{}
	return show.Document{Head: head, Rows: func(yield func(show.Document) bool) {
		for object := range a.Objects.All() {
			rows := documents(object.Served.All())
			object.Served = List[ServedTo]{}
			if !yield(show.Document{Head: object, Rows: rows}) {
				return
			}
		}
	}}
}

// wants says whether an object belongs into the answer.
func (s *Served) wants(id text, rows []serving) bool {
	if s.selection.all() {
		return len(rows) > 0
	}
	if _, ok := s.selection.objects[s.names.of(id)]; ok {
		return true
	}
	bounded := !s.options.Since.IsZero() || !s.options.Until.IsZero() || s.options.Keep != nil
	return s.selected[id] && (len(rows) > 0 || !bounded)
}

func (s *Served) object(id text, l *life, rows []serving, successors map[text][]successor, o AnswerOptions) ServedObject {
	object := ServedObject{
		Object: s.names.of(id), Key: s.names.of(l.key), Route: s.names.of(l.route), Serves: len(rows),
		Served: List[ServedTo]{len(rows), func(i int) ServedTo { return s.servedTo(&rows[i], o) }},
	}
	page := s.page(l, rows)
	if l.stored != nil {
		object.Stored = &Stored{
			Time: o.time(l.stored.at), URL: page, Status: int(l.stored.status), Size: l.stored.size,
			OriginMS: l.stored.originMS, Reasons: s.names.of(l.stored.reasons), Findings: int(l.stored.findings),
		}
	}
	if at := filled(object.Object); at != 0 {
		t := o.time(at)
		object.Filled = &t
	}
	object.Turns = s.lives.turns(object.Object, l, page, successors)
	for i := range object.Turns {
		t := &object.Turns[i]
		t.Time = o.time(t.Time.UnixNano())
		if t.Clean != nil {
			*t.Clean = o.time(t.Clean.UnixNano())
		}
	}
	object.State = stateOf(l, object.Turns)
	visitors := make(map[text]struct{})
	for i := range rows {
		switch {
		case rows[i].probe:
			object.Probes++
		case rows[i].visitor != 0:
			visitors[rows[i].visitor] = struct{}{}
		}
	}
	object.Visitors = len(visitors)
	if len(rows) > 0 {
		first, last := o.time(rows[0].at), o.time(rows[len(rows)-1].at)
		object.First, object.Last = &first, &last
	}
	object.Cause = s.lives.causeIn(object.Object, l, o)
	return object
}

func (s *Served) servedTo(r *serving, o AnswerOptions) ServedTo {
	url := s.names.of(r.url)
	return ServedTo{
		Time: o.time(r.at), Visitor: s.names.of(r.visitor), Probe: r.probe, Edge: s.names.of(r.edge), URL: url, Codes: codesOf(url, nil),
		Outcome: s.names.of(r.outcome), Status: int(r.status), Age: r.age,
	}
}

// causeIn is the request that caused the fill of an object, for an answer.
func (l *lives) causeIn(id string, of *life, o AnswerOptions) *Cause {
	c, own := l.causedBy(id, of)
	if c == nil {
		return nil
	}
	url := l.names.of(c.url)
	return &Cause{Time: o.time(c.at), Visitor: l.names.of(c.visitor), URL: url, Codes: codesOf(url, nil), Own: own, Probe: c.probe}
}

// notes say how to take the figures.
func (s *Served) notes(a *ServedAnswer) []string {
	var notes []string
	if a.Serves > 0 {
		notes = s.coverage.notes()
	}
	if a.unknown > 0 {
		notes = append(notes, fmt.Sprintf("of %s, no record of the admission was read: it may be in an older log, or the response was never stored and only streamed to the visitor who caused it",
			counted(a.unknown, "object", "objects")))
	}
	for i := range s.selection.urls {
		if len(s.selection.urls[i].params) > 0 {
			notes = append(notes, "values that records have only as digests (h:...) cannot be compared with those of the URL; they were taken for equal")
			break
		}
	}
	return notes
}

// began is when an object's fill did, or when it is first heard of.
func began(id string, l *life, rows []serving) int64 {
	at := filled(id)
	if at == 0 && l.stored != nil {
		at = l.stored.at
	}
	if at == 0 && len(rows) > 0 {
		at = rows[0].at
	}
	return at
}

func earlier(a, b *time.Time) *time.Time {
	if a == nil || b != nil && b.Before(*a) {
		return b
	}
	return a
}

func later(a, b *time.Time) *time.Time {
	if a == nil || b != nil && b.After(*a) {
		return b
	}
	return a
}

func compareTimes(a, b *time.Time) int {
	switch {
	case a == nil || b == nil:
		return cmp.Compare(btoi(a != nil), btoi(b != nil))
	default:
		return a.Compare(*b)
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
