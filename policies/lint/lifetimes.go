package lint

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/cacheward/cacheward/policies"
)

const (
	minute = policies.Duration(time.Minute)
	hour   = policies.Duration(time.Hour)
	day    = 24 * hour
)

// lifetime is a duration that a route gives to a status, and the field that says so.
type lifetime struct {
	field  string
	status int
	ttl    policies.Duration
}

// lifetimes are all that a route gives, that of status 200 first.
func lifetimes(r *policies.Route) []lifetime {
	var out []lifetime
	if _, replaced := r.Cache.Statuses[200]; r.Cache.TTL > 0 && !replaced {
		out = append(out, lifetime{"cache.ttl", 200, r.Cache.TTL})
	}
	for _, status := range slices.Sorted(maps.Keys(r.Cache.Statuses)) {
		out = append(out, lifetime{"cache.statuses." + strconv.Itoa(status), status, r.Cache.Statuses[status]})
	}
	return out
}

// longest is the longest lifetime that the route itself gives; 0 where it leaves that
// to the origin.
func longest(r *policies.Route) policies.Duration {
	var most policies.Duration
	for _, l := range lifetimes(r) {
		most = max(most, l.ttl)
	}
	return most
}
