package command

import (
	"cmp"
	"slices"

	"github.com/cacheward/cacheward/caddymodule/audit/reading"
)

// latestOf keeps the last records of each edge: of several, one log lies behind the other,
// and which are the last of all is not known before the end.
type latestOf struct {
	last  int
	edges map[string]*ring
}

// ring has the last records, in the order in which they lie in the log.
type ring struct {
	entries []reading.Entry
	next    int
}

// maxTailed bounds how many edges' records are kept apart. What comes of more is kept with
// that of no edge.
const maxTailed = 64

func (l *latestOf) add(e *reading.Entry) {
	if l.last == 0 {
		return
	}
	own := *e
	own.Raw = slices.Clone(e.Raw)
	r := l.edges[e.Edge]
	if r == nil && len(l.edges) >= maxTailed {
		own.Edge = ""
		r = l.edges[""]
	}
	if r == nil {
		r = &ring{entries: make([]reading.Entry, 0, min(l.last, 1024))}
		l.edges[own.Edge] = r
	}
	if len(r.entries) < l.last {
		r.entries = append(r.entries, own)
		return
	}
	r.entries[r.next] = own
	r.next = (r.next + 1) % l.last
}

// entries are the last of all: those of one edge as they lie in the log, those of several
// in the order of time.
func (l *latestOf) entries() []reading.Entry {
	var all []reading.Entry
	for _, r := range l.edges {
		all = slices.Concat(all, r.entries[r.next:], r.entries[:r.next])
	}
	if len(l.edges) > 1 {
		slices.SortStableFunc(all, func(a, b reading.Entry) int {
			return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.Edge, b.Edge))
		})
	}
	return all[max(0, len(all)-l.last):]
}
