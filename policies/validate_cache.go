package policies

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
)

// shareableStatuses may be given a lifetime by the operator.
var shareableStatuses = []int{200, 203, 300, 301, 302, 303, 307, 308, 404, 410, 451}

func (s section) cache(c *Cache) {
	switch c.Kind {
	case "":
		s.fault("cache", "the route does not say whether it caches", "write cache: never, origin or a duration")
		return
	case CacheNever:
		if c.TTL != 0 || c.StaleWhileRevalidate != 0 || c.StaleIfError != 0 || len(c.Statuses) > 0 {
			s.fault("cache", "cache: never takes no durations", "give a ttl instead, or leave the durations out")
		}
		return
	case CacheOrigin:
		if c.TTL != 0 {
			s.fault("cache.ttl", "the lifetime is the origin's on cache: origin routes", "give the duration instead of origin, or leave it out")
		}
	case CacheTTL:
		s.positive("cache.ttl", c.TTL, false)
	default:
		s.fault("cache", fmt.Sprintf("%q is no kind of cache", c.Kind), suggest(string(c.Kind), []CacheKind{CacheNever, CacheOrigin, CacheTTL}))
		return
	}
	s.positive("cache.stale_while_revalidate", c.StaleWhileRevalidate, true)
	s.positive("cache.stale_if_error", c.StaleIfError, true)
	for _, status := range slices.Sorted(maps.Keys(c.Statuses)) {
		path := "cache.statuses." + strconv.Itoa(status)
		s.positive(path, c.Statuses[status], false)
		if !slices.Contains(shareableStatuses, status) {
			s.fault(path, fmt.Sprintf("status %d cannot be given a lifetime: %s", status, unshareable(status)), "leave it out")
		}
	}
}

// unshareable says why a status is not for sharing.
func unshareable(status int) string {
	switch {
	case status < 200:
		return "it is no final response"
	case status == 206:
		return "it is a part of a response"
	case status == 304:
		return "it refreshes another response"
	case status == 401 || status == 403 || status == 407:
		return "it answers one visitor's credentials"
	case status == 429:
		return "it limits one visitor"
	case status >= 500:
		return "it would keep an error beyond its cause; stale_if_error serves visitors meanwhile"
	}
	return "it is no answer that visitors share"
}

// positive reports a duration that is no time, or less.
func (s section) positive(path string, d Duration, zero bool) {
	if d < 0 || d == 0 && !zero {
		s.fault(path, "the duration is not longer than zero", "give a duration such as 90s, 5m, 1h30m or 1d")
	}
}

func (s section) admission(r *Route) {
	a := r.Admission
	if a == nil {
		return
	}
	s.rule("admission", "admission", a.Rule, []string{Corroborated, Once})
	if a.Rule == Once && r.Cache.Kind == CacheTTL && blank(a.Reason) {
		s.fault("admission", "admission: once trusts a single answer of an origin that did not declare it shareable, and needs a reason",
			"say why no page of this route can be made for one visitor, or leave it out")
	}
}

func (s section) setCookie(r *Route) {
	c := r.SetCookie
	if c == nil {
		return
	}
	s.rule("set_cookie", "rule for Set-Cookie", c.Rule, []string{RefuseCookie, StripCookie})
	if c.Rule != StripCookie {
		return
	}
	if blank(c.Reason) {
		s.fault("set_cookie", "set_cookie: strip takes a cookie away from its visitor and needs a reason", "say whose cookie it is and why nobody misses it")
	}
	if r.Admission != nil && r.Admission.Rule == Once {
		s.fault("set_cookie", "set_cookie: strip contradicts admission: once: a response that sets cookies must be corroborated", "leave admission out")
	}
}

// rule is like oneOf for a choice that was made: an empty one is none.
func (s section) rule(path, what, rule string, accepted []string) {
	if rule == "" {
		s.fault(path, "the rule is empty", "accepted: "+list(accepted))
		return
	}
	oneOf(s, path, rule, what, accepted)
}

// downstreamKeys reports permission for caches that could not tell the variants
// apart. Headers they learn from Vary, and parameters are in the URL; a Vary on
// Cookie is one that most caches downstream ignore or answer by not storing.
func (s section) downstreamKeys(r *Route) {
	if r.Downstream != nil && r.Cookies != nil && (len(r.Cookies.Key) > 0 || r.Cookies.Others == Key) {
		s.fault("downstream", "caches downstream do not tell requests apart by cookies, and this route keys on cookies",
			"leave downstream out, or do not key on cookies")
	}
}

// never reports what says how to share on a route that shares nothing. Which of
// the two was meant is not for us to guess.
func (s section) never(r *Route) {
	contradicts := func(path string, given bool) {
		if given {
			s.fault(path, "this contradicts cache: never: nothing is stored on this route", "leave it out, or let the route cache")
		}
	}
	for _, in := range []struct {
		path string
		in   *Inputs
	}{{"params", r.Params}, {"cookies", r.Cookies}} {
		if in.in != nil {
			contradicts(in.path+".key", len(in.in.Key) > 0)
			contradicts(in.path+".strip", len(in.in.Strip) > 0)
			contradicts(in.path+".others", in.in.Others == Key || in.in.Others == Strip)
		}
	}
	if h := r.Headers; h != nil {
		contradicts("headers.key", len(h.Key) > 0)
		contradicts("headers.strip", len(h.Strip) > 0)
		contradicts("headers.forward", len(h.Forward) > 0)
		contradicts("headers.others", h.Others == Strip)
	}
	contradicts("admission", r.Admission != nil)
	contradicts("set_cookie", r.SetCookie != nil)
	contradicts("downstream", r.Downstream != nil)
	contradicts("heuristic", r.Heuristic != "")
	contradicts("error_ttl", r.ErrorTTL != nil)
	contradicts("targeted", r.Targeted != nil)
	contradicts("authorization", r.Authorization != nil)
	contradicts("address", r.Address != nil)
	contradicts("request_directives", r.RequestDirectives != "")
	contradicts("vouch", r.Vouch != nil)
	contradicts("inspect", r.Inspect != nil)
	contradicts("ignore", len(r.Ignore) > 0)
	contradicts("tolerate", len(r.Tolerate) > 0)
	contradicts("recheck", r.Recheck != 0)
	contradicts("on_leak", r.OnLeak != "")
}
