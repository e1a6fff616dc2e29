package httpcache

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Permitted reads what h, as it leaves, permits any shared cache: whether it may give the
// response to somebody else without asking again, and for how long at most, counted as
// RFC 9111 §4.2 does. A refusal in any field wins; of several lifetimes the longest counts,
// for a cache may read only the field that has it.
func Permitted(h http.Header) (ttl time.Duration, shared bool) {
	d := ResponseDirectives(h)
	if d.Private || d.NoStore || d.NoCache || d.Malformed {
		return 0, false
	}
	longest := func(d Directives) {
		switch {
		case d.HasSMaxAge:
			ttl = max(ttl, d.SMaxAge)
		case d.HasMaxAge:
			ttl = max(ttl, d.MaxAge)
		}
	}
	// Of Cache-Control, or Expires, alone: what targeted fields add to it is a restriction.
	ttl, _ = Lifetime(h, ResponseDirectives(http.Header{"Cache-Control": lines(h, "Cache-Control")}), time.Now())
	for name, values := range h {
		if !targeted(name) {
			continue
		}
		if strings.EqualFold(name, "X-Accel-Expires") && len(values) == 1 {
			if seconds, err := strconv.ParseUint(values[0], 10, 31); err == nil {
				ttl = max(ttl, time.Duration(seconds)*time.Second)
			}
			continue
		}
		longest(ResponseDirectives(http.Header{"Cache-Control": values}))
	}
	return ttl, ttl > 0
}

// PermittedLater reads whether h, as it leaves, permits shared caches to keep the response
// and to give it to somebody else later: once it has been confirmed (no-cache, or no
// lifetime, with what can be asked about), or stale, meanwhile or where that fails (RFC
// 5861). [Permitted] says whether they may do so at once.
func PermittedLater(h http.Header) bool {
	if blank(lines(h, "Cache-Control")) && len(lines(h, "Expires")) == 0 || VaryAny(h) {
		return false
	}
	d := ResponseDirectives(h)
	if d.Private || d.NoStore || d.Malformed {
		return false
	}
	return d.StaleWhileRevalidate > 0 || d.StaleIfError > 0 || len(lines(h, "Etag")) > 0 || len(lines(h, "Last-Modified")) > 0
}
