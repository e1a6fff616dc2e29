package httpcache

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cacheward/cacheward/policies"
)

// Forbidden is the Cache-Control of what no cache may store. It is said in both words:
// private is what some CDNs act on, no-store what the others want, and neither alone is
// obeyed by all.
const Forbidden = "private, no-store"

// Forbid makes h say that no cache may store the response: exactly one
// Cache-Control: private, no-store. Every other field that governs caching goes,
// in all lines and spellings: Expires, Pragma, and the targeted fields, which in
// one CDN or the other outrank Cache-Control (RFC 9213).
//
// The slice that it puts into h belongs to h alone: handlers outside may rewrite
// the lines of a header in place.
func Forbid(h http.Header) {
	ClearCaching(h)
	h["Cache-Control"] = []string{Forbidden}
}

// ForbidAs is [Forbid], said in the dialect of a CDN as well: the field that it reads
// before Cache-Control refuses, and pages vary on Cookie where that keeps the CDN from
// storing them whatever else it was told. Nil is no CDN's dialect.
func ForbidAs(h http.Header, to *policies.Profile) {
	Forbid(h)
	if to == nil {
		return
	}
	if to.Refuse.Name != "" {
		h[to.Refuse.Name] = []string{to.Refuse.Value}
	}
	ForbidPages(h, to)
}

// ForbidPages is the part of [ForbidAs] that is about Vary.
func ForbidPages(h http.Header, to *policies.Profile) {
	if to.VaryCookie && perhapsHTML(h) {
		AddVary(h, "Cookie")
	}
}

// ForbidEverywhere is the strongest refusal: what every known CDN is refused by, all at
// once, whichever may stand before this proxy, and Vary: * alone. That is a refusal on
// its own at Cloudflare, Akamai, Google Cloud CDN, Varnish and nginx, and has CloudFront
// ask each time. It takes the place of every other Vary, Cookie included: Varnish and
// nginx look for exactly *, and Vercel, which does for Cookie, is told in its own field.
func ForbidEverywhere(h http.Header) {
	Forbid(h)
	for _, f := range everyRefusal() {
		h[f.Name] = []string{f.Value}
	}
	for name := range h {
		if strings.EqualFold(name, "Vary") {
			delete(h, name)
		}
	}
	h["Vary"] = []string{"*"}
}

// everyRefusal are the refusals of all profiles.
var everyRefusal = sync.OnceValue(func() []policies.Field {
	var all []policies.Field
	for _, p := range policies.Profiles() {
		if p.Refuse.Name != "" {
			all = append(all, p.Refuse)
		}
	}
	return all
})

// perhapsHTML reports whether the content is a page, or it is not said what it is.
func perhapsHTML(h http.Header) bool {
	for _, line := range lines(h, "Content-Type") {
		kind, _, _ := strings.Cut(line, ";")
		switch strings.ToLower(strings.Trim(kind, " \t")) {
		case "", "text/html", "application/xhtml+xml":
			return true
		}
	}
	return len(lines(h, "Content-Type")) == 0
}

// Permission is for how long caches downstream may hold a response. Lifetimes
// count as in RFC 9111 §4.2, from when the origin made the response, so a cache
// downstream subtracts Age; parts of a second are dropped.
type Permission struct {
	// CDN is the lifetime in shared caches. Less than a second permits nothing
	// at all, to browsers neither.
	CDN time.Duration
	// Age is how much of both is over: the Age that the response carries. CDNs that do
	// not look at Age are told so much less.
	Age time.Duration
	// Browser is the lifetime in the visitor's browser. At less than a second
	// the browser revalidates each time.
	Browser time.Duration
	// NoTransform forbids intermediaries to change the content (RFC 9111 §5.2.2.6). It is
	// said where nothing is permitted, too: those that store nothing may transform as well.
	NoTransform bool
}

// Permit makes h permit caches downstream what p says, in the generic dialect:
// Cache-Control for browsers and CDN-Cache-Control (RFC 9213) for the CDN. All
// other fields that govern caching go, as with [Forbid].
func Permit(h http.Header, p Permission) { PermitAs(h, p, nil) }

// PermitAs is [Permit] in the dialect of a CDN: browsers have theirs from Cache-Control,
// and the CDN its time from the most specific field that it reads. The tags under which
// the response can be purged stand in the CDN's own field, in lower case and within its
// limits. Nil, and the generic profile, is the generic dialect; the tags stay as they are
// then.
//
// Ok is false if the CDN would not take all of the tags. The response is forbidden then:
// what cannot be purged must not be shared.
func PermitAs(h http.Header, p Permission, to *policies.Profile) (ok bool) {
	if !p.Permits(to) {
		p.refuse(h, to)
		return true
	}
	if !TellTags(h, to) {
		p.refuse(h, to)
		return false
	}
	ClearCaching(h)
	b, end, share := p.Append(make([]byte, 0, 96), to)
	text := string(b)
	h["Cache-Control"] = []string{text[:end]}
	if share != "" {
		h[share] = []string{text[end:]}
	}
	return true
}

