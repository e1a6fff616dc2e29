package inquiry

import (
	"slices"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit/show"
)

// AttributionAnswer is who came with which code, and whose page they were given. The figures
// up to Unknown are of routes that declare no attribution; Landings are of those that do.
type AttributionAnswer struct {
	Schema int `json:"schema"`
	// Incomplete and Notes are as in [ServedAnswer].
	Incomplete []string `json:"incomplete,omitempty"`
	Notes      []string `json:"notes,omitempty"`
	// Params are the names of the parameters that were found.
	Params []string `json:"params"`
	// Requests with a code, Codes: how many different ones. Uncoded are those without one
	// that were served an object whose fill was caused by a request with one. Visitors
	// made the requests of either kind.
	Requests int `json:"requests"`
	Uncoded  int `json:"uncoded"`
	Visitors int `json:"visitors"`
	Codes    int `json:"codes"`
	// Probes is how many requests with a code were left out, for they were probes and no
	// visitors. They are in no other figure.
	Probes int `json:"probes_left_out,omitempty"`
	// FromObject is how many of the requests with a code were served a stored object.
	// Others is how many requests, with a code or without, were served an object whose fill
	// was caused by a request with other codes; Contradicted how many one that is stored
	// under other codes than theirs, which must never be.
	FromObject   int `json:"from_object"`
	Others       int `json:"others_page"`
	Contradicted int `json:"contradicted"`
	// Unknown is how many were served an object of which no record tells whose request
	// caused the fill.
	Unknown int `json:"unknown_cause"`
	// Landings sums up what routes with attribution carried and delivered. Nil: no record
	// tells of any.
	Landings *LandingSums `json:"landings,omitempty"`
	// First and Last of the requests.
	First *time.Time `json:"first,omitempty"`
	Last  *time.Time `json:"last,omitempty"`
	// Visits are the requests of either kind, the landings, and the requests with which the
	// app was told of one: the earliest first.
	Visits List[Visit] `json:"visits"`

	// The visits of each kind; one that is both a landing and a delivery is in both.
	requests, landings, deliveries List[Visit]
	fill, filler                   []string // parameters that any visit's FillCodes and FillerCodes have
	deliveredParams                []string // and those of DeliveredCodes
}

// Visit is a request with a code, or one without that was given a page made for one, or
// what has an Attribution.
type Visit struct {
	Time    time.Time `json:"time"`
	Visitor string    `json:"visitor,omitempty"`
	Route   string    `json:"route,omitempty"`
	Host    string    `json:"host,omitempty"`
	Path    string    `json:"path"`
	// Codes that the visitor came with.
	Codes   Codes  `json:"codes,omitempty"`
	Outcome string `json:"outcome"`
	Status  int    `json:"status,omitempty"`
	// Object that they were served; empty: the origin answered their own request.
	Object string `json:"object,omitempty"`
	// FillCodes are those that the origin was sent for the object: the ones in the key.
	FillCodes Codes `json:"fill_codes,omitempty"`
	// FilledBy is the visitor whose request caused the fill, FillerCodes what that came
	// with; empty where no record tells. FilledByProbe: it was a probe's, with made up codes.
	FilledBy      string `json:"filled_by,omitempty"`
	FilledByProbe bool   `json:"filled_by_probe,omitempty"`
	FillerCodes   Codes  `json:"filler_codes,omitempty"`
	// Other says that the object was made on a request with other codes. Should the page
	// hold the code, or its making have recorded it, this visit is attributed wrongly.
	Other bool `json:"others_page,omitempty"`
	// Contradicted says that the object is stored under another code than the visitor's.
	Contradicted bool `json:"contradicted,omitempty"`
	// Attribution is what a landing, or a request with which the app was told of one, had to
	// do with who sent the visitor.
	Attribution *VisitAttribution `json:"attribution,omitempty"`

	unknown bool // whose request made the object
}

// origin of an object: what its fill was made with.
type origin struct {
	fill, filler Codes
	by           string
	probe, known bool // it was a probe's; whose request caused it is known
}

