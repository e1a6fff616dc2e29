package httpcache

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/pquerna/cachecontrol/cacheobject"
)

// Directives is what a response says about its being cached, from all lines of
// Cache-Control (RFC 9111 §5.2.2), Pragma (§5.4) and the targeted fields of
// RFC 9213 and of vendors.
//
// Restrictions and permissions are not read alike. A restriction holds wherever
// its name occurs, however damaged the text around it; a permission holds only
// when every line is well-formed.
type Directives struct {
	// Private, NoStore and NoCache are refusals. Their qualified forms
	// (no-cache="Set-Cookie") count as the whole, as RFC 9111 §5.2.2.4 and
	// §5.2.2.7 allow.
	Private, NoStore, NoCache bool

	// MustRevalidate, ProxyRevalidate and MustUnderstand restrict reuse
	// (RFC 9111 §5.2.2.2, §5.2.2.8, §5.2.2.3).
	MustRevalidate, ProxyRevalidate, MustUnderstand bool

	// Public and Immutable permit (RFC 9111 §5.2.2.9, RFC 8246).
	Public, Immutable bool

	// The lifetimes are in whole seconds, at most 2³¹. Of several values the
	// smallest counts. MaxAge and SMaxAge mean something only with HasMaxAge
	// and HasSMaxAge. A lifetime of nought in any targeted field is an SMaxAge
	// of nought.
	MaxAge, SMaxAge                    time.Duration
	StaleWhileRevalidate, StaleIfError time.Duration
	HasMaxAge, HasSMaxAge              bool

	// Targeted says that the permissions and lifetimes are those of a targeted
	// field, as SMaxAge where it has one. Expires does not count then
	// (RFC 9213 §2.2).
	Targeted bool

	// Malformed says that Cache-Control could not be read. No permission is
	// set then.
	Malformed bool

	// capped says that no lifetime is longer than limit: a targeted field that
	// could not be read, or an argument of an unknown directive, wanted no longer one.
	capped bool
	limit  time.Duration
}

// Reader says how the fields that control caches are read for one route. The zero
// Reader is the strictest. A Reader is not changed by its methods.
type Reader struct {
	// Targets are the targeted fields (RFC 9213 §2.2) that speak to this cache,
	// by their canonical names, the most specific first. Others can only refuse.
	Targets []string

	// TargetFirst gives a valid targeted field the precedence of RFC 9213 §2.2:
	// Cache-Control, Expires and Pragma are then not read at all, and neither
	// are less specific targets. Without it a refusal in any field wins.
	TargetFirst bool

	// MustUnderstand obeys must-understand (RFC 9111 §5.2.2.3): beside it
	// no-store is ignored for statuses whose caching requirements this cache
	// implements, and other statuses are not stored.
	MustUnderstand bool
}

// Directives reads the directives of a response with the given status.
//
// The first of Targets that has a valid value governs the permissions and
// lifetimes; without TargetFirst only if it has a lifetime. A target that is damaged
// permits nothing and is passed over; what it refuses, and any lifetime in it, still
// restricts.
func (r Reader) Directives(h http.Header, status int) Directives {
	d, chosen := r.target(h, status)
	switch {
	case chosen < 0:
		d = r.control(h, status)
	case !r.TargetFirst:
		control := r.control(h, status)
		if control.Malformed || !d.HasSMaxAge {
			// A lifetime of nought in Cache-Control is a refusal, too, unless the
			// target has another for us.
			d = control.restricted(d)
		} else {
			d = d.restricted(control)
		}
	}
	r.restrictByOthers(h, chosen, &d)
	return d
}

// ResponseDirectives reads the directives of a response as the zero [Reader]
// does: targeted fields can only refuse.
func ResponseDirectives(h http.Header) Directives { return Reader{}.Directives(h, 0) }

