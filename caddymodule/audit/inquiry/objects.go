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
	use      map[interned]*use
}

// use is how an object was used in the window.
type use struct {
	stored      bool // in the window
	serves      int
	first, last int64 // Unix nanoseconds
	url         string
	size        int64
	visitors    map[interned]struct{}
}

// NewObjects returns the question.
func NewObjects(o ObjectsOptions) *Objects {
	return &Objects{options: o, lives: newLives(o.Room), coverage: newCoverage(), use: make(map[interned]*use)}
}

// Fork returns the same question with nothing read, for another worker.
func (q *Objects) Fork() *Objects { return NewObjects(q.options) }

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
	id := intern(e.Object)
	u := q.use[id]
	if u == nil {
		u = &use{visitors: make(map[interned]struct{})}
		q.use[id] = u
	}
	if e.Event == audit.EventStore {
		u.stored = true
		return
	}
	q.coverage.count(e)
	at := e.Time.UnixNano()
	u.served(1, at, at, e.URL, e.Size)
	if e.Visitor == "" {
		return
	}
	visitor := intern(e.Visitor)
	if _, known := u.visitors[visitor]; !known && q.options.Room.take() {
		u.visitors[visitor] = struct{}{}
	}
}

// served counts serves. Of their URLs one is kept as an example, always the same one.
func (u *use) served(n int, first, last int64, url string, size int64) {
	if u.serves == 0 || first < u.first {
		u.first = first
	}
	if u.serves == 0 || url < u.url {
		u.url = url
	}
	u.last, u.size = max(u.last, last), max(u.size, size)
	u.serves += n
}

// Merge adds what another worker has read.
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
			ours.served(theirs.serves, theirs.first, theirs.last, theirs.url, theirs.size)
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
	// Serves of all objects together.
	Serves  int          `json:"serves"`
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
	// Serves in the window, and to how many different visitors.
	Serves   int        `json:"serves"`
	Visitors int        `json:"visitors"`
	First    *time.Time `json:"first,omitempty"`
	Last     *time.Time `json:"last,omitempty"`
	// State is what became of it, Ended when, if it did.
	State string     `json:"state"`
	Ended *time.Time `json:"ended,omitempty"`
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

func (q *Objects) object(id interned, u *use, successors map[interned][]successor, o AnswerOptions) ObjectUsed {
	l := q.lives.objects[id]
	object := ObjectUsed{
		Object: id.Value(), Route: l.route.Value(), Key: l.key.Value(), URL: u.url, Size: u.size,
		Serves: u.serves, Visitors: len(u.visitors),
	}
	if l.stored != nil {
		object.URL, object.Size = l.stored.url, l.stored.size
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
		if t.final() {
			object.Ended = moment(t.Time.UnixNano())
			break
		}
	}
	return object
}

// Text writes the answer for people.
func (a *ObjectsAnswer) Text(w io.Writer, o TextOptions) error {
	p := &page{w: w, o: o}
	p.alarm("THE LIST IS NOT COMPLETE", a.Incomplete)
	p.line("%s, served %s", p.strong(counted(len(a.Objects), "object", "objects")), counted(a.Serves, "time", "times"))
	p.notes(a.Notes)
	if len(a.Objects) == 0 {
		return p.err
	}
	p.line("")
	table := show.Table{Columns: []show.Column{
		{Title: "serves", Align: show.Right}, {Title: "visitors", Align: show.Right}, {Title: "object"}, {Title: "route", Flexible: true},
		{Title: "fetched"}, {Title: "last served"}, {Title: "size", Align: show.Right}, {Title: "then"}, {Title: "page", Flexible: true},
	}}
	shown := a.Objects
	if o.Limit > 0 && len(shown) > o.Limit {
		shown = shown[:o.Limit]
	}
	for i := range shown {
		object := &shown[i]
		then, color := object.State, turnColor(object.State)
		if object.Ended != nil {
			then += " " + show.Clock(*object.Ended, o.Location)
		}
		table.Row(show.Text(show.Count(int64(object.Serves))), show.Text(show.Count(int64(object.Visitors))), show.Colored(show.Info, object.Object),
			show.Text(orDash(object.Route)), show.Text(when(object.Fetched, o)), show.Text(lastServed(object, o)), show.Text(show.Bytes(object.Size)),
			show.Colored(color, then), show.Colored(show.Dim, object.URL))
	}
	p.table(&table)
	if more := len(a.Objects) - len(shown); more > 0 {
		p.dim("%s; --limit 0 shows all", counted(more, "more object", "more objects"))
	}
	if id, ok := shellWord(shown[0].Object); ok && shown[0].Serves > 0 {
		p.next([]string{"cacheward audit served --object " + id})
	}
	return p.err
}

func when(t *time.Time, o TextOptions) string {
	if t == nil {
		return "–"
	}
	return show.Time(*t, o.Location)
}

// lastServed is the time of day, if it was on the day of the fetch.
func lastServed(object *ObjectUsed, o TextOptions) string {
	if object.Last == nil || object.Fetched == nil || object.Last.Sub(*object.Fetched) >= 24*time.Hour {
		return when(object.Last, o)
	}
	return show.Clock(*object.Last, o.Location)
}

// CSV writes one line for each object.
func (a *ObjectsAnswer) CSV(w io.Writer) error {
	out := show.NewCSV(w)
	if err := out.Row("object", "route", "key", "url", "fetched", "size_bytes", "serves", "visitors", "first", "last", "state", "ended"); err != nil {
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
			strconv.Itoa(object.Serves), strconv.Itoa(object.Visitors), moment(object.First), moment(object.Last), object.State, moment(object.Ended))
		if err != nil {
			return err
		}
	}
	return out.Flush()
}
