package inquiry

import (
	"strings"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
)

// Summary is the question of every day: how much is shared, of which routes, and what
// stands in the way. It needs the entries' time, edge, event, route, outcome, would, reasons,
// key, object, URL, status, size and serves_pct; of the events diverge and withdraw also
// the divergence, of purge, trip, reset, leak, clear, drop and fault all there is.
type Summary struct {
	records int64
	window  window
	lost    int64 // records, as the records themselves say
	sampled bool
	// unserved: for a while at least, no serves are written.
	unserved bool
	routes   map[string]*routeFigures
	edges    byEdge[edgeFigures]
	keys     table[routeKey]
	notable  notables

	last *routeFigures // where the last record was counted: the next is often there, too
}

// maxRoutes is how many routes are told apart. A policy of ours has fewer as a rule.
const maxRoutes = 20_000

// The figures of a bucket of time.
const (
	seriesRequests = iota
	seriesServed
	seriesRows
)

// routeFigures are those of one route, in weights.
type routeFigures struct {
	name     string
	sampled  bool
	outcomes words // of requests
	probes   int64 // requests of probes, which are in no other figure
	served   int64 // from an object of an earlier request
	asked    int64 // went to the app untouched
	fills    words // what became of fills, by event
	passed   words // requests that went to the app or were denied, by first reason
	refused  words // fills that were not stored, by first reason
	classes  words // divergences
	withdrew int64
	saved    int64 // bytes, no weight
	over     series

	would        words // requests of a route that observes, by the outcome that they would have had
	wouldReasons words
}

// routeKey is a key on a route.
type routeKey struct{ route, key string }

func (k routeKey) compare(o routeKey) int {
	if c := strings.Compare(k.route, o.route); c != 0 {
		return c
	}
	return strings.Compare(k.key, o.key)
}

func (k routeKey) clone() routeKey { return routeKey{strings.Clone(k.route), strings.Clone(k.key)} }

// NewSummary returns the question.
func NewSummary() *Summary {
	return &Summary{
		routes:  make(map[string]*routeFigures),
		edges:   make(byEdge[edgeFigures]),
		keys:    newTable[routeKey](MaxDistinct),
		notable: newNotables(),
	}
}

// Fork returns the same question with nothing read, for another worker.
func (s *Summary) Fork() *Summary { return NewSummary() }

// Add takes note of a record.
func (s *Summary) Add(e *reading.Entry) {
	s.records++
	s.unserved = s.unserved || e.Unserved
	s.window.add(e.Time)
	switch e.Event {
	case audit.EventServe, audit.EventBypass, audit.EventDeny:
		s.request(e)
	case audit.EventStore, audit.EventRefuse, audit.EventDiverge, audit.EventRefresh, audit.EventWithdraw:
		s.fill(e)
	case audit.EventDrop:
		s.lost += max(1, e.Records)
	}
	s.edge(e)
	s.notable.add(e)
}

// route returns the figures of the record's route.
func (s *Summary) route(name string) *routeFigures {
	if s.last != nil && s.last.name == name {
		return s.last
	}
	f := s.routes[name]
	if f == nil {
		if len(s.routes) >= maxRoutes && name != others {
			return s.route(others)
		}
		f = &routeFigures{
			name: strings.Clone(name), outcomes: words{}, fills: words{}, passed: words{}, refused: words{}, classes: words{},
			would: words{}, wouldReasons: words{}, over: newRoundSeries(seriesRows),
		}
		s.routes[f.name] = f
	}
	s.last = f
	return f
}

