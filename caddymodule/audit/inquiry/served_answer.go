package inquiry

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// AnswerSchema is the version of the answers' JSON format. It changes when a member
// changes its meaning or goes, not when one is added.
const AnswerSchema = 1

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
	// Serves is how often an object was served, Visitors to how many different ones.
	Serves   int `json:"serves"`
	Visitors int `json:"visitors"`
	// First and Last time that one was served.
	First *time.Time `json:"first,omitempty"`
	Last  *time.Time `json:"last,omitempty"`
	// OwnAnswers is how many requests for what was asked about were given the origin's
	// answer to their own request, and no object.
	OwnAnswers int `json:"own_answers"`
	// Objects, the oldest first.
	Objects []ServedObject `json:"objects"`
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

	Serves   int        `json:"serves"`
	Visitors int        `json:"visitors"`
	First    *time.Time `json:"first,omitempty"`
	Last     *time.Time `json:"last,omitempty"`
	// Served are all of them, the earliest first.
	Served []ServedTo `json:"served"`
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
}

// ServedTo is one visitor being served an object.
type ServedTo struct {
	Time    time.Time `json:"time"`
	Visitor string    `json:"visitor,omitempty"`
	URL     string    `json:"url"`
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
	slices.SortFunc(s.rows, func(a, b serving) int { return a.compare(&b) })
	// Of its own, or the ID of an object without a record would be lost.
	byObject := make(map[interned][]serving)
	for _, row := range s.rows {
		byObject[row.object] = append(byObject[row.object], row)
	}
	a := &ServedAnswer{Schema: AnswerSchema, OwnAnswers: s.own, Objects: []ServedObject{}}
	successors := s.lives.successors()
	visitors := make(map[interned]bool)
	earliest, named := int64(0), false
	for id, life := range s.lives.objects {
		rows := byObject[id]
		if !s.wants(id, rows) {
			continue
		}
		object := s.object(id, life, rows, successors, o)
		a.Objects = append(a.Objects, object)
		a.Serves += object.Serves
		a.First, a.Last = earlier(a.First, object.First), later(a.Last, object.Last)
		for i := range rows {
			visitors[rows[i].visitor] = true
		}
		if began := began(id, life, rows); !named || began < earliest {
			earliest, named = began, true
		}
	}
	delete(visitors, intern(""))
	a.Visitors = len(visitors)
	slices.SortFunc(a.Objects, func(x, y ServedObject) int {
		return cmp.Or(compareTimes(x.Filled, y.Filled), cmp.Compare(x.Object, y.Object))
	})
	since := s.options.Since
	if named && time.Unix(0, earliest).After(since) {
		since = time.Unix(0, earliest)
	}
	a.Incomplete = s.coverage.incomplete(since, s.options.Until, o)
	a.Notes = s.notes(a)
	return a, nil
}

// wants says whether an object belongs into the answer.
func (s *Served) wants(id interned, rows []serving) bool {
	if s.selection.all() {
		return len(rows) > 0
	}
	if _, ok := s.selection.objects[id.Value()]; ok {
		return true
	}
	bounded := !s.options.Since.IsZero() || !s.options.Until.IsZero() || s.options.Keep != nil
	return s.selected[id] && (len(rows) > 0 || !bounded)
}

func (s *Served) object(id interned, l *life, rows []serving, successors map[interned][]successor, o AnswerOptions) ServedObject {
	object := ServedObject{
		Object: id.Value(), Key: l.key.Value(), Route: l.route.Value(), Serves: len(rows),
		Served: make([]ServedTo, 0, len(rows)),
	}
	page := ""
	if l.stored != nil {
		page = l.stored.url
		object.Stored = &Stored{
			Time: o.time(l.stored.at), URL: page, Status: l.stored.status, Size: l.stored.size,
			OriginMS: l.stored.originMS, Reasons: l.stored.reasons, Findings: l.stored.findings,
		}
	} else if len(rows) > 0 {
		page = rows[0].url
	}
	if at := filled(object.Object); at != 0 {
		t := o.time(at)
		object.Filled = &t
	}
	object.Turns = s.lives.turns(object.Object, l, page, successors)
	for i := range object.Turns {
		object.Turns[i].Time = o.time(object.Turns[i].Time.UnixNano())
	}
	object.State = stateOf(l, object.Turns)
	visitors := make(map[interned]bool)
	for i := range rows {
		r := &rows[i]
		if r.visitor.Value() != "" {
			visitors[r.visitor] = true
		}
		object.Served = append(object.Served, ServedTo{
			Time: o.time(r.at), Visitor: r.visitor.Value(), URL: r.url, Codes: codesOf(r.url, nil),
			Outcome: r.outcome.Value(), Status: r.status, Age: r.age,
		})
	}
	object.Visitors = len(visitors)
	if len(rows) > 0 {
		object.First, object.Last = &object.Served[0].Time, &object.Served[len(rows)-1].Time
	}
	object.Cause = s.lives.causeIn(object.Object, l, o)
	return object
}

// causeIn is the request that caused the fill of an object, for an answer.
func (l *lives) causeIn(id string, of *life, o AnswerOptions) *Cause {
	c, own := l.causedBy(id, of)
	if c == nil {
		return nil
	}
	return &Cause{Time: o.time(c.at), Visitor: c.visitor.Value(), URL: c.url, Codes: codesOf(c.url, nil), Own: own}
}

// notes say how to take the figures.
func (s *Served) notes(a *ServedAnswer) []string {
	var notes []string
	if a.Serves > 0 {
		notes = s.coverage.notes()
	}
	unknown := 0
	for i := range a.Objects {
		if a.Objects[i].Stored == nil {
			unknown++
		}
	}
	if unknown > 0 {
		notes = append(notes, fmt.Sprintf("of %s, no record of the admission was read: it may be in an older log, or the response was never stored and only streamed to the visitor who caused it",
			counted(unknown, "object", "objects")))
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
func began(id interned, l *life, rows []serving) int64 {
	at := filled(id.Value())
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
