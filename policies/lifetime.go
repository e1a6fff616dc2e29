package policies

import (
	"net/http"
	"slices"
	"time"
)

// defaultErrorTTL is for how long errors are stored at most where the route does
// not say: long enough to spare a struggling origin, too short to be a poison.
const defaultErrorTTL = Duration(5 * time.Second)

// defaultTarget is the field for CDNs in general (RFC 9213 §3.1).
const defaultTarget = "Cdn-Cache-Control"

// follow sets what holds on cache: origin rules alone.
func (r *Rule) follow(route *Route) {
	r.Heuristic = route.Heuristic == On
	r.ErrorTTL = defaultErrorTTL
	if route.ErrorTTL != nil {
		r.ErrorTTL = *route.ErrorTTL
	}
	r.Targets = []string{defaultTarget}
	if t := route.Targeted; t != nil {
		r.TargetFirst = t.Order == TargetFirst
		if len(t.Fields) > 0 {
			r.Targets = nil
		}
		for _, name := range t.Fields {
			r.Targets = append(r.Targets, http.CanonicalHeaderKey(name))
		}
	}
	r.ShareAuthorized = sharesAuthorized(route)
	r.ForwardAddress = route.Address != nil && route.Address.Rule == AddressForward
	if v := route.Vouch; v != nil {
		for _, name := range v.Fields {
			r.vouched = append(r.vouched, http.CanonicalHeaderKey(name))
		}
	}
}

func sharesAuthorized(route *Route) bool {
	return route.Authorization != nil && route.Authorization.Rule == AuthorizationRFC9111
}

// neverStored are final statuses that are not stored even if the origin gives them
// a lifetime: parts of a response and answers to what one visitor sent, tried too
// often or has to prove.
var neverStored = []int{206, 304, 401, 407, 416, 426, 428, 429, 431, 511}

// Storable says whether the rule stores responses with the status at all. On
// cache: origin rules that is every final status (RFC 9111 §3) but those that are
// about a single request; the origin's lifetime and ErrorTTL say for how long.
func (r *Rule) Storable(status int) bool {
	switch r.Cache.Kind {
	case CacheTTL:
		_, declared := r.Cache.Statuses[status]
		return declared || status == http.StatusOK
	case CacheOrigin:
		return status >= 200 && status <= 599 && !slices.Contains(neverStored, status)
	}
	return false
}

// TTL is the lifetime that the policy gives to a status, and whether the rule
// stores that status at all, as [Rule.Storable] has it. On cache: origin rules the
// lifetime is the one declared for the status, for responses without one of the
// origin's and never more than the origin's; 0 if there is none.
func (r *Rule) TTL(status int) (Duration, bool) {
	if !r.Storable(status) {
		return 0, false
	}
	if d, ok := r.Cache.Statuses[status]; ok {
		return d, true
	}
	return r.Cache.TTL, true // 0 on cache: origin rules
}
