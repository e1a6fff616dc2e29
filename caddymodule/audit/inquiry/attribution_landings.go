package inquiry

import (
	"slices"
	"time"
)

// LandingSums is what routes with attribution carried, and what the app was told of it.
type LandingSums struct {
	// Landings, with how many different codes, of how many visitors. FromObject is how many
	// of them were served a stored object (the outcomes hit, stale, revalidated and collapsed),
	// HitShare their share, 0 to 1.
	Landings   int     `json:"landings"`
	Codes      int     `json:"codes"`
	Visitors   int     `json:"visitors"`
	FromObject int     `json:"from_object"`
	HitShare   float64 `json:"hit_share"`
	// Carried is how many were, CarriedBy how: cookie, beacon or both. LeftOut is why others
	// were not, or not as the route has it: prefetch, crawler, consent, unchanged and so on.
	Carried   int            `json:"carried"`
	CarriedBy map[string]int `json:"carried_by"`
	LeftOut   map[string]int `json:"left_out"`
	// BeaconsLost is how many landings could not be queued for the app.
	BeaconsLost int `json:"beacons_lost"`
	// Delivered is with how many requests the app was told of a landing, DeliveredAs how:
	// header, query or form-cookie. DeliveredUnknown is of how many of these landings there is
	// no record: it may be in older logs.
	Delivered        int            `json:"delivered"`
	DeliveredAs      map[string]int `json:"delivered_as"`
	DeliveredUnknown int            `json:"delivered_unknown"`
	// Withheld is with how many requests the app was not told although it would have been,
	// by why: consent.
	Withheld map[string]int `json:"withheld"`
	// Dropped is how many cookies were not believed, by what was wrong with them: forged,
	// expired, foreign, malformed, ambiguous.
	Dropped map[string]int `json:"dropped"`
}

// VisitAttribution is what a request had to do with who sent its visitor. The codes of a
// landing are those of its [Visit].
type VisitAttribution struct {
	// Landing is the ID of this visit; empty: it was left out before it had one, or is none.
	Landing string `json:"landing,omitempty"`
	Referer string `json:"referer,omitempty"`
	Paid    bool   `json:"paid,omitempty"`
	Model   string `json:"model,omitempty"`
	// Carried is cookie, beacon or both, LeftOut why not.
	Carried    string `json:"carried,omitempty"`
	LeftOut    string `json:"left_out,omitempty"`
	BeaconLost bool   `json:"beacon_lost,omitempty"`
	// Dropped is what was wrong with the cookie that the request had.
	Dropped string `json:"dropped,omitempty"`
	// Delivered is the ID of the landing that the app was told of, As how, Landed when it was.
	Delivered string     `json:"delivered,omitempty"`
	As        string     `json:"as,omitempty"`
	Landed    *time.Time `json:"landed,omitempty"`
	// Withheld is why the app was not told.
	Withheld string `json:"withheld,omitempty"`
	// What the record of that landing says: the codes and the Referer that the app was told,
	// and the pseudonym that the visitor had then. Where the request's own URL said it, the
	// codes are those. Unknown: there is no such record.
	DeliveredCodes   Codes  `json:"delivered_codes,omitempty"`
	DeliveredReferer string `json:"delivered_referer,omitempty"`
	LandedBy         string `json:"landed_by,omitempty"`
	Unknown          bool   `json:"landing_unknown,omitempty"`

	isLanding bool
}

// kind is what the request was, for lists of all kinds.
func (a *VisitAttribution) kind() string {
	switch {
	case a == nil:
		return "request"
	case a.isLanding && (a.Delivered != "" || a.Withheld != ""):
		return "landing, conversion"
	case a.isLanding:
		return "landing"
	}
	return "conversion"
}

