package inquiry

import (
	"cmp"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
)

// Outcomes that the questions about objects tell apart.
const (
	outcomeFill = "fill"
)

// ServedOptions say which objects are asked about. With no object, key and URL it is all
// that were served.
type ServedOptions struct {
	// Objects are IDs, Keys as in records or longer, URLs whole or only a path. A URL
	// with parameters means requests that had these.
	Objects, Keys, URLs []string
	// Since and Until bound the requests that count; zero: not on that side. Keep, where
	// given, chooses among those. What became of the objects is read from all records.
	Since, Until time.Time
	Keep         func(*reading.Entry) bool
	// Room bounds how much is held.
	Room *Room
}

// Served is the question of an incident: who was served what, of an object that nobody
// should have been served. Probes are listed with all others, and are no visitors.
type Served struct {
	options   ServedOptions
	selection *selection
	lives     lives
	coverage  coverage
	names     *textTable
	rows      rows[serving]
	selected  map[text]bool // objects that a record names as asked for
	// Requests for what was asked about that were given their own answer, and how many of
	// them were probes.
	own, ownProbes int
}

// serving is a visitor being served an object.
type serving struct {
	at      int64 // Unix nanoseconds, of the end of the request
	age     float64
	object  text
	visitor text
	outcome text
	url     text
	edge    text
	status  int32
	probe   bool
}

// NewServed returns the question. It fails if what was asked for cannot be any object.
func NewServed(o ServedOptions) (*Served, error) {
	selection, err := newSelection(o.Objects, o.Keys, o.URLs)
	if err != nil {
		return nil, err
	}
	return newServed(o, selection, newTextTable()), nil
}

func newServed(o ServedOptions, s *selection, names *textTable) *Served {
	return &Served{
		options: o, selection: s, lives: newLives(o.Room, names), coverage: newCoverage(),
		names: names, selected: make(map[text]bool),
	}
}

// Fork returns the same question with nothing read, for another worker.
func (s *Served) Fork() *Served { return newServed(s.options, s.selection, s.names) }

// Add takes note of a record. Records may come in any order.
func (s *Served) Add(e *reading.Entry) {
	if e.Event == audit.EventDrop {
		s.coverage.lose(e)
		return
	}
	s.coverage.sample(e)
	if s.selection.concerns(e) {
		s.lives.add(e)
	}
	named, near := s.selection.named(e)
	if !near {
		return
	}
	isRequest := e.Event == audit.EventServe || e.Event == audit.EventBypass
	if isRequest && !within(e, s.options.Since, s.options.Until, s.options.Keep) {
		return
	}
	if e.Object == "" || e.Event != audit.EventServe {
		switch {
		case !named:
		case e.Object != "" && !s.selection.all():
			s.selected[s.names.keep(e.Object)] = true
		case e.Event == audit.EventBypass:
			s.own++
			s.ownProbes += btoi(e.Probe)
		}
		return
	}
	if !s.options.Room.take(1) {
		return
	}
	// For the key and the route, should there be no record of the admission.
	s.lives.object(e)
	if named {
		s.selected[s.names.keep(e.Object)] = true
	}
	s.coverage.count(e)
	s.rows.add(serving{
		probe: e.Probe, at: e.Time.UnixNano(), object: s.names.keep(e.Object), visitor: s.names.keep(e.Visitor), outcome: s.names.keep(e.Outcome),
		url: s.names.keep(e.URL), edge: s.names.keep(e.Edge), status: narrow(e.Status), age: e.Age,
	})
}

// Merge adds what another worker has read, with a question that was forked from this one
// or that this one was forked from.
func (s *Served) Merge(other *Served) {
	s.lives.merge(&other.lives)
	s.coverage.merge(&other.coverage)
	s.rows.merge(&other.rows)
	for id := range other.selected {
		s.selected[id] = true
	}
	s.own += other.own
	s.ownProbes += other.ownProbes
}

// within says whether a request is among those that count.
func within(e *reading.Entry, since, until time.Time, keep func(*reading.Entry) bool) bool {
	if e.Time.Before(since) || !until.IsZero() && !e.Time.Before(until) {
		return false
	}
	return keep == nil || keep(e)
}

// compare puts the rows of an object together, and in the order of time.
func (s *Served) compare(r, o *serving) int {
	if c := cmp.Or(cmp.Compare(r.object, o.object), cmp.Compare(r.at, o.at)); c != 0 {
		return c
	}
	return cmp.Or(s.names.compare(r.visitor, o.visitor), s.names.compare(r.url, o.url),
		s.names.compare(r.outcome, o.outcome), cmp.Compare(r.status, o.status), cmp.Compare(r.age, o.age),
		cmp.Compare(btoi(r.probe), btoi(o.probe)), s.names.compare(r.edge, o.edge))
}
