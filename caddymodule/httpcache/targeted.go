package httpcache

import (
	"net/http"
	"strings"
	"time"

	"github.com/dunglas/httpsfv"
)

// target reads the first of the reader's targets that has a valid value, and
// returns its index, or a negative one if there is none (RFC 9213 §2.2).
func (r Reader) target(h http.Header, status int) (d Directives, chosen int) {
	for i, name := range r.Targets {
		all := lines(h, name)
		if blank(all) {
			continue
		}
		d, ok := targetedDirectives(all)
		if !ok {
			continue
		}
		if r.MustUnderstand {
			d.understand(all, status)
		}
		return d, i
	}
	return Directives{}, -1
}

// targetedDirectives reads the lines of a targeted field, a Dictionary of RFC 9651
// whose members mean what the directives of that name do in Cache-Control (RFC
// 9213 §2.1). It is not ok if a line is no Dictionary, a directive that we know
// has a value of another type than it must have, or one occurs twice: a Dictionary
// would silently take the last. Parameters mean nothing.
//
// The names of restrictions restrict wherever they occur, as in Cache-Control.
func targetedDirectives(all []string) (d Directives, ok bool) {
	text := strings.Join(all, ",")
	d.Targeted = true
	d.restrict(text)
	if indexFold(text, "bypass-cache") >= 0 {
		d.NoStore = true
	}
	for _, name := range []string{"max-age", "s-maxage", "stale-while-revalidate", "stale-if-error"} {
		if countFold(text, name) > 1 {
			return Directives{}, false
		}
	}
	for _, line := range all {
		// One line at a time, so that no string opens in one and ends in the next.
		dictionary, err := httpsfv.UnmarshalDictionary([]string{line})
		if err != nil {
			return Directives{}, false
		}
		for _, name := range dictionary.Names() {
			member, _ := dictionary.Get(name)
			if !d.member(name, member) {
				return Directives{}, false
			}
		}
	}
	if !d.HasSMaxAge && d.HasMaxAge {
		d.SMaxAge, d.HasSMaxAge = d.MaxAge, true
	}
	d.MaxAge, d.HasMaxAge = 0, false
	return d, true
}

// member reads one member of a targeted field and reports whether its value is of
// the type that it must have.
func (d *Directives) member(name string, member httpsfv.Member) bool {
	var value any
	if item, ok := member.(httpsfv.Item); ok {
		value = item.Value
	}
	ok := true
	switch name {
	case "max-age":
		d.MaxAge, ok = fromInteger(value)
		d.HasMaxAge = true
	case "s-maxage":
		d.SMaxAge, ok = fromInteger(value)
		d.HasSMaxAge = true
	case "stale-while-revalidate":
		d.StaleWhileRevalidate, ok = fromInteger(value)
	case "stale-if-error":
		d.StaleIfError, ok = fromInteger(value)
	case "public":
		d.Public, ok = value == true, value == true
	case "immutable":
		d.Immutable, ok = value == true, value == true
	case "no-store", "must-revalidate", "proxy-revalidate", "must-understand":
		ok = value == true
	case "private", "no-cache":
		// Their qualified forms name fields, and count as the whole.
		ok = value != false
	}
	return ok
}

// fromInteger is an Integer of RFC 9651 as a number of seconds.
func fromInteger(value any) (time.Duration, bool) {
	n, ok := value.(int64)
	if !ok || n < 0 {
		return 0, false
	}
	return time.Duration(min(n, int64(maxDelta/time.Second))) * time.Second, true
}

// restrictTargeted finds the refusals of a targeted field that does not govern: the
// names that refuse in Cache-Control, Akamai's bypass-cache, and lifetimes that are
// not a positive number.
func (d *Directives) restrictTargeted(value string) {
	d.restrict(value)
	if indexFold(value, "bypass-cache") >= 0 {
		d.NoStore = true
	}
	eachLifetime(value, func(seconds string) {
		if !positive(seconds) {
			d.SMaxAge, d.HasSMaxAge = 0, true
		}
	})
}

// capLifetime lets no lifetime be longer than those in a target that could not be
// read: damage to a short one must not let the long one of Cache-Control through.
func (d *Directives) capLifetime(value string) {
	eachLifetime(value, func(seconds string) {
		digits := len(seconds) - len(strings.TrimLeft(seconds, "0123456789"))
		limit, _ := deltaSeconds(seconds[:digits])
		if !d.capped || limit < d.limit {
			d.capped, d.limit = true, limit
		}
	})
}

// eachLifetime calls visit with the text that follows the name of a lifetime, for
// each that occurs in value.
func eachLifetime(value string, visit func(seconds string)) {
	for _, name := range []string{"max-age", "maxage"} {
		for rest := value; ; {
			i := indexFold(rest, name)
			if i < 0 {
				break
			}
			rest = rest[i+len(name):]
			visit(strings.TrimLeft(rest, " \t=\""))
		}
	}
}

// restrictAccel reads nginx's X-Accel-Expires, a number of seconds of which 0
// forbids caching. Its other form, @ and a time, is not told from damage.
func (d *Directives) restrictAccel(value string) {
	if !positive(strings.TrimSpace(value)) {
		d.NoStore = true
	}
}

// positive reports whether s begins with a decimal number that is not nought.
func positive(s string) bool {
	s = strings.TrimLeft(s, "0")
	return s != "" && s[0] >= '1' && s[0] <= '9'
}
