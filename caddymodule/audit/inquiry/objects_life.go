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
	names    *textTable
	objects  map[text]*life
	keys     map[text][]happening // by key: divergences and refusals
	causes   map[text][]cause     // by key: requests beside which a fill went out
	switches []happening          // purges, trips and resets

	sightings []sighting
	// leaks are what the sightings tell, in the order of time, and which of them are of a path
	// or a route; sort puts them together.
	leaks                 []leak
	pathLeaks, routeLeaks map[string][]int
}

// life is that of one object.
type life struct {
	key, route text // empty where no record tells
	stored     *stored
	filler     *cause      // who was given the fill itself
	happenings []happening // expire, evict, withdraw, refresh
}

// stored is what the record of the admission says.
type stored struct {
	at           int64 // Unix nanoseconds
	size         int64
	originMS     float64
	url, reasons text
	edge         text
	status       int32
	findings     int32
}

// happening is a record that bears on objects.
type happening struct {
	at    int64   // Unix nanoseconds
	age   float64 // seconds
	event text
	why   text // reasons, a class, or what an operator wrote
	by    text
	scope text
	edge  text
	soft  bool
	drops bool // objects were dropped
	told  bool // another edge has done it, and this one the same
}

// cause is a request that caused a fill, which it was given, or that was given the
// origin's own answer while a fill for its key went out beside it.
type cause struct {
	began, at int64
	visitor   text
	url       text
	edge      text
	probe     bool
}

func newLives(room *Room, names *textTable) lives {
	return lives{
		room:    room,
		names:   names,
		objects: make(map[text]*life),
		keys:    make(map[text][]happening),
		causes:  make(map[text][]cause),
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
			at: e.Time.UnixNano(), url: l.names.keep(e.URL), status: narrow(e.Status), size: e.Size,
			originMS: e.Origin, reasons: l.names.keep(strings.Join(e.Reasons, ", ")), findings: narrow(len(e.Findings)),
			edge: l.names.keep(e.Edge),
		}
		l.storedAs(o, s)
	case audit.EventExpire, audit.EventEvict, audit.EventWithdraw, audit.EventRefresh:
		if e.Object == "" || !l.room.take(1) {
			return
		}
		if o := l.object(e); o != nil {
			o.happenings = append(o.happenings, l.happening(e))
		}
	case audit.EventDiverge, audit.EventRefuse:
		if e.Key != "" && l.room.take(1) {
			k := l.names.keep(e.Key)
			l.keys[k] = append(l.keys[k], l.happening(e))
		}
	case audit.EventPurge, audit.EventTrip, audit.EventReset:
		if l.room.take(1) {
			l.switches = append(l.switches, l.happening(e))
		}
	case audit.EventLeak, audit.EventClear:
		if l.room.take(1) {
			l.sightings = append(l.sightings, l.sighting(e))
		}
	case audit.EventBypass:
		if e.Outcome == outcomeFill && e.Key != "" && l.room.take(1) {
			k := l.names.keep(e.Key)
			l.causes[k] = append(l.causes[k], l.cause(e))
		}
	case audit.EventServe:
		if e.Outcome != outcomeFill || e.Object == "" {
			return
		}
		if o := l.object(e); o != nil {
			c := l.cause(e)
			l.filledFor(o, &c)
		}
	}
}

func (l *lives) cause(e *reading.Entry) cause {
	at := e.Time.UnixNano()
	return cause{
		began: at - int64(e.Duration*float64(time.Millisecond)), at: at,
		visitor: l.names.keep(e.Visitor), url: l.names.keep(e.URL), edge: l.names.keep(e.Edge), probe: e.Probe,
	}
}

// filledFor takes note of who was given the fill: of several, the earliest.
func (l *lives) filledFor(o *life, c *cause) {
	if c != nil && (o.filler == nil || l.compareCauses(*c, *o.filler) < 0) {
		o.filler = c
	}
}

// storedAs takes note of an admission: of several, the earliest.
func (l *lives) storedAs(o *life, s *stored) {
	if s != nil && (o.stored == nil || l.compareStored(s, o.stored) < 0) {
		o.stored = s
	}
}

// object is the life of the record's object, or nil if there is no room for it.
func (l *lives) object(e *reading.Entry) *life {
	id := l.names.keep(e.Object)
	o := l.objects[id]
	if o == nil {
		if !l.room.take(objectRows) {
			return nil
		}
		o = new(life)
		l.objects[id] = o
	}
	l.place(o, l.names.keep(e.Key), l.names.keep(e.Route))
	return o
}