// Answer is what was found. It fails if there was more than there is room for.
func (q *Attribution) Answer(o AnswerOptions) (*AttributionAnswer, error) {
	if err := q.options.Room.Err(); err != nil {
		return nil, err
	}
	q.lives.sort()
	rows := q.rows.take()
	slices.SortFunc(rows, func(a, b visit) int { return q.compare(&a, &b) })
	q.sources = q.sourcesOf(rows, q.others.take())
	a := &AttributionAnswer{Schema: AnswerSchema, Params: []string{}, Probes: q.probes}
	count := newVisitCount(a)
	q.origins = make(map[text]*origin)
	kept := rows[:0]
	for i := range rows {
		v := q.visit(&rows[i], o)
		if count.add(&rows[i], &v) {
			kept = append(kept, rows[i])
		}
	}
	rows = kept
	count.end(q.dropped)
	a.Visits = List[Visit]{len(rows), func(i int) Visit { return q.visit(&rows[i], o) }}
	a.divide(rows)
	if len(rows) > 0 {
		first, last := o.time(rows[0].at), o.time(rows[len(rows)-1].at)
		a.First, a.Last = &first, &last
		a.Notes = q.coverage.notes()
	}
	a.Incomplete = append(q.coverage.incomplete(q.options.Since, q.options.Until, o),
		unlisted(q.lives.leaksDuring(q.options.Since, q.options.Until, o, func(string) bool { return true }), o)...)
	if a.Landings != nil && q.coverage.sampled.during(q.options.Since, q.options.Until) {
		a.Incomplete[0] += "; but landings, and requests with which the app was told of one, are all here"
	}
	if count.hidden {
		a.Notes = append(a.Notes, "values that begin with h: are digests: equal ones are the same code; a policy that calls the parameter plain has later records say which")
	}
	return a, nil
}

// Document is the answer as JSON, of which the rows are made one after another.
func (a *AttributionAnswer) Document() show.Document {
	head := *a
	head.Visits = List[Visit]{}
	return show.Document{Head: head, Rows: documents(a.Visits.All())}
}

// visit is a row as it is told.
func (q *Attribution) visit(r *visit, o AnswerOptions) Visit {
	v := Visit{
		Time: o.time(r.at), Visitor: q.names.of(r.visitor), Route: q.names.of(r.route), Host: q.names.of(r.host), Path: q.names.of(r.path),
		Codes: codesOf(q.names.of(r.codes), q.params), Outcome: q.names.of(r.outcome), Status: int(r.status), Object: q.names.of(r.object),
	}
	if r.served {
		v.compare(q.originOf(r.object), v.Outcome == outcomeFill)
	}
	if r.touch != nil {
		v.Attribution = q.attribution(r, o)
		// The codes were taken off before anybody could make a page of them.
		v.Other, v.unknown = false, false
	}
	return v
}

// maxOrigins are held: the next rows are of the same objects, nearly always.
const maxOrigins = 4096

func (q *Attribution) originOf(object text) *origin {
	from := q.origins[object]
	if from == nil {
		if len(q.origins) >= maxOrigins {
			clear(q.origins)
		}
		from = q.origin(object)
		q.origins[object] = from
	}
	return from
}

// origin is what an object's fill was made with.
func (q *Attribution) origin(id text) *origin {
	from := new(origin)
	l := q.lives.objects[id]
	if l == nil {
		return from
	}
	if l.stored != nil {
		from.fill = codesOf(q.names.of(l.stored.url), q.params)
	}
	if c, _ := q.lives.causedBy(q.names.of(id), l); c != nil {
		from.filler, from.by, from.probe, from.known = codesOf(q.names.of(c.url), q.params), q.names.of(c.visitor), c.probe, true
	}
	return from
}

// compare holds the codes of a visit against those with which its object was made.
func (v *Visit) compare(from *origin, caused bool) {
	v.FillCodes, v.FilledBy, v.FilledByProbe, v.FillerCodes, v.unknown = from.fill, from.by, from.probe, from.filler, !from.known
	v.Other = !caused && from.known && !v.Codes.equal(from.filler)
	for name, values := range from.fill {
		if !slices.Equal(values, v.Codes[name]) {
			v.Contradicted = true
		}
	}
}
