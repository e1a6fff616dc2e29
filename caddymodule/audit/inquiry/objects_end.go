package inquiry

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/cacheward/cacheward/caddymodule/audit"
)

// What can become of an object. The first six end it.
const (
	Expired   = "expired"       // its time was over
	Evicted   = "evicted"       // dropped to make room
	Purged    = "purged"        // dropped by an operator
	Dropped   = "dropped"       // with the reset of a trip
	Withdrawn = "withdrawn"     // dropped, for it turned out not to be shareable
	Refused   = "refused"       // never stored: only the visitor who caused the fill was given it
	Replaced  = "replaced"      // a newer object was stored under its key
	Softened  = "made stale"    // by a soft purge
	Diverged  = "diverged"      // two later answers for its key differed
	Tripped   = "tripped"       // out of reach: caching was stopped
	Reset     = "trip reset"    // caching goes on
	Confirmed = "revalidated"   // the origin said that it still holds
	Leaked    = "leak found"    // a probe from outside was given what belongs to another
	Cleared   = "leak over"     // probes find none any more
	Remaining = "still there"   // nothing that was read ends it
	Unknown   = "not in record" // nothing that was read tells of its admission or its end
)

// Turn is something that became of an object.
type Turn struct {
	Time time.Time `json:"time"`
	// What is one of the constants: expired, evicted, purged, withdrawn, ...
	What string `json:"what"`
	// Why has reasons, the class of a divergence, or what the operator wrote; By is the
	// operator, Scope what they named.
	Why   string `json:"why,omitempty"`
	By    string `json:"by,omitempty"`
	Scope string `json:"scope,omitempty"`
	// Edge is where it was evicted, one of several: the others may have it still.
	Edge string `json:"edge,omitempty"`
	// Perhaps: the records do not tell for sure that it concerned this object.
	Perhaps bool `json:"perhaps,omitempty"`
	// Clean is when the last probe began that had found no leak, before one was found at
	// Time: it began between the two. Nil: that is not known.
	Clean *time.Time `json:"last_clean,omitempty"`
}

// final says whether there is no object after it.
func (t Turn) final() bool {
	switch t.What {
	case Evicted:
		return t.Edge == ""
	case Expired, Purged, Dropped, Withdrawn, Refused:
		return !t.Perhaps
	}
	return false
}

// turns is what became of an object, in the order of time. lives has been sorted.
func (l *lives) turns(id string, o *life, pageURL string, successors map[text][]successor) []Turn {
	var turns []Turn
	add := func(h *happening, what string, perhaps bool) {
		turns = append(turns, Turn{Time: time.Unix(0, h.at), What: what, Why: l.names.of(h.why), By: l.names.of(h.by), Scope: l.names.of(h.scope), Perhaps: perhaps})
	}
	began := filled(id)
	if began == 0 && o.stored != nil {
		began = o.stored.at
	}
	gone := int64(math.MaxInt64) // what comes after it is another object's
	end := func(h *happening, what string) {
		add(h, what, false)
		gone = min(gone, h.at)
	}
	for i := range o.happenings {
		switch h := &o.happenings[i]; l.event(h) {
		case audit.EventExpire:
			end(h, Expired)
		case audit.EventEvict:
			if h.edge != 0 {
				add(h, Evicted, false)
				turns[len(turns)-1].Edge = l.names.of(h.edge)
				break
			}
			end(h, Evicted)
		case audit.EventWithdraw:
			end(h, Withdrawn)
		case audit.EventRefresh:
			add(h, Confirmed, false)
		}
	}
	ofKey := l.keys[o.key]
	for i := sort.Search(len(ofKey), func(i int) bool { return ofKey[i].at >= began }); i < len(ofKey); i++ {
		h := &ofKey[i]
		switch {
		case o.stored == nil && h.at-began < int64(causeReach):
			add(h, Refused, false)
		case l.event(h) == audit.EventDiverge:
			add(h, Diverged, false)
		}
	}
	route, key := l.names.of(o.route), l.names.of(o.key)
	for i := sort.Search(len(l.switches), func(i int) bool { return l.switches[i].at >= began }); i < len(l.switches); i++ {
		h := &l.switches[i]
		if h.at > gone {
			break
		}
		covered, perhaps := covers(l.names.of(h.scope), route, key, pageURL)
		if !covered && !perhaps {
			continue
		}
		switch event := l.event(h); {
		case event == audit.EventTrip:
			add(h, Tripped, !covered)
		case event == audit.EventReset && h.drops: // with --keep, nothing is
			add(h, Dropped, !covered)
		case event == audit.EventReset:
			add(h, Reset, !covered)
		case h.soft:
			add(h, Softened, !covered)
		default:
			add(h, Purged, !covered)
		}
	}
	if o.stored != nil {
		later := successors[o.key]
		after := sort.Search(len(later), func(i int) bool { return later[i].at > o.stored.at })
		if after < len(later) {
			next := later[after]
			turns = append(turns, Turn{Time: time.Unix(0, next.at), What: Replaced, Scope: "by object " + l.names.of(next.id), Perhaps: true})
		}
	}
	gone = 0
	for _, t := range turns {
		if at := t.Time.UnixNano(); t.final() && (gone == 0 || at < gone) {
			gone = at
		}
	}
	turns = append(turns, l.leakTurns(began, gone, route, pageURL)...)
	slices.SortStableFunc(turns, func(a, b Turn) int {
		return cmp.Or(a.Time.Compare(b.Time), cmp.Compare(a.What, b.What), cmp.Compare(a.Why, b.Why))
	})
	return untilGone(turns)
}

