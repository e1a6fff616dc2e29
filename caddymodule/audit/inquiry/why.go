package inquiry

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
	"github.com/cacheward/cacheward/caddymodule/audit/reading"
)

// Why is the question what was decided on a URL, and why. It needs whole entries.
//
// Records hold most values of parameters as digests, which cannot be compared with what
// is asked for: of those only the names are. Trips, resets and purges are told where
// they may have concerned the URL.
type Why struct {
	text   string
	wanted wantedURL
	scheme string
	limit  int

	decisions latestDecisions
	switches  latestDecisions // trips, resets and purges
	leaks     latestDecisions // and their ends
	routes    map[string]bool // of what was found
	keys      map[string]bool
	found     int64
	probes    int64 // of what was found
	digests   bool  // some value could not be compared
}

// maxNamed is how many routes and keys of what was found are remembered.
const maxNamed = 10_000

// DefaultDecisions is how many decisions are told if nothing else is said.
const DefaultDecisions = 20

// NewWhy returns the question about a URL, or about a path on any host, with the latest
// decisions up to limit; zero: [DefaultDecisions]. A query means requests that have these
// parameters. It fails if the text is neither a URL nor a path.
func NewWhy(url string, limit int) (*Why, error) {
	wanted, err := newWantedURL(url)
	if err != nil {
		return nil, fmt.Errorf("%q is no URL; one was expected, or a path: https://example.com/page or /page", url)
	}
	if limit <= 0 {
		limit = DefaultDecisions
	}
	scheme, _, found := strings.Cut(url, "://")
	if !found || strings.ContainsAny(scheme, "/?") {
		scheme = ""
	}
	return newWhy(url, strings.ToLower(scheme), wanted, limit), nil
}

func newWhy(text, scheme string, wanted wantedURL, limit int) *Why {
	return &Why{
		text: text, scheme: scheme, wanted: wanted, limit: limit,
		decisions: latestDecisions{limit: limit}, switches: latestDecisions{limit: maxNotable},
		leaks:  latestDecisions{limit: maxNotable},
		routes: make(map[string]bool), keys: make(map[string]bool),
	}
}

// Fork returns the same question with nothing read, for another worker.
func (q *Why) Fork() *Why { return newWhy(q.text, q.scheme, q.wanted, q.limit) }

// Add takes note of a record.
func (q *Why) Add(e *reading.Entry) {
	switch e.Event {
	case audit.EventTrip, audit.EventReset, audit.EventPurge:
		q.switches.add(decisionOf(e))
		return
	case audit.EventLeak, audit.EventClear:
		if q.probed(e) {
			q.found++
			for route := range strings.SplitSeq(e.Route, ", ") {
				remember(q.routes, route)
			}
			q.leaks.add(decisionOf(e))
		}
		return
	}
	if !q.matches(e.URL) {
		return
	}
	q.found++
	q.probes += int64(btoi(e.Probe))
	q.digests = q.digests || len(q.wanted.params) > 0 && strings.Contains(e.URL, "="+digest)
	remember(q.routes, e.Route)
	remember(q.keys, e.Key)
	q.decisions.add(decisionOf(e))
}

func remember(names map[string]bool, name string) {
	if name != "" && !names[name] && len(names) < maxNamed {
		names[strings.Clone(name)] = true
	}
}

// matches says whether a record's URL is the one that is asked about.
func (q *Why) matches(recorded string) bool {
	if recorded == "" || !q.wanted.hasPath(pathOf(recorded)) {
		return false
	}
	if q.scheme != "" && !strings.HasPrefix(recorded, q.scheme+"://") {
		return false
	}
	return q.wanted.matches(recorded)
}

// probed says whether the page that was probed is the one that is asked about.
func (q *Why) probed(e *reading.Entry) bool {
	page := orWord(e.URL, strings.TrimPrefix(e.Scope, "url "))
	if page == "" || !q.wanted.hasPath(pathOf(page)) || q.scheme != "" && !strings.HasPrefix(page, q.scheme+"://") {
		return false
	}
	return q.wanted.host == "" || q.wanted.host == hostOf(page)
}

// Merge adds what another worker has read.
func (q *Why) Merge(other *Why) {
	q.found += other.found
	q.probes += other.probes
	q.digests = q.digests || other.digests
	for route := range other.routes {
		remember(q.routes, route)
	}
	for key := range other.keys {
		remember(q.keys, key)
	}
	q.decisions.add(other.decisions.list...)
	q.switches.add(other.switches.list...)
	q.leaks.add(other.leaks.list...)
}

