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
// came with which code, and whose page they were given.
type Attribution struct {
	options  AttributionOptions
	params   map[string]bool
	lives    lives
	coverage coverage
	rows     []visit
}

// visit is a request with a code, or one without that was served from an object.
type visit struct {
	at      int64 // Unix nanoseconds
	visitor interned
	route   interned
	host    interned
	path    interned
	object  interned
	outcome interned
	served  bool   // from an object
	codes   string // of the URL, as they stand there, after a question mark
	status  int
}

// NewAttribution returns the question.
func NewAttribution(o AttributionOptions) *Attribution {
	q := &Attribution{options: o, params: make(map[string]bool), lives: newLives(o.Room), coverage: newCoverage()}
	for _, name := range o.Params {
		q.params[name] = true
	}
	return q
}

// Fork returns the same question with nothing read, for another worker.
func (q *Attribution) Fork() *Attribution { return NewAttribution(q.options) }

// Add takes note of a record. Records may come in any order.
func (q *Attribution) Add(e *reading.Entry) {
	q.coverage.sample(e)
	switch e.Event {
	case audit.EventDrop:
		q.coverage.lose(e)
		return
	case audit.EventStore:
		q.lives.add(e)
		return
	case audit.EventServe, audit.EventBypass, audit.EventDeny:
		q.lives.add(e) // it may be what caused a fill
	default:
		return
	}
	if !within(e, q.options.Since, q.options.Until, q.options.Keep) {
		return
	}
	codes := q.codes(e.URL)
	// Who has none may have been given a page that somebody's code is in.
	if codes == "" && e.Event != audit.EventServe || !q.options.Room.take() {
		return
	}
	if codes != "" {
		q.coverage.count(e)
	}
	host := e.Host
	if host == "" {
		host = hostOf(e.URL)
	}
	q.rows = append(q.rows, visit{
		at: e.Time.UnixNano(), visitor: intern(e.Visitor), route: intern(e.Route), host: intern(host), path: intern(pathOf(e.URL)),
		object: intern(e.Object), outcome: intern(e.Outcome), served: e.Event == audit.EventServe, codes: codes, status: e.Status,
	})
}

// codes are the parameters of a URL that count, as they stand there.
func (q *Attribution) codes(recorded string) string {
	var b strings.Builder
	for name, value := range params(recorded) {
		if len(q.params) > 0 && !q.params[decoded(name)] || len(q.params) == 0 && strings.HasPrefix(value, digest) {
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

// Merge adds what another worker has read.
func (q *Attribution) Merge(other *Attribution) {
	q.lives.merge(&other.lives)
	q.coverage.merge(&other.coverage)
	q.rows = append(q.rows, other.rows...)
}

func (v *visit) compare(o *visit) int {
	return cmp.Or(cmp.Compare(v.at, o.at), compareInterned(v.visitor, o.visitor), compareInterned(v.host, o.host),
		compareInterned(v.path, o.path), cmp.Compare(v.codes, o.codes), compareInterned(v.object, o.object),
		compareInterned(v.outcome, o.outcome), cmp.Compare(btoi(v.served), btoi(o.served)), cmp.Compare(v.status, o.status),
		compareInterned(v.route, o.route))
}
