package inquiry

import (
	"math"
	"strings"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
)

// Reasons is the question why something was not shared, grouped by route and reason, or
// by route and kind of divergence. It needs whole entries.
type Reasons struct {
	ask    asked
	window window
	total  int64
	silent int64 // requests that went to the app, and nothing spoke against sharing
	probes int64 // records of probes, which are left out
	groups map[group]*groupFigures
	places table[placed]
}

// asked is which records a [Reasons] is about.
type asked uint8

const (
	askRefusals asked = iota
	askBypasses
	askDivergences
)

// group is what is counted together. Code is that of a reason or class; observed are
// requests on a route that only observes: what speaks against sharing did no harm.
type group struct {
	route, code string
	observed    bool
}

// groupFigures are those of one group.
type groupFigures struct {
	tally
	// also counts the other reasons of the same records.
	also     words
	withdrew int64
}

// placed is a place in a group.
type placed struct {
	group
	place Place
}

func (g group) compare(o group) int {
	switch c := strings.Compare(g.route, o.route); {
	case c != 0:
		return c
	case g.observed != o.observed && o.observed:
		return -1
	case g.observed != o.observed:
		return 1
	}
	return strings.Compare(g.code, o.code)
}

func (g group) clone() group {
	return group{strings.Clone(g.route), strings.Clone(g.code), g.observed}
}

func (p placed) compare(o placed) int {
	if c := p.group.compare(o.group); c != 0 {
		return c
	}
	return p.place.compare(o.place)
}

func (p placed) clone() placed { return placed{p.group.clone(), p.place.clone()} }

// maxGroups is how many groups there are at most; what comes when they are full is
// counted as others.
const maxGroups = 50_000

// NewRefusals asks why answers of the app were not stored: the events refuse and
// diverge, by first reason.
func NewRefusals() *Reasons { return newReasons(askRefusals) }

// NewBypasses asks why requests went to the app untouched or were refused with 400: the
// events bypass and deny, by first reason.
func NewBypasses() *Reasons { return newReasons(askBypasses) }

// NewDivergences asks where answers of the app differed: the events diverge and
// withdraw, by class.
func NewDivergences() *Reasons { return newReasons(askDivergences) }

func newReasons(ask asked) *Reasons {
	return &Reasons{ask: ask, groups: make(map[group]*groupFigures), places: newTable[placed](MaxDistinct)}
}

// Fork returns the same question with nothing read, for another worker.
func (r *Reasons) Fork() *Reasons { return newReasons(r.ask) }

// Add takes note of a record.
func (r *Reasons) Add(e *reading.Entry) {
	if !r.ask.about(e) {
		return
	}
	if e.Probe {
		r.probes++ // what only probes send, no policy needs a line for
		return
	}
	g := group{route: e.Route}
	var also []string
	switch r.ask {
	case askRefusals, askBypasses:
		g.observed = e.Outcome == "observe"
		if len(e.Reasons) > 0 {
			g.code, also = e.Reasons[0], e.Reasons[1:]
		} else if r.ask == askBypasses {
			r.silent++
			return
		}
	case askDivergences:
		if e.Divergence != nil {
			g.code = e.Divergence.Class
		}
	}
	r.count(g, also, e)
}

// about says whether the question is about a record.
func (a asked) about(e *reading.Entry) bool {
	switch a {
	case askRefusals:
		return e.Event == audit.EventRefuse || e.Event == audit.EventDiverge
	case askBypasses:
		return e.Event == audit.EventBypass || e.Event == audit.EventDeny
	}
	return e.Event == audit.EventDiverge || e.Event == audit.EventWithdraw && e.Divergence != nil
}

func (r *Reasons) count(g group, also []string, e *reading.Entry) {
	withdrew := int64(0)
	if r.ask == askDivergences && e.Event == audit.EventWithdraw {
		// The difference itself has a record beside it, of the event diverge.
		withdrew = 1
	}
	n := one - withdrew*one
	r.total += n
	r.window.add(e.Time)
	f := r.group(g)
	f.add(e, n, 0)
	f.withdrew += withdrew
	for _, reason := range also {
		f.also.add(reason, n)
	}
	r.places.row(placed{g, placeOf(g.code, e)}, placed.clone).add(e, n, 0)
}

func (r *Reasons) group(g group) *groupFigures {
	if f := r.groups[g]; f != nil {
		return f
	}
	if others := (group{route: others}); len(r.groups) >= maxGroups && g != others {
		return r.group(others)
	}
	f := &groupFigures{tally: tally{first: math.MaxInt64, last: math.MinInt64, urlAt: math.MinInt64}, also: words{}}
	r.groups[g.clone()] = f
	return f
}

// Merge adds what another worker has read.
func (r *Reasons) Merge(other *Reasons) {
	r.window.merge(other.window)
	r.total += other.total
	r.silent += other.silent
	r.probes += other.probes
	for g, o := range other.groups {
		f := r.group(g)
		f.tally.merge(&o.tally)
		f.also.merge(o.also)
		f.withdrew += o.withdrew
	}
	r.places.merge(&other.places)
}