// Understood reports whether this cache implements the caching requirements of a
// status, as RFC 9111 §3 asks of what is stored with must-understand. They are the
// final statuses of RFC 9110 that may be stored, but for 206.
func Understood(status int) bool {
	switch status {
	case http.StatusOK, http.StatusNonAuthoritativeInfo, http.StatusNoContent,
		http.StatusMultipleChoices, http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther,
		http.StatusTemporaryRedirect, http.StatusPermanentRedirect,
		http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusGone, http.StatusRequestURITooLong,
		http.StatusNotImplemented:
		return true
	}
	return false
}

// control reads Cache-Control, and Pragma where there is none.
func (r Reader) control(h http.Header, status int) Directives {
	var d Directives
	control := lines(h, "Cache-Control")
	for _, line := range control {
		d.restrict(line)
	}
	d.permit(control)
	if r.MustUnderstand {
		d.understand(control, status)
	}
	// RFC 9111 §5.4: Pragma speaks for those who do not know Cache-Control.
	if blank(control) {
		for _, line := range lines(h, "Pragma") {
			d.NoCache = d.NoCache || indexFold(line, "no-cache") >= 0
		}
	}
	return d
}

// understand obeys must-understand in a field of the given lines. The no-store
// beside it is ignored only if the text leaves no doubt about either.
func (d *Directives) understand(all []string, status int) {
	switch {
	case !d.MustUnderstand:
	case !Understood(status):
		d.NoStore = true
	case !d.Malformed && bare(all, "must-understand") && bare(all, "no-store"):
		d.NoStore = false
	}
}

// bare reports whether the lines are well-formed and the name occurs in them only
// as a directive without an argument.
func bare(all []string, name string) bool {
	mentions, directives := 0, 0
	for _, line := range all {
		mentions += countFold(line, name)
		rest := eachDirective(line, func(directive, _ string, hasValue bool) {
			if !hasValue && strings.EqualFold(directive, name) {
				directives++
			}
		})
		if rest != "" {
			return false
		}
	}
	return mentions == directives
}

// restricted is d with the restrictions of other, too.
func (d Directives) restricted(other Directives) Directives {
	d.Private = d.Private || other.Private
	d.NoStore = d.NoStore || other.NoStore
	d.NoCache = d.NoCache || other.NoCache
	d.MustRevalidate = d.MustRevalidate || other.MustRevalidate
	d.ProxyRevalidate = d.ProxyRevalidate || other.ProxyRevalidate
	d.MustUnderstand = d.MustUnderstand || other.MustUnderstand
	d.Malformed = d.Malformed || other.Malformed
	return d
}

// restrict finds restrictions wherever their names occur in text: inside the
// list that private=x,no-store opens, inside quotes that nobody closes, behind a
// semicolon. A name that is there by chance costs a hit; one that is overlooked
// costs a visitor.
func (d *Directives) restrict(text string) {
	for _, r := range []struct {
		name string
		set  *bool
	}{
		{"private", &d.Private},
		{"no-store", &d.NoStore},
		{"no-cache", &d.NoCache},
		{"must-revalidate", &d.MustRevalidate},
		{"proxy-revalidate", &d.ProxyRevalidate},
		{"must-understand", &d.MustUnderstand},
	} {
		if indexFold(text, r.name) >= 0 {
			*r.set = true
		}
	}
}

