package inquiry

import (
	"cmp"
	"encoding/binary"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
)

// lives is what records tell of stored objects, but for who was served them: how each
// came to be and what became of it.
type lives struct {
	room     *Room
	objects  map[interned]*life
	keys     map[interned][]happening // by key: divergences and refusals
	causes   map[interned][]cause     // by key: requests beside which a fill went out
	switches []happening              // purges, trips and resets
}

// life is that of one object.
type life struct {
	key, route interned // empty where no record tells
	stored     *stored
	filler     *cause      // who was given the fill itself
	happenings []happening // expire, evict, withdraw, refresh
}

// stored is what the record of the admission says.
type stored struct {
	at       int64 // Unix nanoseconds
	url      string
	status   int
	size     int64
	originMS float64
	reasons  string
	findings int
}

// happening is a record that bears on objects.
type happening struct {
	at    int64 // Unix nanoseconds
	event audit.Event
	why   string // reasons, a class, or what an operator wrote
	by    string
	scope string
	soft  bool
	drops bool    // objects were dropped
	age   float64 // seconds
}

// cause is a request that caused a fill, which it was given, or that was given the
// origin's own answer while a fill for its key went out beside it.
type cause struct {
	began, at int64
	visitor   interned
	url       string
}

func newLives(room *Room) lives {
	return lives{
		room:    room,
		objects: make(map[interned]*life),
		keys:    make(map[interned][]happening),
		causes:  make(map[interned][]cause),
	}
}

// add takes note of a record, if it tells of an object's life.
func (l *lives) add(e *reading.Entry) {
	switch e.Event {
	case audit.EventStore:
		if e.Object == "" {
			return
		}
		o := l.object(e)
		if o == nil {
			return
		}
		s := &stored{
			at: e.Time.UnixNano(), url: e.URL, status: e.Status, size: e.Size,
			originMS: e.Origin, reasons: strings.Join(e.Reasons, ", "), findings: len(e.Findings),
		}
		if o.stored == nil || s.compare(o.stored) < 0 {
			o.stored = s
		}
	case audit.EventExpire, audit.EventEvict, audit.EventWithdraw, audit.EventRefresh:
		if e.Object == "" || !l.room.take() {
			return
		}
		if o := l.object(e); o != nil {
			o.happenings = append(o.happenings, happeningOf(e))
		}
	case audit.EventDiverge, audit.EventRefuse:
		if e.Key != "" && l.room.take() {
			k := intern(e.Key)
			l.keys[k] = append(l.keys[k], happeningOf(e))
		}
	case audit.EventPurge, audit.EventTrip, audit.EventReset:
		if l.room.take() {
			l.switches = append(l.switches, happeningOf(e))
		}
	case audit.EventBypass:
		if e.Outcome == outcomeFill && e.Key != "" && l.room.take() {
			k := intern(e.Key)
			l.causes[k] = append(l.causes[k], causeOf(e))
		}
	case audit.EventServe:
		if e.Outcome != outcomeFill || e.Object == "" {
			return
		}
		if o := l.object(e); o != nil {
			c := causeOf(e)
			o.filledFor(&c)
		}
	}
}

func causeOf(e *reading.Entry) cause {
	at := e.Time.UnixNano()
	return cause{
		began: at - int64(e.Duration*float64(time.Millisecond)), at: at,
		visitor: intern(e.Visitor), url: e.URL,
	}
}

// filledFor takes note of who was given the fill: of several, the earliest.
func (o *life) filledFor(c *cause) {
	if c != nil && (o.filler == nil || c.compare(*o.filler) < 0) {
		o.filler = c
	}
}

// object is the life of the record's object, or nil if there is no room for it.
func (l *lives) object(e *reading.Entry) *life {
	id := intern(e.Object)
	o := l.objects[id]
	if o == nil {
		if !l.room.take() {
			return nil
		}
		o = &life{key: intern(""), route: intern("")}
		l.objects[id] = o
	}
	o.place(intern(e.Key), intern(e.Route))
	return o
}

// place takes note of where the object is. All records of an object say the same; if
// some do not, it must not matter which of them was read first.
func (o *life) place(key, route interned) {
	o.key, o.route = least(o.key, key), least(o.route, route)
}

