package inquiry

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// ObjectsOptions say which objects are listed: those that were stored or served in the
// window.
type ObjectsOptions struct {
	// Since, Until, Keep and Room are as in [ServedOptions]; Keep chooses among the
	// records of admissions, too.
	Since, Until time.Time
	Keep         func(*reading.Entry) bool
	Room         *Room
}

// Objects is the question which objects there were, and how much each was served.
type Objects struct {
	options  ObjectsOptions
	lives    lives
	coverage coverage
	names    *textTable
	use      map[text]*use
}

// use is how an object was used in the window.
type use struct {
	stored      bool // in the window
	serves      int
	probes      int   // of the serves
	first, last int64 // Unix nanoseconds
	url         text  // one of those that it was served for, as an example: always the same one
	size        int64
	visitors    map[text]struct{}
}

// NewObjects returns the question.
func NewObjects(o ObjectsOptions) *Objects { return newObjects(o, newTextTable()) }

func newObjects(o ObjectsOptions, names *textTable) *Objects {
	return &Objects{options: o, lives: newLives(o.Room, names), coverage: newCoverage(), names: names, use: make(map[text]*use)}
}

// Fork returns the same question with nothing read, for another worker.
func (q *Objects) Fork() *Objects { return newObjects(q.options, q.names) }

// Add takes note of a record. Records may come in any order.
func (q *Objects) Add(e *reading.Entry) {
	q.coverage.sample(e)
	switch e.Event {
	case audit.EventDrop:
		q.coverage.lose(e)
		return
	case audit.EventBypass: // who caused a fill is not asked
		return
	}
	q.lives.add(e)
	if e.Event != audit.EventServe && e.Event != audit.EventStore || e.Object == "" ||
		!within(e, q.options.Since, q.options.Until, q.options.Keep) || q.lives.object(e) == nil {
		return
	}
	id := q.names.keep(e.Object)
	u := q.use[id]
	if u == nil {
		u = &use{visitors: make(map[text]struct{})}
		q.use[id] = u
	}
	if e.Event == audit.EventStore {
		u.stored = true
		return
	}
	q.coverage.count(e)
	at := e.Time.UnixNano()
	if u.serves == 0 || e.URL < q.names.of(u.url) {
		u.url = q.names.keep(e.URL)
	}
	u.served(1, at, at, e.Size)
	u.probes += btoi(e.Probe)
	if e.Visitor == "" || e.Probe {
		return
	}
	visitor := q.names.keep(e.Visitor)
	if _, known := u.visitors[visitor]; !known && q.options.Room.take(1) {
		u.visitors[visitor] = struct{}{}
	}
}

// served counts serves.
func (u *use) served(n int, first, last, size int64) {
	if u.serves == 0 || first < u.first {
		u.first = first
	}
	u.last, u.size = max(u.last, last), max(u.size, size)
	u.serves += n
}

// Merge adds what another worker has read, with a question that was forked from this one
// or that this one was forked from.
func (q *Objects) Merge(other *Objects) {
	q.lives.merge(&other.lives)
	q.coverage.merge(&other.coverage)
	for id, theirs := range other.use {
		ours := q.use[id]
		if ours == nil {
			q.use[id] = theirs
			continue
		}
		ours.stored = ours.stored || theirs.stored
		if theirs.serves > 0 {
			if ours.serves == 0 || q.names.compare(theirs.url, ours.url) < 0 {
				ours.url = theirs.url
			}
			ours.served(theirs.serves, theirs.first, theirs.last, theirs.size)
			ours.probes += theirs.probes
		}
		for visitor := range theirs.visitors {
			ours.visitors[visitor] = struct{}{}
		}
	}
}

// ObjectsAnswer is every object of the window, the most served first.
type ObjectsAnswer struct {
	Schema int `json:"schema"`
	// Incomplete and Notes are as in [ServedAnswer].
	Incomplete []string `json:"incomplete,omitempty"`
	Notes      []string `json:"notes,omitempty"`
	// Serves of all objects together, and how many of these were to probes.
	Serves  int          `json:"serves"`
	Probes  int          `json:"probes,omitempty"`
	Objects []ObjectUsed `json:"objects"`
}

