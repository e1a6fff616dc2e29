package gate

import (
	"net/http"
	"time"

	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/policies"
)

// RulesOf is what a route has to say about a response that was received at the time.
// Path is the request's, decoded. Fill says that the response answers a canonical
// request, which asks for no content coding; authorized that the request carried
// Authorization.
func RulesOf(rule *policies.Rule, path string, received time.Time, fill, authorized bool) Rules {
	return Rules{
		Statuses:       func(status int) bool { _, ok := rule.TTL(status); return ok },
		Path:           path,
		Operator:       rule.Cache.Kind == policies.CacheTTL,
		Given:          func(status int) bool { given, _ := rule.TTL(status); return given > 0 },
		Reader:         ReaderOf(rule),
		Heuristic:      rule.Heuristic,
		Errors:         rule.ErrorTTL > 0,
		Vouched:        rule.Vouches,
		Validate:       rule.Cache.Kind == policies.CacheOrigin && !rule.Corroborate,
		Authorized:     authorized,
		AllowSetCookie: rule.StripSetCookie,
		Trusted:        !rule.InspectBody,
		Declared:       rule.Covers,
		OriginKeyed:    rule.Keys("Origin"),
		WantIdentity:   fill,
		Received:       received,
	}
}

// ReaderOf is how the route reads the fields that control caches.
func ReaderOf(rule *policies.Rule) httpcache.Reader {
	return httpcache.Reader{
		Targets:        rule.Targets,
		TargetFirst:    rule.TargetFirst,
		MustUnderstand: rule.Cache.Kind == policies.CacheOrigin,
	}
}

// LifetimeOf is for how long the route reuses a response unasked, counted from when
// the origin made it or, on routes with a duration, from when it came.
func LifetimeOf(rule *policies.Rule, status int, head http.Header, d httpcache.Directives, received time.Time) time.Duration {
	given, _ := rule.TTL(status)
	if rule.Cache.Kind == policies.CacheTTL {
		return time.Duration(given)
	}
	life, explicit := httpcache.Lifetime(head, d, received)
	switch {
	case explicit && given > 0:
		life = min(life, time.Duration(given))
	case !explicit && given > 0:
		life = time.Duration(given)
	case !explicit && rule.Heuristic:
		life, _ = httpcache.Heuristic(head, d, status, received)
	}
	if httpcache.ErrorStatus(status) {
		life = min(life, time.Duration(rule.ErrorTTL))
	}
	return life
}

// PermissionOf is what is left of the route's and the object's lifetimes for caches
// further on. They subtract the Age that the response carries, so it is added here: in
// whole seconds, as it stands there, for parts of a second would add up to one that the
// object does not have.
func PermissionOf(d *policies.Downstream, ttl, age time.Duration) httpcache.Permission {
	ttl, age = ttl.Truncate(time.Second), age.Truncate(time.Second)
	left := min(time.Duration(d.TTL), ttl)
	if left < time.Second {
		return httpcache.Permission{}
	}
	p := httpcache.Permission{CDN: left + age, Age: age}
	if d.Browser > 0 {
		p.Browser = min(time.Duration(d.Browser), ttl) + age
	}
	return p
}
