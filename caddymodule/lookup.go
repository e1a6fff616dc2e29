package caddymodule

import (
	"net/http"
	"time"

	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/caddymodule/store"
	"github.com/cacheward/cacheward/policies"
)

// reuse says what a stored response is good for (RFC 9111 §4).
type reuse uint8

const (
	reuseNone            reuse = iota
	reuseFresh                 // §4.2
	reuseStale                 // §4.2.4: the request accepts it
	reuseWhileRefreshing       // RFC 5861 §3
	reuseAfterValidation       // §4.3
)

// lookUp finds the stored response that the request selects (RFC 9111 §4.1), or
// nil. It also notes where that is, or would be, and what the request demands.
func (x *exchange) lookUp() (*store.Object, error) {
	x.stale = nil
	x.demands = x.readDemands()
	x.authorized = x.rule.ShareAuthorized && x.r.Header["Authorization"] != nil
	o, at, err := store.Select(x.h.shared.store, x.key, x.keyBytes, x.sent)
	if err != nil {
		return nil, err
	}
	x.found = o
	x.at, x.variant = at, at != x.key
	x.lane = at
	if x.authorized {
		// What is said to one who is signed in keeps nobody else waiting, and is
		// no refusal of what others get.
		x.lane = signedLane(at)
	}
	next := lookedUp
	if x.waited {
		next = lookedAgain
	}
	if !x.to(next) {
		return nil, errPhase
	}
	return o, nil
}

// clock is the time that the request is judged by: when it came, until it has waited.
func (x *exchange) clock() time.Time {
	if x.waited {
		return time.Now()
	}
	return x.started
}

// readDemands reads the request's directives (RFC 9111 §5.2.1). Where visitors may
// not force origin requests only only-if-cached is left of them, which forces none.
func (x *exchange) readDemands() httpcache.RequestDirectives {
	if x.r.Header["Cache-Control"] == nil && x.r.Header["Pragma"] == nil {
		return httpcache.RequestDirectives{}
	}
	d := httpcache.ReadRequest(x.r.Header)
	if !x.rule.ObeyRequest {
		d = httpcache.RequestDirectives{OnlyIfCached: d.OnlyIfCached}
	}
	return d
}

// reuse decides what the object is good for, for this request and at this moment.
func (x *exchange) reuse(o *store.Object, now time.Time) reuse {
	if o == nil || x.authorized && !o.Authorized {
		return reuseNone
	}
	d := &x.demands
	ttl := o.TTL(now)
	// What came after the request is as new as the request can demand.
	newer := o.Received.After(x.started)
	switch {
	case o.NoCache,
		d.NoCache && !newer,
		d.HasMaxAge && o.Age(now) > d.MaxAge && !newer,
		d.HasMinFresh && ttl < d.MinFresh:
		return reuseAfterValidation
	case o.Fresh(now):
		return reuseFresh
	}
	refreshing, _ := o.MayServeStale(now)
	switch {
	case refreshing:
		return reuseWhileRefreshing
	case d.HasMaxStale && -ttl <= d.MaxStale && !o.NeverStale && !o.OnlyWindows:
		return reuseStale
	}
	return reuseAfterValidation
}

// sentField is the value with which a header that may vary is sent to the origin.
func (x *exchange) sentField(name string) (string, bool) {
	return sentField(x.parts.Varying, name)
}

func sentField(varying []policies.Field, name string) (string, bool) {
	for i := range varying {
		if varying[i].Name == name {
			return httpcache.NormalizeSelecting(name, varying[i].Value), true
		}
	}
	return "", false
}

// join returns the flight that this request waits for, or leads. What must be
// asked of the origin each time cannot be waited for: such requests fly alone.
func (x *exchange) join() (f *flight, leader bool) {
	if !x.rule.Corroborate && (x.r.Method == http.MethodHead || x.stale != nil && x.stale.NoCache) {
		return x.h.shared.flights.alone(x.lane)
	}
	return x.h.shared.flights.join(x.lane)
}

// landEarlier ends a flight that is not needed: another one may have landed after
// this request had looked up, and before it asked for a flight of its own.
func (x *exchange) landEarlier(f *flight) {
	s := x.h.shared
	if o, _, err := store.Select(s.store, x.key, x.keyBytes, x.sent); err == nil && x.reuse(o, time.Now()) == reuseFresh {
		f.land(o)
	} else if reasons := x.unshareable(x.lane); reasons != nil {
		f.land(nil, reasons...)
	} else {
		return
	}
	s.flights.leave(f)
}
