package httpcache

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// maxHeuristic is the longest lifetime that is guessed. RFC 9111 §4.2.2 asks for a
// warning in the documentation beyond a day; there is nothing beyond it here.
const maxHeuristic = 24 * time.Hour

// Lifetime is for how long a response is fresh in a shared cache, counted from
// when the origin made it: s-maxage, else max-age, else Expires less Date (RFC
// 9111 §4.2.1). Where d is a targeted field's, only the lifetime in it counts (RFC
// 9213 §2.2). Explicit is false when the origin said nothing about it; the lifetime
// is nought then, never a guess.
//
// What cannot be trusted is already stale, explicitly: a malformed
// Cache-Control, an Expires that is no HTTP-date (0 and -1 are usual), several
// that differ. Where Date is missing or unreadable, received stands for it.
func Lifetime(h http.Header, d Directives, received time.Time) (lifetime time.Duration, explicit bool) {
	switch {
	case d.Malformed:
		return 0, true
	case d.HasSMaxAge:
		return d.atMost(d.SMaxAge), true
	case d.HasMaxAge:
		return d.atMost(d.MaxAge), true
	case d.Targeted:
		return 0, false
	}
	expires := lines(h, "Expires")
	if len(expires) == 0 {
		return 0, false
	}
	for _, line := range expires[1:] {
		if line != expires[0] {
			return 0, true
		}
	}
	end, ok := date(expires[0])
	if !ok {
		return 0, true
	}
	return d.atMost(max(0, end.Sub(madeAt(h, received)))), true
}

// atMost is the lifetime, or the limit that a damaged target sets.
func (d Directives) atMost(lifetime time.Duration) time.Duration {
	if d.capped {
		return min(lifetime, d.limit)
	}
	return lifetime
}

// Heuristic is a lifetime for a response without an explicit one: a tenth of the
// time between Last-Modified and Date, and at most 24 hours (RFC 9111 §4.2.2). Of
// the statuses that HTTP lets be guessed about (RFC 9110 §15.1), 204, 206 and the
// errors 405, 414 and 501 have none. Where there is no Date, received stands for it.
//
// Ok is false where nothing may be guessed: there is a refusal or an explicit
// lifetime, a targeted field governs without one, Date or Last-Modified cannot be
// read, or the former is not the later.
func Heuristic(h http.Header, d Directives, status int, received time.Time) (lifetime time.Duration, ok bool) {
	switch status {
	case http.StatusOK, http.StatusNonAuthoritativeInfo, http.StatusMultipleChoices,
		http.StatusMovedPermanently, http.StatusPermanentRedirect, http.StatusNotFound, http.StatusGone:
	default:
		return 0, false
	}
	if _, explicit := Lifetime(h, d, received); explicit || d.Targeted || d.Private || d.NoStore || d.NoCache {
		return 0, false
	}
	made := received
	if len(lines(h, "Date")) > 0 {
		if made, ok = singleDate(h, "Date"); !ok {
			return 0, false
		}
	}
	modified, ok := singleDate(h, "Last-Modified")
	if !ok || !modified.Before(made) {
		return 0, false
	}
	return d.atMost(min(made.Sub(modified)/10, maxHeuristic)), true
}

// ErrorStatus reports whether a status is an error, or one that RFC 9110 does not
// know: 204, 4xx but 404, 410 and 451 (RFC 7725), 5xx, and all others without a
// meaning there. Only an explicit lifetime counts for such a response, and routes
// cap it, so that a short failure does not become a long one.
func ErrorStatus(status int) bool {
	switch status {
	case http.StatusContinue, http.StatusSwitchingProtocols,
		http.StatusOK, http.StatusCreated, http.StatusAccepted, http.StatusNonAuthoritativeInfo,
		http.StatusResetContent, http.StatusPartialContent,
		http.StatusMultipleChoices, http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusNotModified, http.StatusUseProxy, http.StatusTemporaryRedirect, http.StatusPermanentRedirect,
		http.StatusNotFound, http.StatusGone, http.StatusUnavailableForLegalReasons:
		return false
	}
	return true
}

// Momentary reports whether a response tells of one client or one moment, and so
// answers nobody else, whatever its lifetime: 401, 407, 408 and 425 (RFC 9110
// §15.5.2, §15.5.8, §15.5.9, RFC 8470 §5.2), the statuses that RFC 6585 forbids to
// store (428, 429, 431, 511), and 503 with Retry-After (RFC 9110 §15.6.4).
func Momentary(status int, h http.Header) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusProxyAuthRequired, http.StatusRequestTimeout, http.StatusTooEarly,
		http.StatusPreconditionRequired, http.StatusTooManyRequests, http.StatusRequestHeaderFieldsTooLarge,
		http.StatusNetworkAuthenticationRequired:
		return true
	case http.StatusServiceUnavailable:
		return len(lines(h, "Retry-After")) > 0
	}
	return false
}

// InitialAge is how old a response was when it was received, and how long it may
// have been on its way: corrected_initial_age of RFC 9111 §4.2.3. Requested is
// when the request for it was sent.
//
// Of several Ages the first counts, and if that is no delta-seconds, none does
// (§5.1). Where the field stands in h in several spellings, which is the first is
// not known, and the largest counts.
func InitialAge(h http.Header, requested, received time.Time) time.Duration {
	var age time.Duration
	for name, values := range h {
		if len(values) == 0 || !strings.EqualFold(name, "Age") {
			continue
		}
		first, _, _ := strings.Cut(values[0], ",")
		seconds, _ := deltaSeconds(strings.Trim(first, " \t")) // nought if it is no number
		age = max(age, seconds)
	}
	apparent := max(0, received.Sub(madeAt(h, received)))
	delay := max(0, received.Sub(requested))
	return max(apparent, age+min(delay, maxDelta))
}

// madeAt is when the response says it was made, or received if it does not say
// so in one way.
func madeAt(h http.Header, received time.Time) time.Time {
	if made, ok := singleDate(h, "Date"); ok {
		return made
	}
	return received
}

// singleDate reads a field that is one HTTP-date. Several lines that agree are one.
func singleDate(h http.Header, name string) (time.Time, bool) {
	values := lines(h, name)
	if len(values) == 0 || slices.ContainsFunc(values, func(v string) bool { return v != values[0] }) {
		return time.Time{}, false
	}
	return date(values[0])
}