func (l *lives) event(h *happening) audit.Event { return audit.Event(l.names.of(h.event)) }

// untilGone leaves out what happened to an object's key and route when it was gone,
// save divergences and leaks: those tell of the page.
func untilGone(turns []Turn) []Turn {
	gone := false
	return slices.DeleteFunc(turns, func(t Turn) bool {
		switch {
		case t.What == Diverged, t.What == Withdrawn, t.What == Leaked, t.What == Cleared:
		case gone:
			return true
		}
		gone = gone || t.final()
		return false
	})
}

// stateOf is what became of an object in the end.
func stateOf(o *life, turns []Turn) string {
	state := Remaining
	if o.stored == nil {
		state = Unknown
	}
	for _, t := range turns {
		switch {
		case t.final():
			return t.What
		case t.What == Replaced, t.What == Softened, t.What == Tripped && !t.Perhaps:
			state = t.What
		case t.What == Reset && state == Tripped:
			state = Remaining
		}
	}
	return state
}

// successor is an object that was stored under a key.
type successor struct {
	at int64
	id text
}

// successors are the objects of each key, in the order in which they were stored.
func (l *lives) successors() map[text][]successor {
	of := make(map[text][]successor)
	for id, o := range l.objects {
		if o.stored != nil && o.key != 0 {
			of[o.key] = append(of[o.key], successor{o.stored.at, id})
		}
	}
	for _, s := range of {
		slices.SortFunc(s, func(a, b successor) int {
			return cmp.Or(cmp.Compare(a.at, b.at), l.names.compare(a.id, b.id))
		})
	}
	return of
}

// covers says whether what an operator named takes in an object. perhaps: it cannot be
// told from records.
func covers(scope, route, key, pageURL string) (covered, perhaps bool) {
	if scope == "everything" || scope == "all" || scope == "" {
		return true, false
	}
	kind, named, _ := strings.Cut(scope, " ")
	switch kind {
	case "route":
		return named == route, false
	case "key":
		return key != "" && shortKey(named) == key, false
	case "url":
		if pageURL == "" {
			return false, true
		}
		same := pathOf(named) == pathOf(pageURL) && hostOf(named) == hostOf(pageURL)
		// Which of its parameters are in the key is not in records.
		sure := same && !strings.Contains(named, "?") && !strings.Contains(pageURL, "?")
		return sure, same && !sure
	case "prefix":
		if pageURL == "" {
			return false, true
		}
		return hasPrefix(withoutScheme(pageURL), withoutScheme(named)), false
	case "tag":
		return false, true // records have no tags
	}
	return false, true
}

// hasPrefix compares as a purge does: up to the end of a segment, or at a star.
func hasPrefix(page, prefix string) bool {
	page, _, _ = strings.Cut(page, "?")
	if open, ok := strings.CutSuffix(prefix, "*"); ok {
		return strings.HasPrefix(page, open)
	}
	prefix = strings.TrimSuffix(prefix, "/")
	return page == prefix || strings.HasPrefix(page, prefix+"/")
}

func withoutScheme(s string) string {
	if _, rest, ok := strings.Cut(s, "://"); ok {
		return rest
	}
	return s
}

// shortKey is a key as records have it: the first 16 of its digits.
func shortKey(key string) string {
	key = strings.ToLower(key)
	return key[:min(16, len(key))]
}
