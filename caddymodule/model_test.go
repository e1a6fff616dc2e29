package caddymodule

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The reference model: what RFC 9111, RFC 5861, RFC 9213 and the design permit a
// shared cache to answer with, written down once more and apart from the packages
// that the handler decides by. It knows everything that the origin ever said, and is
// asked after the fact whether an answer may have come from there. Where the RFCs
// leave a choice the model allows either; it forbids only what they forbid, or what
// the promise does.

// modelRoute is a policy in the words of the model.
type modelRoute struct {
	name, yaml string
	operator   time.Duration // the route's own lifetime; 0: the origin's governs
	swr, sie   time.Duration // of the policy (RFC 5861)
	heuristic  bool
	variesOn   []string // request headers that a fill carries
	keysOn     []string // of those, the ones that are always keyed
	queryKeyed bool
	relay      bool // caches further on are told what the origin said
	// plain9111 says: targeted fields first (RFC 9213 §2.2), Authorization shared as
	// RFC 9111 §3.5 has it, cookies stripped, the visitor's address forwarded.
	plain9111 bool
}

// modelErrorTTL is the longest that an error is reused.
const modelErrorTTL = 5 * time.Second

// controls is what a response says to caches (RFC 9111 §5.2.2), as a person who has
// read it would put it. Lifetimes are nil where there is none.
type controls struct {
	private, noStore, noCache bool
	mustRevalidate            bool // or proxy-revalidate
	mustUnderstand            bool
	public, damaged, targeted bool
	maxAge, sMaxAge           *time.Duration
	swr, sie                  time.Duration
}

// and is both together: of two lifetimes the shorter, and every restriction.
func (c controls) and(d controls) controls {
	return controls{
		private: c.private || d.private, noStore: c.noStore || d.noStore, noCache: c.noCache || d.noCache,
		mustRevalidate: c.mustRevalidate || d.mustRevalidate, mustUnderstand: c.mustUnderstand || d.mustUnderstand,
		public: c.public || d.public, damaged: c.damaged || d.damaged, targeted: c.targeted || d.targeted,
		maxAge: shorter(c.maxAge, d.maxAge), sMaxAge: shorter(c.sMaxAge, d.sMaxAge),
		swr: smallestGiven(c.swr, d.swr), sie: smallestGiven(c.sie, d.sie),
	}
}

func shorter(a, b *time.Duration) *time.Duration {
	if a == nil || b != nil && *b < *a {
		return b
	}
	return a
}

func smallestGiven(a, b time.Duration) time.Duration {
	if a == 0 || b == 0 {
		return a + b
	}
	return min(a, b)
}

func (c controls) refuses(status int) bool {
	understood := c.mustUnderstand && slices.Contains([]int{200, 203, 204, 301, 404}, status)
	return c.private || c.noStore && !understood || c.damaged || c.mustUnderstand && !understood
}

// lifetime is the explicit one in a shared cache (RFC 9111 §4.2.1).
func (c controls) lifetime() *time.Duration {
	if c.sMaxAge != nil {
		return c.sMaxAge
	}
	return c.maxAge
}

// version is a stored response as it might stand in a cache: a response of the
// origin, and what the last 304 or HEAD that it was updated by made of it.
type version struct {
	base, update *said // update: nil, a 304 (RFC 9111 §4.3.4) or a HEAD (§4.3.5)
	header       http.Header
}

// source is the response that the version's age and selection count from.
func (v *version) source() *said {
	if v.update != nil {
		return v.update
	}
	return v.base
}

// updated is the version after an update (RFC 9111 §3.2).
func (v *version) updated(u *said) *version {
	header := v.header.Clone()
	header.Del("Age")
	for name, lines := range u.header {
		switch name {
		case "Content-Length", "Etag":
		default:
			header[name] = slices.Clone(lines)
		}
	}
	if u.header["Date"] == nil {
		header.Set("Date", u.received.UTC().Format(http.TimeFormat))
	}
	return &version{base: v.base, update: u, header: header}
}

// controls reads the version for a route.
func (m *model) controls(header http.Header) controls {
	control, ok := m.meanings[meaningKey("Cache-Control", header["Cache-Control"])]
	if !ok && header["Cache-Control"] != nil {
		control.damaged = true
	}
	if header["Cache-Control"] == nil && header["Pragma"] != nil {
		control.noCache = true
	}
	target, ok := m.meanings[meaningKey("Cdn-Cache-Control", header["Cdn-Cache-Control"])]
	switch {
	case !ok, target.damaged: // as if it were not there (RFC 9213 §2.2)
		return control
	case m.route.operator > 0:
		// The operator's lifetime, and refusals wherever they stand.
		control.noStore = control.noStore || target.lifetime() != nil && *target.lifetime() <= 0
		return control.and(controls{private: target.private, noStore: target.noStore, noCache: target.noCache, mustRevalidate: target.mustRevalidate})
	case m.route.plain9111:
		return target
	}
	// A refusal in any field wins.
	both := control.and(target)
	if target.lifetime() != nil {
		both.maxAge, both.sMaxAge, both.swr, both.sie = target.maxAge, target.sMaxAge, target.swr, target.sie
		both.targeted = true
	} else {
		both.targeted = false
	}
	return both
}

