package inquiry

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// AttributionAnswer is who came with which code, and whose page they were given.
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
	// First and Last of the requests.
	First *time.Time `json:"first,omitempty"`
	Last  *time.Time `json:"last,omitempty"`
	// Visits are the requests of either kind, the earliest first.
	Visits []Visit `json:"visits"`
}

// Visit is a request with a code, or one without that was given a page made for one.
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
	// with; empty where no record tells.
	FilledBy    string `json:"filled_by,omitempty"`
	FillerCodes Codes  `json:"filler_codes,omitempty"`
	// Other says that the object was made on a request with other codes. Should the page
	// hold the code, or its making have recorded it, this visit is attributed wrongly.
	Other bool `json:"others_page,omitempty"`
	// Contradicted says that the object is stored under another code than the visitor's.
	Contradicted bool `json:"contradicted,omitempty"`
}

// origin of an object: what its fill was made with.
type origin struct {
	fill, filler Codes
	by           string
	known        bool // whose request caused it
}

// Answer is what was found. It fails if there was more than there is room for.
func (q *Attribution) Answer(o AnswerOptions) (*AttributionAnswer, error) {
	if err := q.options.Room.Err(); err != nil {
		return nil, err
	}
	q.lives.sort()
	slices.SortFunc(q.rows, func(a, b visit) int { return a.compare(&b) })
	a := &AttributionAnswer{Schema: AnswerSchema, Params: []string{}, Visits: make([]Visit, 0, len(q.rows))}
	names, codes, visitors := make(map[string]bool), make(map[string]bool), make(map[interned]bool)
	origins := make(map[interned]*origin)
	hidden := false
	for i := range q.rows {
		r := &q.rows[i]
		v := Visit{
			Time: o.time(r.at), Visitor: r.visitor.Value(), Route: r.route.Value(), Host: r.host.Value(), Path: r.path.Value(),
			Codes: codesOf(r.codes, q.params), Outcome: r.outcome.Value(), Status: r.status, Object: r.object.Value(),
		}
		if r.served {
			from := origins[r.object]
			if from == nil {
				from = q.origin(r.object, o)
				origins[r.object] = from
			}
			v.compare(from, r.outcome.Value() == outcomeFill)
			switch {
			case len(v.Codes) > 0:
				a.FromObject++
				a.Unknown += btoi(!from.known)
			case v.Other, v.Contradicted:
				a.Uncoded++
			default:
				continue
			}
			a.Others += btoi(v.Other)
			a.Contradicted += btoi(v.Contradicted)
		}
		for name, values := range v.Codes {
			names[name] = true
			for _, value := range values {
				codes[name+"="+value] = true
				hidden = hidden || strings.HasPrefix(value, digest)
			}
		}
		if v.Visitor != "" {
			visitors[r.visitor] = true
		}
		a.Visits = append(a.Visits, v)
	}
	a.Requests = len(a.Visits) - a.Uncoded
	a.Params = append(a.Params, sortedKeys(names)...)
	a.Codes, a.Visitors = len(codes), len(visitors)
	if len(a.Visits) > 0 {
		a.First, a.Last = &a.Visits[0].Time, &a.Visits[len(a.Visits)-1].Time
		a.Notes = q.coverage.notes()
	}
	a.Incomplete = q.coverage.incomplete(q.options.Since, q.options.Until, o)
	if hidden {
		a.Notes = append(a.Notes, "values that begin with h: are digests: equal ones are the same code; a policy that calls the parameter plain has later records say which")
	}
	return a, nil
}

// origin is what an object's fill was made with.
func (q *Attribution) origin(id interned, o AnswerOptions) *origin {
	from := new(origin)
	l := q.lives.objects[id]
	if l == nil {
		return from
	}
	if l.stored != nil {
		from.fill = codesOf(l.stored.url, q.params)
	}
	if c, _ := q.lives.causedBy(id.Value(), l); c != nil {
		from.filler, from.by, from.known = codesOf(c.url, q.params), c.visitor.Value(), true
	}
	return from
}

// compare holds the codes of a visit against those with which its object was made.
func (v *Visit) compare(from *origin, caused bool) {
	v.FillCodes, v.FilledBy, v.FillerCodes = from.fill, from.by, from.filler
	v.Other = !caused && from.known && !v.Codes.equal(from.filler)
	for name, values := range from.fill {
		if !slices.Equal(values, v.Codes[name]) {
			v.Contradicted = true
		}
	}
}

// names of all parameters that codes have.
func (a *AttributionAnswer) fillParams() (fill, filler []string) {
	inFill, inFiller := make(map[string]bool), make(map[string]bool)
	for i := range a.Visits {
		for name := range maps.Keys(a.Visits[i].FillCodes) {
			inFill[name] = true
		}
		for name := range maps.Keys(a.Visits[i].FillerCodes) {
			inFiller[name] = true
		}
	}
	return sortedKeys(inFill), sortedKeys(inFiller)
}
