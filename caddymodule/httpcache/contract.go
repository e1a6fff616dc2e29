package httpcache

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// forbidden is said in both words: private is what some CDNs act on, no-store
// what the others want, and neither alone is obeyed by all.
const forbidden = "private, no-store"

// Forbid makes h say that no cache may store the response: exactly one
// Cache-Control: private, no-store. Every other field that governs caching goes,
// in all lines and spellings: Expires, Pragma, and the targeted fields, which in
// one CDN or the other outrank Cache-Control (RFC 9213).
//
// The slice that it puts into h belongs to h alone: handlers outside may rewrite
// the lines of a header in place.
func Forbid(h http.Header) {
	clearCaching(h)
	h["Cache-Control"] = []string{forbidden}
}

// Permission is for how long caches downstream may hold a response. Lifetimes
// count as in RFC 9111 §4.2, from when the origin made the response, so a cache
// downstream subtracts Age; parts of a second are dropped.
type Permission struct {
	// CDN is the lifetime in shared caches. Less than a second permits nothing
	// at all, to browsers neither.
	CDN time.Duration
	// Browser is the lifetime in the visitor's browser. At less than a second
	// the browser revalidates each time.
	Browser time.Duration
}

// Permit makes h permit caches downstream what p says, in the generic dialect:
// Cache-Control for browsers and CDN-Cache-Control (RFC 9213) for the CDN. All
// other fields that govern caching go, as with [Forbid].
func Permit(h http.Header, p Permission) {
	if p.CDN < time.Second {
		Forbid(h)
		return
	}
	clearCaching(h)
	browser := "public, max-age=0, must-revalidate"
	if p.Browser >= time.Second {
		browser = "public, max-age=" + wholeSeconds(p.Browser)
	}
	h["Cache-Control"] = []string{browser}
	h["Cdn-Cache-Control"] = []string{"max-age=" + wholeSeconds(p.CDN)}
}

// Relay leaves it to the origin what caches downstream may do. Its Cache-Control,
// Expires and Pragma stay. A targeted field that permits was for this cache and is
// consumed; one that refuses goes on, for the next cache that reads it. Silence,
// which several CDNs take for a permission of hours, becomes private, no-store.
func Relay(h http.Header) {
	for name, values := range h {
		if !targeted(name) {
			continue
		}
		switch d := ResponseDirectives(http.Header{name: values}); {
		case d.Private, d.NoStore, d.NoCache:
		case d.HasSMaxAge && d.SMaxAge == 0:
			// Some caches would store it to ask about, over the head of a no-store
			// in Cache-Control.
			h[name] = []string{"no-store"}
		default:
			delete(h, name)
		}
	}
	if blank(lines(h, "Cache-Control")) && len(lines(h, "Expires")) == 0 {
		h["Cache-Control"] = []string{forbidden}
	}
}

func wholeSeconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

func clearCaching(h http.Header) {
	for name := range h {
		if governsCaching(name) {
			delete(h, name)
		}
	}
}

// governsCaching reports whether the field says to any cache whether, for how
// long or under which key it may store a response.
func governsCaching(name string) bool {
	return targeted(name) || strings.EqualFold(name, "Cache-Control") ||
		strings.EqualFold(name, "Expires") || strings.EqualFold(name, "Pragma")
}

// targeted reports whether the field speaks to some caches only: RFC 9213 and
// what vendors made before and after it. Any …-Cache-Control is taken for one
// (CDN-, Cloudflare-CDN-, Netlify-CDN-, X-LiteSpeed-, Akamai- …), as is any
// …Surrogate-Control. No-Vary-Search and Netlify-Vary belong to them because
// they make a cache answer one query with the response to another.
func targeted(name string) bool {
	// The last letter sorts out nearly all other names at once.
	switch n := len(name); {
	case n < len("Edge-Control"):
		return false
	case name[n-1]|0x20 == 'l':
		return hasSuffixFold(name, "-Cache-Control") ||
			hasSuffixFold(name, "Surrogate-Control") ||
			strings.EqualFold(name, "Edge-Control")
	case name[n-1]|0x20 == 's':
		return strings.EqualFold(name, "X-Accel-Expires")
	case name[n-1]|0x20 == 'h':
		return strings.EqualFold(name, "No-Vary-Search")
	case name[n-1]|0x20 == 'y':
		return strings.EqualFold(name, "Netlify-Vary")
	}
	return false
}

func hasSuffixFold(s, suffix string) bool {
	return len(s) >= len(suffix) && strings.EqualFold(s[len(s)-len(suffix):], suffix)
}
