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
	// Of Cache-Control alone: what targeted fields add to it is a restriction.
	longest(ResponseDirectives(http.Header{"Cache-Control": lines(h, "Cache-Control")}))
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