// attribution is what a row's touch is told as.
func (q *Attribution) attribution(r *visit, o AnswerOptions) *VisitAttribution {
	t := r.touch
	a := &VisitAttribution{
		Landing: q.names.of(t.landing), Referer: q.names.of(t.referer), Paid: t.paid, Model: q.names.of(t.model),
		Carried: q.names.of(t.carried), LeftOut: q.names.of(t.leftOut), BeaconLost: t.lost, Dropped: q.names.of(t.dropped),
		Delivered: q.names.of(t.delivered), As: q.names.of(t.as), Withheld: q.names.of(t.withheld), isLanding: t.isLanding,
	}
	if t.landed != 0 {
		at := o.time(t.landed)
		a.Landed = &at
	}
	if t.delivered == 0 {
		return a
	}
	from := q.sources[t.delivered]
	switch {
	case from == nil && (t.named || t.referer != 0) && !t.isLanding:
		a.DeliveredCodes, a.LandedBy = codesOf(q.names.of(r.codes), q.params), q.names.of(r.visitor)
		a.DeliveredReferer = a.Referer
		return a
	case from == nil:
		a.Unknown = true
		return a
	}
	a.DeliveredCodes = codesOf(q.names.of(from.codes), q.params)
	a.DeliveredReferer, a.LandedBy = q.names.of(from.touch.referer), q.names.of(from.visitor)
	return a
}

// divide makes the lists of each kind.
func (a *AttributionAnswer) divide(rows []visit) {
	var requests, landings, deliveries []int
	for i := range rows {
		t := rows[i].touch
		if t == nil {
			requests = append(requests, i)
			continue
		}
		if t.isLanding {
			landings = append(landings, i)
		}
		if t.delivered != 0 || t.withheld != 0 {
			deliveries = append(deliveries, i)
		}
	}
	list := func(of []int) List[Visit] {
		return List[Visit]{len(of), func(i int) Visit { return a.Visits.At(of[i]) }}
	}
	a.requests, a.landings, a.deliveries = list(requests), list(landings), list(deliveries)
}

// landingCount sums landings and deliveries up.
type landingCount struct {
	sums            LandingSums
	any             bool
	visitors        map[text]struct{}
	codes           *textTable
	deliveredParams map[string]bool
}

func newLandingCount() landingCount {
	return landingCount{
		sums:     LandingSums{CarriedBy: make(map[string]int), LeftOut: make(map[string]int), DeliveredAs: make(map[string]int), Withheld: make(map[string]int), Dropped: make(map[string]int)},
		visitors: make(map[text]struct{}), codes: newTextTable(), deliveredParams: make(map[string]bool),
	}
}

// touch counts a landing, or a request with which the app was told of one.
func (c *visitCount) touch(r *visit, v *Visit) {
	l, a := &c.landings, v.Attribution
	sums := &l.sums
	l.any = true
	c.a.Contradicted += btoi(v.Contradicted)
	c.columns(v)
	if a.Dropped != "" {
		sums.Dropped[a.Dropped]++
	}
	if a.Delivered != "" {
		sums.Delivered++
		sums.DeliveredAs[orWord(a.As, "unknown")]++
		sums.DeliveredUnknown += btoi(a.Unknown)
		for name := range a.DeliveredCodes {
			l.deliveredParams[name] = true
		}
	}
	if a.Withheld != "" {
		sums.Withheld[a.Withheld]++
	}
	if !a.isLanding {
		return
	}
	sums.Landings++
	sums.FromObject += btoi(r.served && isFromObject(v.Outcome))
	sums.BeaconsLost += btoi(a.BeaconLost)
	if a.Carried != "" {
		sums.Carried++
		sums.CarriedBy[a.Carried]++
	}
	if a.LeftOut != "" {
		sums.LeftOut[a.LeftOut]++
	}
	if r.visitor != 0 {
		l.visitors[r.visitor] = struct{}{}
	}
	c.distinct(l.codes, v.Codes)
}

// isFromObject says whether a request with the outcome was served what had been stored.
func isFromObject(outcome string) bool {
	return slices.Contains([]string{"hit", "stale", "revalidated", "collapsed"}, outcome)
}

// endLandings puts the sums into the answer, if there is anything to sum up.
func (c *visitCount) endLandings(dropped map[string]int) {
	l := &c.landings
	if !l.any && len(dropped) == 0 {
		return
	}
	for what, n := range dropped {
		l.sums.Dropped[what] += n
	}
	l.sums.Codes, l.sums.Visitors = l.codes.count(), len(l.visitors)
	l.sums.HitShare = share(int64(l.sums.FromObject), int64(l.sums.Landings))
	c.a.Landings = &l.sums
	c.a.deliveredParams = sortedKeys(l.deliveredParams)
}