// place takes note of where the object is. All records of an object say the same; if
// some do not, it must not matter which of them was read first.
func (l *lives) place(o *life, key, route text) {
	o.key, o.route = l.names.least(o.key, key), l.names.least(o.route, route)
}

func (l *lives) happening(e *reading.Entry) happening {
	h := happening{
		at: e.Time.UnixNano(), event: l.names.keep(string(e.Event)), by: l.names.keep(e.By), scope: l.names.keep(e.Scope),
		edge: l.names.keep(e.Edge), soft: e.Soft, drops: e.Removed > 0, told: reading.OrderedBy(e) != e.Edge, age: e.Age,
	}
	why := e.Why
	switch {
	case why != "":
	case e.Event == audit.EventDiverge && e.Divergence != nil && e.Divergence.Class != "":
		why = e.Divergence.Class
	default:
		why = strings.Join(e.Reasons, ", ")
	}
	h.why = l.names.keep(why)
	return h
}

func (l *lives) merge(other *lives) {
	for id, theirs := range other.objects {
		ours := l.objects[id]
		if ours == nil {
			l.objects[id] = theirs
			continue
		}
		l.place(ours, theirs.key, theirs.route)
		l.storedAs(ours, theirs.stored)
		l.filledFor(ours, theirs.filler)
		ours.happenings = append(ours.happenings, theirs.happenings...)
	}
	for key, theirs := range other.keys {
		l.keys[key] = append(l.keys[key], theirs...)
	}
	for key, theirs := range other.causes {
		l.causes[key] = append(l.causes[key], theirs...)
	}
	l.switches = append(l.switches, other.switches...)
	l.sightings = append(l.sightings, other.sightings...)
}

// sort puts what was read in any order into one that follows from the records.
func (l *lives) sort() {
	for _, o := range l.objects {
		slices.SortFunc(o.happenings, l.compareHappenings)
	}
	for _, of := range l.keys {
		slices.SortFunc(of, l.compareHappenings)
	}
	for _, of := range l.causes {
		slices.SortFunc(of, l.compareCauses)
	}
	slices.SortFunc(l.switches, l.compareHappenings)
	l.switches = onceEach(l.switches)
	slices.SortFunc(l.sightings, l.compareSightings)
	l.pairLeaks()
}

func (l *lives) compareStored(s, o *stored) int {
	return cmp.Or(cmp.Compare(s.at, o.at), l.names.compare(s.url, o.url), cmp.Compare(s.status, o.status),
		cmp.Compare(s.size, o.size), cmp.Compare(s.originMS, o.originMS), l.names.compare(s.reasons, o.reasons),
		cmp.Compare(s.findings, o.findings), l.names.compare(s.edge, o.edge))
}

func (l *lives) compareHappenings(h, o happening) int {
	if c := cmp.Compare(h.at, o.at); c != 0 {
		return c
	}
	return cmp.Or(l.names.compare(h.event, o.event), l.names.compare(h.why, o.why),
		l.names.compare(h.scope, o.scope), l.names.compare(h.by, o.by), cmp.Compare(h.age, o.age),
		cmp.Compare(btoi(h.soft), btoi(o.soft)), cmp.Compare(btoi(h.drops), btoi(o.drops)),
		l.names.compare(h.edge, o.edge))
}

func (l *lives) compareCauses(c, o cause) int {
	if c := cmp.Or(cmp.Compare(c.began, o.began), cmp.Compare(c.at, o.at)); c != 0 {
		return c
	}
	return cmp.Or(l.names.compare(c.visitor, o.visitor), l.names.compare(c.url, o.url), cmp.Compare(btoi(c.probe), btoi(o.probe)),
		l.names.compare(c.edge, o.edge))
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
	if o.filler != nil || o.key == 0 || began == 0 {
		return o.filler, false
	}
	all := l.causes[o.key]
	after := sort.Search(len(all), func(i int) bool { return all[i].began > began+int64(causeSlack) })
	for after > 0 && o.stored != nil && all[after-1].edge != o.stored.edge {
		after-- // other edges make their own, by other clocks
	}
	if after == 0 || all[after-1].began < began-int64(causeReach) {
		return nil, false
	}
	return &all[after-1], true
}