// concerned says whether a trip, reset or purge may have concerned the URL.
func (q *Why) concerned(scope string) bool {
	kind, what, _ := strings.Cut(scope, " ")
	switch kind {
	case "everything", "":
		return true
	case "route":
		return q.routes[what]
	case "key":
		return q.keys[shortKey(what)]
	case "url":
		return pathOf(what) == q.wanted.path
	case "prefix":
		_, path, _ := strings.Cut(strings.TrimSuffix(withoutScheme(what), "*"), "/")
		return strings.HasPrefix(q.wanted.path, "/"+path)
	}
	return true // a tag: which pages had it is not on record
}

// Decision is one record, told for people.
type Decision struct {
	Time time.Time `json:"time,omitzero"`
	// Edge is where it was decided, one of several that work together.
	Edge  string `json:"edge,omitempty"`
	Event string `json:"event"`
	// Outcome of the request, if it is about one.
	Outcome string `json:"outcome,omitempty"`
	Route   string `json:"route,omitempty"`
	// Words say what was decided, and why.
	Words string `json:"words"`
	// Reasons are the codes.
	Reasons string `json:"reasons,omitempty"`
	// Change is what to do about it; there is none for a probe, which may send what no
	// visitor does.
	Change  string `json:"change,omitempty"`
	URL     string `json:"url,omitempty"`
	Object  string `json:"object,omitempty"`
	Key     string `json:"key,omitempty"`
	Visitor string `json:"visitor,omitempty"`
	// Probe: who asked was one, and no visitor.
	Probe  bool `json:"probe,omitempty"`
	Status int  `json:"status,omitempty"`
	// From and Until are when a leak began, as far as is known, or how long it was there, as
	// in [reading.Entry].
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
}

func (d *Decision) compare(o *Decision) int {
	return cmp.Or(
		o.Time.Compare(d.Time), strings.Compare(d.Event, o.Event), strings.Compare(d.Outcome, o.Outcome), strings.Compare(d.Route, o.Route),
		strings.Compare(d.Words, o.Words), strings.Compare(d.Reasons, o.Reasons), strings.Compare(d.Change, o.Change),
		strings.Compare(d.URL, o.URL), strings.Compare(d.Object, o.Object), strings.Compare(d.Key, o.Key),
		strings.Compare(d.Visitor, o.Visitor), cmp.Compare(d.Status, o.Status),
		cmp.Compare(btoi(d.Probe), btoi(o.Probe)), d.From.Compare(o.From), d.Until.Compare(o.Until), strings.Compare(d.Edge, o.Edge),
	)
}

// latestDecisions keeps the latest.
type latestDecisions struct {
	limit int
	list  []Decision
}

func (l *latestDecisions) add(decisions ...Decision) {
	l.list = append(l.list, decisions...)
	if len(l.list) >= 2*l.limit+64 {
		l.sort()
	}
}

func (l *latestDecisions) sort() {
	slices.SortFunc(l.list, func(a, b Decision) int { return a.compare(&b) })
	l.list = l.list[:min(len(l.list), l.limit)]
}

// WhyAnswer is the answer to [Why].
type WhyAnswer struct {
	Schema int    `json:"schema"`
	URL    string `json:"url"`
	// Found is how many decisions on the URL there are, Probes how many of these on requests
	// of probes and no visitors.
	Found  int64 `json:"found"`
	Probes int64 `json:"probes,omitempty"`
	// Decisions are the latest, the newest first, with the trips, resets and purges
	// between them that may have concerned the URL, and all leaks of the page.
	Decisions []Decision `json:"decisions"`
	// Notes say what could not be compared.
	Notes []string `json:"notes,omitempty"`
}

// Answer ends the question.
func (q *Why) Answer() *WhyAnswer {
	q.decisions.sort()
	a := &WhyAnswer{Schema: AnswerSchema, URL: q.text, Found: q.found, Probes: q.probes, Decisions: slices.Clone(q.decisions.list)}
	if a.Decisions == nil {
		a.Decisions = []Decision{}
	}
	if q.digests {
		a.Notes = append(a.Notes, "values of parameters are on record as digests (h:…), which cannot be compared with those in the URL; "+
			"only the names were")
	}
	if q.found == 0 {
		return a
	}
	q.leaks.sort()
	a.Decisions = append(a.Decisions, q.leaks.list...)
	oldest := slices.MinFunc(a.Decisions, func(x, y Decision) int { return x.Time.Compare(y.Time) }).Time
	q.switches.sort()
	for _, s := range q.switches.list {
		if q.concerned(s.Reasons) && !s.Time.Before(oldest) {
			s.Reasons = ""
			a.Decisions = append(a.Decisions, s)
		}
	}
	slices.SortFunc(a.Decisions, func(a, b Decision) int { return a.compare(&b) })
	return a
}