func (s *Summary) request(e *reading.Entry) {
	f, weight := s.route(e.Route), weightOf(e)
	if weight != one {
		f.sampled, s.sampled = true, true
	}
	if e.Probe {
		f.probes += weight
		return
	}
	f.outcomes.add(e.Outcome, weight)
	served := int64(0)
	if fromObject(e) {
		served = weight
		f.served += weight
		f.saved = plus(f.saved, weighted(e.Size, weight))
	}
	if e.Event == audit.EventBypass {
		f.asked += weight
	}
	if bucket := f.over.at(e.Time); bucket != nil {
		bucket[seriesRequests] += weight
		bucket[seriesServed] += served
	}
	if e.Key != "" {
		s.keys.row(routeKey{f.name, e.Key}, routeKey.clone).add(e, weight, served)
	}
	switch {
	case e.Outcome == "observe":
		f.would.add(e.Would, weight)
		if len(e.Reasons) > 0 {
			f.wouldReasons.add(e.Reasons[0], weight)
		}
	case e.Event != audit.EventServe && len(e.Reasons) > 0:
		f.passed.add(e.Reasons[0], weight)
	}
}

// fromObject says whether a request was answered with what was stored for an earlier one.
func fromObject(e *reading.Entry) bool {
	if e.Event != audit.EventServe {
		return false
	}
	switch e.Outcome {
	case "hit", "stale", "revalidated", "collapsed":
		return true
	}
	return false
}

// answered says whether a record tells of an answer of the app to a fill. A refresh
// without an object only begins one; a withdrawal has another record beside it.
func answered(e *reading.Entry) bool {
	switch e.Event {
	case audit.EventStore, audit.EventRefuse, audit.EventDiverge:
		return true
	case audit.EventRefresh:
		return e.Object != ""
	}
	return false
}

func (s *Summary) fill(e *reading.Entry) {
	f := s.route(e.Route)
	if answered(e) {
		f.fills.add(string(e.Event), one)
	}
	switch e.Event {
	case audit.EventWithdraw:
		f.withdrew++
	case audit.EventDiverge:
		class := ""
		if e.Divergence != nil {
			class = e.Divergence.Class
		}
		f.classes.add(class, one)
		fallthrough
	case audit.EventRefuse:
		if len(e.Reasons) > 0 {
			f.refused.add(e.Reasons[0], one)
		}
	}
}

// Merge adds what another worker has read. The other must not be used any more.
func (s *Summary) Merge(other *Summary) {
	s.records += other.records
	s.window.merge(other.window)
	s.lost += other.lost
	s.unserved = s.unserved || other.unserved
	s.sampled = s.sampled || other.sampled
	for name, f := range other.routes {
		s.route(name).merge(f)
	}
	for edge, f := range other.edges {
		s.edges.of(edge, func() *edgeFigures { return new(edgeFigures) }).merge(f)
	}
	s.keys.merge(&other.keys)
	s.notable.merge(&other.notable)
}

func (f *routeFigures) merge(o *routeFigures) {
	f.sampled = f.sampled || o.sampled
	f.outcomes.merge(o.outcomes)
	f.probes += o.probes
	f.served += o.served
	f.asked += o.asked
	f.fills.merge(o.fills)
	f.passed.merge(o.passed)
	f.refused.merge(o.refused)
	f.classes.merge(o.classes)
	f.withdrew += o.withdrew
	f.saved = plus(f.saved, o.saved)
	f.over.merge(&o.over)
	f.would.merge(o.would)
	f.wouldReasons.merge(o.wouldReasons)
}

// window is from the first to the last record, in Unix nanoseconds.
type window struct {
	first, last int64
	any         bool
}

func (w *window) add(t time.Time) {
	if at, ok := moment(t); ok {
		w.merge(window{at, at, true})
	}
}

func (w *window) merge(o window) {
	switch {
	case !o.any:
	case !w.any:
		*w = o
	default:
		w.first, w.last = min(w.first, o.first), max(w.last, o.last)
	}
}

// times are both ends; zero if there was no record with a time.
func (w *window) times() (from, to time.Time) {
	if !w.any {
		return time.Time{}, time.Time{}
	}
	return time.Unix(0, w.first).UTC(), time.Unix(0, w.last).UTC()
}