// permit reads the permissions of Cache-Control. The library reads all lines as
// the one list that they are (RFC 9110 §5.3); what it reads loosely, the last of
// two lifetimes and text that is no list of directives, is read again.
func (d *Directives) permit(control []string) {
	parsed, err := cacheobject.ParseResponseCacheControl(strings.Join(control, ", "))
	if err != nil {
		if ended, found := endless(control); found {
			d.permit(ended)
			return
		}
		d.Malformed = true
		if negativeLifetime(control) {
			d.Malformed, d.SMaxAge, d.HasSMaxAge = false, 0, true
		}
		return
	}
	p := *d
	p.Public, p.Immutable = parsed.Public, parsed.Immutable
	p.MaxAge, p.HasMaxAge = fromDelta(parsed.MaxAge)
	p.SMaxAge, p.HasSMaxAge = fromDelta(parsed.SMaxAge)
	p.StaleWhileRevalidate, _ = fromDelta(parsed.StaleWhileRevalidate)
	p.StaleIfError, _ = fromDelta(parsed.StaleIfError)

	lower := func(lifetime *time.Duration, value string) {
		seconds, _ := deltaSeconds(value) // nought if it is no number
		*lifetime = min(*lifetime, seconds)
	}
	for _, line := range control {
		rest := eachDirective(line, func(name, value string, _ bool) {
			switch strings.ToLower(name) {
			case "max-age":
				lower(&p.MaxAge, value)
			case "s-maxage":
				lower(&p.SMaxAge, value)
			case "stale-while-revalidate":
				lower(&p.StaleWhileRevalidate, value)
			case "stale-if-error":
				lower(&p.StaleIfError, value)
			default:
				// What stands between two quotes that somebody has put there by mistake
				// is no lifetime, but none may be longer.
				p.capLifetime(value)
			}
		})
		if rest != "" {
			d.Malformed = true
			return
		}
	}
	*d = p
}

// endless puts no seconds where stale-while-revalidate and stale-if-error have none, and
// reports whether there were such. RFC 5861 wants seconds; frameworks that send none
// (Next.js before version 15) mean that there is no end. Here they permit nothing, and
// are no reason to doubt the lifetime beside them.
func endless(control []string) (ended []string, found bool) {
	for _, line := range control {
		var all []string
		rest := eachDirective(line, func(name, value string, hasValue bool) {
			lower := strings.ToLower(name)
			if !hasValue && (lower == "stale-while-revalidate" || lower == "stale-if-error") {
				found, hasValue, value = true, true, "0"
			}
			if hasValue {
				name += `="` + value + `"`
			}
			all = append(all, name)
		})
		ended = append(ended, strings.Join(append(all, rest), ", "))
	}
	return ended, found
}

// negativeLifetime reports whether the lines are well-formed but for a lifetime below
// nought, which is one that is over (RFC 9111 §4.2.1).
func negativeLifetime(control []string) bool {
	found, others := false, false
	for _, line := range control {
		rest := eachDirective(line, func(name, value string, _ bool) {
			switch strings.ToLower(name) {
			case "max-age", "s-maxage", "stale-while-revalidate", "stale-if-error":
				_, plain := deltaSeconds(value)
				digits, below := strings.CutPrefix(value, "-")
				_, number := deltaSeconds(digits)
				found = found || below && number
				others = others || !plain && !(below && number)
			}
		})
		if rest != "" {
			return false
		}
	}
	return found && !others
}

func fromDelta(n cacheobject.DeltaSeconds) (time.Duration, bool) {
	if n < 0 {
		return 0, false
	}
	return time.Duration(n) * time.Second, true
}

// restrictByOthers applies what the fields refuse that do not govern: targeted
// fields for other caches, targets that were passed over, and less specific ones
// unless RFC 9213 has them ignored. Chosen is the index of the target that
// governs, or negative.
func (r Reader) restrictByOthers(h http.Header, chosen int, d *Directives) {
	for name, values := range h {
		i := slices.IndexFunc(r.Targets, func(target string) bool { return strings.EqualFold(name, target) })
		listed := i >= 0
		switch {
		case !listed && !targeted(name):
			continue
		case listed && chosen >= 0 && (i == chosen || r.TargetFirst && i > chosen):
			continue
		}
		for _, value := range values {
			if strings.EqualFold(name, "X-Accel-Expires") {
				d.restrictAccel(value)
				continue
			}
			d.restrictTargeted(value)
			if listed && (chosen < 0 || i < chosen) {
				d.capLifetime(value)
			}
		}
	}
}
