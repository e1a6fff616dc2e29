package httpcache

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Relay leaves it to the origin what caches downstream may do, and has the most
// restrictive of its fields count for all of them, for a cache that obeys one need not
// read another. Its Cache-Control, Expires and Pragma stay but for that.
//
// A refusal in any field is one to every shared cache: Cache-Control is private then, with
// what browsers are told in it, unless it says no-store itself. A targeted field that
// refuses goes on, in the one word that nobody can read otherwise; one that permits was for
// this cache and is consumed. Its lifetime is the longest that the others leave to shared
// caches, in the directive by which they go.
//
// Silence, which several CDNs take for a permission of hours, becomes private, no-store;
// public without a time is no more, and neither is an Expires that is over, or no date.
// Where a refusal in Cache-Control, or no-cache without anything to ask about, is known to
// be misread, a Surrogate-Control stands beside it.
func Relay(h http.Header) { RelayStored(h, nil) }

// RelayStored is [Relay] for a response from which its targeted fields were taken when it
// was stored. They count as if they stood in h.
func RelayStored(h, targets http.Header) {
	var all Directives // what the targeted fields restrict, together
	restrict := func(name string, values []string) {
		d := restrictions(name, values)
		word := refusalIn(name)
		switch {
		case word == "":
		case d.Private || d.NoStore || d.NoCache || d.HasSMaxAge:
			h[name], all.Private = []string{word}, true
			return
		case d.capped && (!all.capped || d.limit < all.limit):
			all.capped, all.limit = true, d.limit
		}
		delete(h, name)
	}
	for name, values := range h {
		if targeted(name) {
			restrict(name, values)
		}
	}
	for name, values := range targets {
		if _, refuses := h[name]; !refuses {
			restrict(name, values)
		}
	}
	relayControl(h, all)
}

// misread is the field that refuses where Cache-Control may be misread: Fastly, which reads
// this one first, was measured to reuse what is no-cache, or no-store with a max-age.
const misread = "Surrogate-Control"

// relayControl makes Cache-Control say no more than the targeted fields do.
func relayControl(h http.Header, targets Directives) {
	control := lines(h, "Cache-Control")
	d := Reader{}.control(h, 0)
	life, _ := Lifetime(h, d, time.Now())
	etag, modified := Validators(h)
	asks := etag != "" || modified != ""
	timed := d.HasMaxAge || d.HasSMaxAge || d.NoCache && !blank(control)

	told := Forbidden
	switch {
	case d.Malformed, d.NoStore && !bare(control, "no-store"), blank(control) && d.NoCache:
	case d.NoStore && d.MustUnderstand && targets.Private: // some would ignore the no-store
	case d.NoStore:
		if d.HasMaxAge || d.HasSMaxAge {
			h[misread] = []string{"no-store"}
		}
		return
	case !timed && !d.Private && life <= 0:
	case d.Private, targets.Private:
		told = strings.Join(append([]string{"private"}, without(control, "private", "public", "s-maxage")...), ", ")
	case targets.capped && targets.limit < life:
		name := "max-age"
		if d.HasSMaxAge {
			name = "s-maxage"
		}
		kept := without(control, name, "stale-while-revalidate", "stale-if-error")
		told = strings.Join(append(kept, name+"="+wholeSeconds(targets.limit)), ", ")
	default:
		if !asks && (d.NoCache || life <= 0) {
			h[misread] = []string{"no-store"}
		}
		return
	}
	for name := range h {
		if strings.EqualFold(name, "Cache-Control") {
			delete(h, name)
		}
	}
	h["Cache-Control"] = []string{told}
}

// restrictions are what a targeted field takes away from what the others permit: the
// refusals in it, and the limit that its shortest lifetime sets.
func restrictions(name string, values []string) (d Directives) {
	for _, value := range values {
		if strings.EqualFold(name, "X-Accel-Expires") {
			d.restrictAccel(value)
			d.capLifetime("max-age=" + value)
			continue
		}
		d.restrictTargeted(value)
		d.capLifetime(value)
	}
	return d
}

// without returns the directives of well-formed lines, but not those with the names.
func without(control []string, names ...string) (kept []string) {
	for _, line := range control {
		eachDirective(line, func(name, value string, hasValue bool) {
			switch {
			case slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }):
				return
			case hasValue && tokenLength(value) == len(value) && value != "":
				name += "=" + value
			case hasValue:
				name += `="` + value + `"`
			}
			kept = append(kept, name)
		})
	}
	return kept
}

// refusalIn is what refuses in a targeted field, whatever else the app had put there:
// a cache that finds no-cache or a lifetime of nought would store the response to ask
// about, over the head of a no-store in Cache-Control; one that finds a lifetime beside
// a no-store may take that; and a time is not told from damage in X-Accel-Expires. It is
// empty for the fields that only say what the key is.
func refusalIn(name string) string {
	switch {
	case strings.EqualFold(name, "X-Accel-Expires"):
		return "0"
	case hasSuffixFold(name, "-Edge-Cache"):
		return "no-cache"
	case strings.EqualFold(name, "No-Vary-Search"), strings.EqualFold(name, "Netlify-Vary"):
		return ""
	}
	return "no-store"
}
