package inquiry

import (
	"cmp"
	"strings"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
)

// AttributionOptions say which requests are listed.
type AttributionOptions struct {
	// Params are the names of the parameters that hold codes, decoded. Without any, it
	// is all parameters that records have in clear.
	Params []string
	// Since, Until, Keep and Room are as in [ServedOptions].
	Since, Until time.Time
	Keep         func(*reading.Entry) bool
	Room         *Room
}

// Attribution is the question that the business asks after an incident: which visitor
// came with which code, and whose page they were given. Of routes that declare attribution
// it is who landed with what, whether that was carried, and what the app was told of it.
// Probes are left out: their codes are made up.
type Attribution struct {
	options  AttributionOptions
	params   map[string]bool
	lives    lives
	coverage coverage
	names    *textTable
	rows     rows[visit]
	origins  map[text]*origin
	probes   int // requests with a code, and landings, that were left out
	// others are landings that are not asked for; what the app was told may be of them.
	others  rows[visit]
	sources map[text]*visit // landings that the app was told of, by ID
	// dropped is how many cookies were, by what was wrong with them, of requests that are
	// neither a landing nor a delivery.
	dropped map[string]int
}

// visit is a request with a code, or one without that was served from an object.
type visit struct {
	at      int64 // Unix nanoseconds
	visitor text
	route   text
	host    text
	path    text
	object  text
	outcome text
	codes   text // of the URL, as they stand there, after a question mark
	status  int32
	served  bool   // from an object
	touch   *touch // nil: the route declares no attribution, or the request has none
}

// NewAttribution returns the question.
func NewAttribution(o AttributionOptions) *Attribution {
	params := make(map[string]bool)
	for _, name := range o.Params {
		params[name] = true
	}
	return newAttribution(o, params, newTextTable())
}

func newAttribution(o AttributionOptions, params map[string]bool, names *textTable) *Attribution {
	return &Attribution{
		options: o, params: params, lives: newLives(o.Room, names), coverage: newCoverage(), names: names, dropped: make(map[string]int),
	}
}

// Fork returns the same question with nothing read, for another worker.
func (q *Attribution) Fork() *Attribution { return newAttribution(q.options, q.params, q.names) }

// Add takes note of a record. Records may come in any order.
func (q *Attribution) Add(e *reading.Entry) {
	q.coverage.sample(e)
	switch e.Event {
	case audit.EventDrop:
		q.coverage.lose(e)
		return
	case audit.EventStore, audit.EventLeak, audit.EventClear:
		q.lives.add(e)
		return
	case audit.EventServe, audit.EventBypass, audit.EventDeny:
		q.lives.add(e) // it may be what caused a fill
	default:
		return
	}
	wanted := within(e, q.options.Since, q.options.Until, q.options.Keep)
	if e.Attribution.Concerns() {
		q.addTouch(e, wanted)
		return
	}
	if !wanted {
		return
	}
	if a := e.Attribution; a != nil && a.Dropped != "" && !e.Probe {
		q.dropped[a.Dropped]++
	}
	codes := q.codes(e.URL)
	if e.Probe {
		q.probes += btoi(codes != "")
		return
	}
	// Who has none may have been given a page that somebody's code is in.
	if codes == "" && e.Event != audit.EventServe || !q.options.Room.take(1) {
		return
	}
	if codes != "" {
		q.coverage.count(e)
	}
	q.rows.add(q.row(e, codes))
}

// row is what is held of a request.
func (q *Attribution) row(e *reading.Entry, codes string) visit {
	host := e.Host
	if host == "" {
		host = hostOf(e.URL)
	}
	return visit{
		at: e.Time.UnixNano(), visitor: q.names.keep(e.Visitor), route: q.names.keep(e.Route), host: q.names.keep(host),
		path: q.names.keep(pathOf(e.URL)), object: q.names.keep(e.Object), outcome: q.names.keep(e.Outcome), codes: q.names.keep(codes),
		status: narrow(e.Status), served: e.Event == audit.EventServe,
	}
}

// codes are the parameters of a URL that count, as they stand there.
func (q *Attribution) codes(recorded string) string {
	var b strings.Builder
	for name, value := range params(recorded) {
		if !q.isCode(decoded(name), value) {
			continue
		}
		if b.Len() == 0 {
			b.WriteByte('?')
		} else {
			b.WriteByte('&')
		}
		b.WriteString(name + "=" + value)
	}
	return b.String()
}

// isCode says whether a parameter counts: one that was named, or any that is in clear.
func (q *Attribution) isCode(name, value string) bool {
	if len(q.params) > 0 {
		return q.params[name]
	}
	return !strings.HasPrefix(value, digest)
}

// Merge adds what another worker has read, with a question that was forked from this one
// or that this one was forked from.
func (q *Attribution) Merge(other *Attribution) {
	q.lives.merge(&other.lives)
	q.coverage.merge(&other.coverage)
	q.rows.merge(&other.rows)
	q.others.merge(&other.others)
	q.probes += other.probes
	for what, n := range other.dropped {
		q.dropped[what] += n
	}
}

func (q *Attribution) compare(v, o *visit) int {
	if c := cmp.Compare(v.at, o.at); c != 0 {
		return c
	}
	return cmp.Or(q.names.compare(v.visitor, o.visitor), q.names.compare(v.host, o.host),
		q.names.compare(v.path, o.path), q.names.compare(v.codes, o.codes), q.names.compare(v.object, o.object),
		q.names.compare(v.outcome, o.outcome), cmp.Compare(btoi(v.served), btoi(o.served)), cmp.Compare(v.status, o.status),
		q.names.compare(v.route, o.route), q.compareTouches(v.touch, o.touch))
}