// refusedFields never stand in a response that is for everybody.
var refusedFields = []string{"Set-Cookie", "Www-Authenticate", "X-Auth-Token", "Clear-Site-Data", "Content-Range"}

// shareable says whether others than the one who caused it may be given the
// response at all, its freshness aside (RFC 9111 §3, §3.5, design §5).
func (m *model) shareable(v *version) bool {
	status := v.base.status
	if status == http.StatusPartialContent || status == http.StatusNotModified ||
		status == http.StatusServiceUnavailable && v.header["Retry-After"] != nil ||
		m.route.operator > 0 && status != http.StatusOK || !v.base.complete {
		return false
	}
	for _, header := range []http.Header{v.header, v.source().header} {
		for _, name := range refusedFields {
			if header[name] != nil {
				return false
			}
		}
		for _, name := range varyNames(header) {
			if name == "*" || name == "Cookie" || name == "Authorization" {
				return false
			}
		}
		// What an update says for itself may take the permission away.
		if c := m.controls(header); c.refuses(status) || m.route.operator > 0 && (c.noStore || c.noCache || c.lifetime() != nil && *c.lifetime() <= 0) {
			return false
		}
	}
	c := m.controls(v.header)
	authorized := v.base.sent["Authorization"] != nil && v.update == nil || v.source().sent["Authorization"] != nil
	return !authorized || c.public || c.sMaxAge != nil && !c.targeted
}

func varyNames(h http.Header) []string {
	var names []string
	for _, line := range h["Vary"] {
		for name := range strings.SplitSeq(line, ",") {
			names = append(names, http.CanonicalHeaderKey(strings.TrimSpace(name)))
		}
	}
	return names
}

// age is RFC 9111 §4.2.3.
func (m *model) age(v *version, now time.Time) time.Duration {
	s := v.source()
	apparent := time.Duration(0)
	if made, err := http.ParseTime(s.header.Get("Date")); err == nil {
		apparent = max(0, s.received.Sub(made))
	}
	value := time.Duration(0)
	if lines := s.header["Age"]; len(lines) > 0 {
		first, _, _ := strings.Cut(lines[0], ",")
		if n, err := strconv.ParseUint(first, 10, 31); err == nil {
			value = time.Duration(n) * time.Second
		}
	}
	return max(apparent, value+s.received.Sub(s.requested)) + now.Sub(s.received)
}

// left is what is left of the lifetime at a moment, negative where it is over.
func (m *model) left(v *version, now time.Time) time.Duration {
	if m.route.operator > 0 {
		return m.route.operator - now.Sub(v.source().received)
	}
	return m.lifetime(v) - m.age(v, now)
}

// lifetime is RFC 9111 §4.2.1 and §4.2.2, errors capped.
func (m *model) lifetime(v *version) time.Duration {
	c := m.controls(v.header)
	made, err := http.ParseTime(v.header.Get("Date"))
	if err != nil {
		made = v.source().received
	}
	life := time.Duration(0)
	status := v.base.status
	expires := v.header["Expires"]
	switch {
	case c.lifetime() != nil:
		life = *c.lifetime()
	case c.targeted:
	case len(expires) > 0:
		if end, err := http.ParseTime(expires[0]); err == nil && len(expires) == 1 {
			life = end.Sub(made)
		}
	case m.route.heuristic && slices.Contains([]int{200, 203, 301, 404}, status):
		if modified, err := http.ParseTime(v.header.Get("Last-Modified")); err == nil {
			life = min(made.Sub(modified)/10, 24*time.Hour)
		}
	}
	if status >= 400 && status != http.StatusNotFound {
		life = min(life, modelErrorTTL)
	}
	return life
}

// staleWindows are for how long past its lifetime the version may be reused while it
// is refreshed, when the origin fails, and because the request accepts it. What
// forbids stale reuse is must-revalidate and its kin; s-maxage is of them (RFC 9111
// §5.2.2.10) but for what a directive of RFC 5861 beside it permits.
func (m *model) staleWindows(v *version) (revalidating, onError time.Duration, onDemand bool) {
	c := m.controls(v.header)
	if c.mustRevalidate || c.noCache || v.base.status >= 400 && v.base.status != http.StatusNotFound {
		return 0, 0, false
	}
	revalidating, onError = m.route.swr, m.route.sie
	proxy := c.sMaxAge != nil && !c.targeted && m.route.operator == 0
	if proxy {
		revalidating, onError = 0, 0
	}
	if c.swr > 0 && m.route.operator == 0 {
		revalidating = c.swr
	}
	if c.sie > 0 && m.route.operator == 0 {
		onError = c.sie
	}
	return revalidating, onError, !proxy
}