// least is the smaller of two strings, of which empty ones do not count.
func least(a, b interned) interned {
	switch {
	case a == b, b.Value() == "":
		return a
	case a.Value() == "" || b.Value() < a.Value():
		return b
	}
	return a
}

func happeningOf(e *reading.Entry) happening {
	h := happening{
		at: e.Time.UnixNano(), event: e.Event, by: e.By, scope: e.Scope,
		soft: e.Soft, drops: e.Removed > 0, age: e.Age,
	}
	switch {
	case e.Why != "":
		h.why = e.Why
	case e.Event == audit.EventDiverge && e.Divergence != nil && e.Divergence.Class != "":
		h.why = e.Divergence.Class
	default:
		h.why = strings.Join(e.Reasons, ", ")
	}
	return h
}

func (l *lives) merge(other *lives) {
	for id, theirs := range other.objects {
		ours := l.objects[id]
		if ours == nil {
			l.objects[id] = theirs
			continue
		}
		ours.place(theirs.key, theirs.route)
		if theirs.stored != nil && (ours.stored == nil || theirs.stored.compare(ours.stored) < 0) {
			ours.stored = theirs.stored
		}
		ours.filledFor(theirs.filler)
		ours.happenings = append(ours.happenings, theirs.happenings...)
	}
	for key, theirs := range other.keys {
		l.keys[key] = append(l.keys[key], theirs...)
	}
	for key, theirs := range other.causes {
		l.causes[key] = append(l.causes[key], theirs...)
	}
	l.switches = append(l.switches, other.switches...)
}

// sort puts what was read in any order into one that follows from the records.
func (l *lives) sort() {
	for _, o := range l.objects {
		slices.SortFunc(o.happenings, happening.compare)
	}
	for _, of := range l.keys {
		slices.SortFunc(of, happening.compare)
	}
	for _, of := range l.causes {
		slices.SortFunc(of, cause.compare)
	}
	slices.SortFunc(l.switches, happening.compare)
}

func (s *stored) compare(o *stored) int {
	return cmp.Or(cmp.Compare(s.at, o.at), cmp.Compare(s.url, o.url), cmp.Compare(s.status, o.status),
		cmp.Compare(s.size, o.size), cmp.Compare(s.originMS, o.originMS), cmp.Compare(s.reasons, o.reasons),
		cmp.Compare(s.findings, o.findings))
}

func (h happening) compare(o happening) int {
	return cmp.Or(cmp.Compare(h.at, o.at), cmp.Compare(h.event, o.event), cmp.Compare(h.why, o.why),
		cmp.Compare(h.scope, o.scope), cmp.Compare(h.by, o.by), cmp.Compare(h.age, o.age),
		cmp.Compare(btoi(h.soft), btoi(o.soft)), cmp.Compare(btoi(h.drops), btoi(o.drops)))
}

func (c cause) compare(o cause) int {
	return cmp.Or(cmp.Compare(c.began, o.began), cmp.Compare(c.at, o.at),
		cmp.Compare(c.visitor.Value(), o.visitor.Value()), cmp.Compare(c.url, o.url))
}

// filled is when the fill began that made the object, in Unix nanoseconds: its ID says
// so to the millisecond. Zero: the ID does not say.
func filled(id string) int64 {
	u, err := uuid.Parse(id)
	if err != nil || u.Version() != 7 {
		return 0
	}
	return int64(binary.BigEndian.Uint64(u[:8])>>16) * int64(time.Millisecond)
}

// How far a fill may begin from the beginning of the request that caused it: the ID has
// whole milliseconds, and a second fill for comparison follows the first.
const (
	causeSlack = 2 * time.Millisecond
	causeReach = 2 * time.Minute
)

// causedBy is the request that caused the fill of an object: the one that was given it,
// or, of those for its key beside which fills were made, the last that had begun when
// this one did. There need not be a record of it. lives has been sorted.
// own: they were given their own answer, and not the fill.
func (l *lives) causedBy(id string, o *life) (c *cause, own bool) {
	began := filled(id)
	if o.filler != nil || o.key.Value() == "" || began == 0 {
		return o.filler, false
	}
	all := l.causes[o.key]
	after := sort.Search(len(all), func(i int) bool { return all[i].began > began+int64(causeSlack) })
	if after == 0 || all[after-1].began < began-int64(causeReach) {
		return nil, false
	}
	return &all[after-1], true
}
