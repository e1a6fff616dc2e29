package explain

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/cacheward/cacheward/caddymodule/gate"
	"github.com/cacheward/cacheward/caddymodule/httpcache"
	"github.com/cacheward/cacheward/policies"
)

// Who gives a lifetime.
const (
	byPolicy    = "policy"
	byOrigin    = "origin"
	byHeuristic = "heuristic"
)

// store says what speaks against the object that has passed the gate, and what those
// get who are served it.
func (e *Explanation) store(f *fill) []policies.Reason {
	j, status, head := f.state, f.head.Status, f.header
	d := gate.ReaderOf(e.rule).Directives(head, status)
	life := gate.LifetimeOf(e.rule, status, head, d, f.received)
	age := httpcache.InitialAge(f.head.Header, f.received, f.received)
	left := life
	if e.rule.Cache.Kind == policies.CacheOrigin {
		left -= age
	}
	stored := httpcache.StoredFields(head, e.rule.Vouches)
	unasked := left > 0
	if once := e.rule.Cache.Kind == policies.CacheOrigin && !e.rule.Corroborate; once {
		etag, modified := httpcache.Validators(stored)
		unasked = unasked && !d.NoCache && life > 0
		if !unasked && etag == "" && modified == "" {
			return []policies.Reason{policies.ReasonNotFresh}
		}
	} else if !unasked {
		return []policies.Reason{policies.ReasonNotFresh}
	}
	names, ok := httpcache.VaryNames(head)
	if !ok {
		return []policies.Reason{policies.ReasonVaryTooMany}
	}
	if httpcache.ErrorStatus(status) && slices.ContainsFunc(names, e.rule.Varies) &&
		slices.ContainsFunc(e.rule.MayProvoke(), func(name string) bool { return !slices.Contains(names, name) }) {
		return []policies.Reason{policies.ReasonStatus} // a variant, but by fewer headers than may have provoked it
	}
	if _, ok := httpcache.TagsFor(head, e.rule.Profile); !ok {
		return []policies.Reason{policies.ReasonTagsTooMany}
	}
	if j.Validated = !unasked; unasked {
		j.Lifetime, j.LifetimeBy = int64(left/time.Second), e.lifetimeBy(f, d)
	}
	j.Hit = e.hit(f, stored, max(0, left), age, unasked)
	return nil
}

// lifetimeBy is who gives the lifetime.
func (e *Explanation) lifetimeBy(f *fill, d httpcache.Directives) string {
	given, _ := e.rule.TTL(f.head.Status)
	origin, explicit := httpcache.Lifetime(f.header, d, f.received)
	switch {
	case e.rule.Cache.Kind == policies.CacheTTL, given > 0 && (!explicit || time.Duration(given) < origin):
		return byPolicy
	case httpcache.ErrorStatus(f.head.Status) && time.Duration(e.rule.ErrorTTL) < origin:
		return byPolicy
	case explicit:
		return byOrigin
	}
	return byHeuristic
}

// hit are the fields that the next visitor gets with the object, right away.
func (e *Explanation) hit(f *fill, stored http.Header, ttl, age time.Duration, unasked bool) []Field {
	h := stored.Clone()
	if h["Date"] == nil {
		h["Date"] = []string{f.received.UTC().Format(http.TimeFormat)}
	}
	for _, name := range e.rule.VaryOn() {
		httpcache.AddVary(h, name)
	}
	h["Age"] = []string{strconv.FormatInt(int64(age/time.Second), 10)}
	delete(h, "Content-Length") // what is sent depends on the request
	profile, stays := e.rule.Profile, httpcache.NoTransform(h)
	switch down := e.rule.Downstream; {
	case down == nil:
		httpcache.ForbidAs(h, profile)
	case e.rule.Relay:
		httpcache.RelayStored(h, httpcache.TargetedFields(f.header))
	case !unasked || ttl <= 0:
		httpcache.ForbidAs(h, profile)
	default:
		permission := gate.PermissionOf(down, ttl, age)
		permission.NoTransform = stays
		f.shared = &shared{h.Clone(), permission}
		if !httpcache.PermitAs(h, f.shared.permission, profile) {
			reason := policies.ReasonDownstreamTags.Info()
			f.state.Notes = append(f.state.Notes, reason.Code+": "+reason.Sentence)
		}
	}
	if stays {
		httpcache.ForbidTransform(h)
	}
	var out []Field
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			out = append(out, Field{name, value})
		}
	}
	return out
}

// cachingFields are those of the fields that say who may keep the response. Vary says so
// too, where it is there to keep CDNs from storing.
func cachingFields(all []Field, vary bool) []Field {
	var out []Field
	for _, f := range all {
		if httpcache.Governs(f.Name) || vary && f.Name == "Vary" {
			out = append(out, f)
		}
	}
	return out
}
