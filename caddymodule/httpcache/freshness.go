package httpcache

import (
	"net/http"
	"strings"
	"time"
)

// Lifetime is for how long a response is fresh in a shared cache, counted from
// when the origin made it: s-maxage, else max-age, else Expires less Date (RFC
// 9111 §4.2.1). Explicit is false when the origin said nothing about it; the
// lifetime is nought then, never a guess.
//
// What cannot be trusted is already stale, explicitly: a malformed
// Cache-Control, an Expires that is no HTTP-date (0 and -1 are usual), several
// that differ. Where Date is missing or unreadable, received stands for it.
func Lifetime(h http.Header, d Directives, received time.Time) (lifetime time.Duration, explicit bool) {
	switch {
	case d.Malformed:
		return 0, true
	case d.HasSMaxAge:
		return d.SMaxAge, true
	case d.HasMaxAge:
		return d.MaxAge, true
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
	return max(0, end.Sub(madeAt(h, received))), true
}

// InitialAge is how old a response was when it was received, and how long it may
// have been on its way: corrected_initial_age of RFC 9111 §4.2.3. Requested is
// when the request for it was sent.
//
// An Age that is no delta-seconds is ignored (§5.1). Of several the largest
// counts, where RFC 9111 takes the first: which cache wrote which is not known.
func InitialAge(h http.Header, requested, received time.Time) time.Duration {
	var age time.Duration
	for _, line := range lines(h, "Age") {
		for member := range strings.SplitSeq(line, ",") {
			if seconds, ok := deltaSeconds(strings.Trim(member, " \t")); ok {
				age = max(age, seconds)
			}
		}
	}
	apparent := max(0, received.Sub(madeAt(h, received)))
	delay := max(0, received.Sub(requested))
	return max(apparent, age+min(delay, maxDelta))
}

// madeAt is when the response says it was made, or received if it does not say
// so in one way.
func madeAt(h http.Header, received time.Time) time.Time {
	values := lines(h, "Date")
	if len(values) != 1 {
		return received
	}
	if made, ok := date(values[0]); ok {
		return made
	}
	return received
}