// ObjectUsed is an object and how it was used.
type ObjectUsed struct {
	Object string `json:"object"`
	Route  string `json:"route,omitempty"`
	Key    string `json:"key,omitempty"`
	// URL of the canonical request; where no record of the admission was read, one of
	// those that it was served for.
	URL string `json:"url,omitempty"`
	// Fetched is when the fill began.
	Fetched *time.Time `json:"fetched,omitempty"`
	Size    int64      `json:"size_bytes"`
	// Serves in the window, how many of them to probes, which are no visitors, and to how
	// many different visitors.
	Serves   int        `json:"serves"`
	Probes   int        `json:"probes,omitempty"`
	Visitors int        `json:"visitors"`
	First    *time.Time `json:"first,omitempty"`
	Last     *time.Time `json:"last,omitempty"`
	// State is what became of it, Ended when, if it did.
	State string     `json:"state"`
	Ended *time.Time `json:"ended,omitempty"`
	// Leaked: at a time when it was stored, or may have been in a cache in front, a probe of
	// its page was given what belongs to another.
	Leaked bool `json:"leaked,omitempty"`
}

// Answer is what was found. It fails if there was more than there is room for.
func (q *Objects) Answer(o AnswerOptions) (*ObjectsAnswer, error) {
	if err := q.options.Room.Err(); err != nil {
		return nil, err
	}
	q.lives.sort()
	successors := q.lives.successors()
	a := &ObjectsAnswer{Schema: AnswerSchema, Objects: make([]ObjectUsed, 0, len(q.use))}
	for id, u := range q.use {
		object := q.object(id, u, successors, o)
		a.Serves += object.Serves
		a.Probes += object.Probes
		a.Objects = append(a.Objects, object)
	}
	slices.SortFunc(a.Objects, func(x, y ObjectUsed) int {
		return cmp.Or(cmp.Compare(y.Serves, x.Serves), compareTimes(x.Fetched, y.Fetched), cmp.Compare(x.Object, y.Object))
	})
	a.Incomplete = q.coverage.incomplete(q.options.Since, q.options.Until, o)
	if a.Serves > 0 {
		a.Notes = q.coverage.notes()
	}
	return a, nil
}

func (q *Objects) object(id text, u *use, successors map[text][]successor, o AnswerOptions) ObjectUsed {
	l := q.lives.objects[id]
	object := ObjectUsed{
		Object: q.names.of(id), Route: q.names.of(l.route), Key: q.names.of(l.key), URL: q.names.of(u.url), Size: u.size,
		Serves: u.serves, Probes: u.probes, Visitors: len(u.visitors),
	}
	if l.stored != nil {
		object.URL, object.Size = q.names.of(l.stored.url), l.stored.size
	}
	at := filled(object.Object)
	if at == 0 && l.stored != nil {
		at = l.stored.at
	}
	moment := func(ns int64) *time.Time {
		t := o.time(ns)
		return &t
	}
	if at != 0 {
		object.Fetched = moment(at)
	}
	if u.serves > 0 {
		object.First, object.Last = moment(u.first), moment(u.last)
	}
	turns := q.lives.turns(object.Object, l, object.URL, successors)
	object.State = stateOf(l, turns)
	for _, t := range turns {
		if t.final() && object.Ended == nil {
			object.Ended = moment(t.Time.UnixNano())
		}
		object.Leaked = object.Leaked || t.What == Leaked && !t.Perhaps
	}
	return object
}

// Document is the answer as JSON, of which the rows are made one after another.
func (a *ObjectsAnswer) Document() show.Document {
	head := *a
	head.Objects = []ObjectUsed{}
	return show.Document{Head: head, Rows: documents(slices.Values(a.Objects))}
}

// CSV writes one line for each object.
func (a *ObjectsAnswer) CSV(w io.Writer) error {
	out := show.NewCSV(w)
	if err := out.Row("object", "route", "key", "url", "fetched", "size_bytes", "serves", "visitors", "first", "last", "state", "ended", "probes", "leaked"); err != nil {
		return err
	}
	moment := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return stamp(*t)
	}
	for i := range a.Objects {
		object := &a.Objects[i]
		err := out.Row(object.Object, object.Route, object.Key, object.URL, moment(object.Fetched), fmt.Sprint(object.Size),
			strconv.Itoa(object.Serves), strconv.Itoa(object.Visitors), moment(object.First), moment(object.Last), object.State, moment(object.Ended),
			strconv.Itoa(object.Probes), yes(object.Leaked))
		if err != nil {
			return err
		}
	}
	return out.Flush()
}