// refuse is what is said where nothing is permitted.
func (p Permission) refuse(h http.Header, to *policies.Profile) {
	ForbidAs(h, to)
	if p.NoTransform {
		ForbidTransform(h)
	}
}

// Permits reports whether anything is permitted in the dialect.
func (p Permission) Permits(to *policies.Profile) bool { return p.left(to) >= time.Second }

// left is for how long the CDN may hold the response, as it counts.
func (p Permission) left(to *policies.Profile) time.Duration {
	if to != nil && to.AgeIgnored {
		return p.CDN - p.Age
	}
	return p.CDN
}

// Append appends the Cache-Control that permits it, which ends at end, and behind that the
// value of the field from which the CDN has its time, whose name is share; empty where that
// is Cache-Control.
func (p Permission) Append(b []byte, to *policies.Profile) (text []byte, end int, share string) {
	field := genericShare
	if to != nil {
		field = to.Share
	}
	if p.Browser >= time.Second {
		b = appendSeconds(append(b, "public, max-age="...), p.Browser)
	} else {
		b = append(b, "public, max-age=0, must-revalidate"...)
	}
	left := p.left(to)
	if field.Name == "Cache-Control" {
		b = p.AppendTransform(appendSeconds(append(append(b, ", "...), field.Value...), left))
		return b, len(b), ""
	}
	if p.Browser > p.CDN {
		// A CDN that does not read the other field is to have no more than one that does.
		b = appendSeconds(append(b, ", s-maxage="...), p.CDN)
	}
	b = p.AppendTransform(b)
	end = len(b)
	return appendSeconds(append(b, field.Value...), left), end, field.Name
}

// AppendTransform appends to the directives of a Cache-Control that the content must stay
// as it is, if it must.
func (p Permission) AppendTransform(b []byte) []byte {
	if p.NoTransform {
		b = append(b, ", "+noTransform...)
	}
	return b
}

const noTransform = "no-transform"

// NoTransform reports whether the Cache-Control of h forbids intermediaries to change the
// content (RFC 9111 §5.2.2.6). In case of doubt it does.
func NoTransform(h http.Header) bool {
	for _, line := range lines(h, "Cache-Control") {
		if indexFold(line, noTransform) >= 0 {
			return true
		}
	}
	return false
}

// ForbidTransform adds that to the Cache-Control of h, unless it is there.
func ForbidTransform(h http.Header) {
	if !NoTransform(h) {
		h["Cache-Control"] = []string{strings.Join(append(slices.Clip(h["Cache-Control"]), noTransform), ", ")}
	}
}

// genericShare is the field for CDNs in general (RFC 9213 §3.1).
var genericShare = policies.Field{Name: "Cdn-Cache-Control", Value: "max-age="}

func wholeSeconds(d time.Duration) string { return strconv.FormatInt(int64(d/time.Second), 10) }

func appendSeconds(b []byte, d time.Duration) []byte {
	return strconv.AppendInt(b, int64(d/time.Second), 10)
}

// ClearCaching removes every field that [Governs] caching.
func ClearCaching(h http.Header) {
	for name := range h {
		if Governs(name) {
			delete(h, name)
		}
	}
}

// Tells reports whether the field is one of those by which caches downstream are told, in
// a CDN's dialect, what they may do: one that governs caching, Vary, or tags.
func Tells(name string, to *policies.Profile) bool {
	own := ""
	if to != nil && to.Tags != nil {
		own = to.Tags.Field
	}
	return Governs(name) || strings.EqualFold(name, "Vary") || isTagField(name, own)
}

// Governs reports whether the field says to any cache whether, for how
// long or under which key it may store a response.
func Governs(name string) bool {
	// The length and the last letter sort out nearly all other names at once.
	switch n := len(name); {
	case n < len("Pragma"):
		return false
	case name[n-1]|0x20 == 'a':
		return strings.EqualFold(name, "Pragma")
	case strings.EqualFold(name, "Expires"), strings.EqualFold(name, "Cache-Control"):
		return true
	}
	return targeted(name)
}

// targeted reports whether the field speaks to some caches only: RFC 9213 and
// what vendors made before and after it. Any …-Cache-Control is taken for one
// (CDN-, Cloudflare-CDN-, Netlify-CDN-, X-LiteSpeed-, Akamai- …), as is any
// …Surrogate-Control. Where a page has CF-Edge-Cache: cache, Cloudflare's optimization
// for WordPress does not look at Cache-Control any more. No-Vary-Search and Netlify-Vary
// belong to them because they make a cache answer one query with the response to another.
func targeted(name string) bool {
	// The last letter sorts out nearly all other names at once.
	switch n := len(name); {
	case n < len("Edge-Control"):
		return false
	case name[n-1]|0x20 == 'l':
		return hasSuffixFold(name, "-Cache-Control") ||
			hasSuffixFold(name, "Surrogate-Control") ||
			strings.EqualFold(name, "Edge-Control")
	case name[n-1]|0x20 == 'e':
		return hasSuffixFold(name, "-Edge-Cache")
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
