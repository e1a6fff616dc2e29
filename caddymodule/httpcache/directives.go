package httpcache

import (
	"net/http"
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

	// The lifetimes are in whole seconds, at most 2³¹-1. Of several values
	// the smallest counts. MaxAge and SMaxAge mean something only with
	// HasMaxAge and HasSMaxAge. A lifetime of nought in a targeted field is
	// an SMaxAge of nought.
	MaxAge, SMaxAge                    time.Duration
	StaleWhileRevalidate, StaleIfError time.Duration
	HasMaxAge, HasSMaxAge              bool

	// Malformed says that Cache-Control could not be read. No permission is
	// set then.
	Malformed bool
}

// ResponseDirectives reads the directives of a response. Targeted fields can
// only refuse: what they permit is ignored.
func ResponseDirectives(h http.Header) Directives {
	var d Directives
	control := lines(h, "Cache-Control")
	for _, line := range control {
		d.restrict(line)
	}
	d.permit(control)
	// RFC 9111 §5.4: Pragma speaks for those who do not know Cache-Control.
	if blank(control) {
		for _, line := range lines(h, "Pragma") {
			d.NoCache = d.NoCache || indexFold(line, "no-cache") >= 0
		}
	}
	for name, values := range h {
		for _, value := range values {
			switch {
			case strings.EqualFold(name, "X-Accel-Expires"):
				d.restrictAccel(value)
			case targeted(name):
				d.restrictTargeted(value)
			}
		}
	}
	return d
}

// RequestNoStore reports whether a request says no-store (RFC 9111 §5.2.1.5), in
// any line and in any damaged form. It looks under the canonical name only, as
// net/http hands requests over.
func RequestNoStore(h http.Header) bool {
	for _, line := range h["Cache-Control"] {
		if indexFold(line, "no-store") >= 0 {
			return true
		}
	}
	return false
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
		d.Malformed = true
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
		wellFormed := eachDirective(line, func(name, value string) {
			switch strings.ToLower(name) {
			case "max-age":
				lower(&p.MaxAge, value)
			case "s-maxage":
				lower(&p.SMaxAge, value)
			case "stale-while-revalidate":
				lower(&p.StaleWhileRevalidate, value)
			case "stale-if-error":
				lower(&p.StaleIfError, value)
			}
		})
		if !wellFormed {
			d.Malformed = true
			return
		}
	}
	*d = p
}

// restrictTargeted finds the refusals of a targeted field: the names that refuse
// in Cache-Control, Akamai's bypass-cache, and lifetimes that are not a positive
// number.
func (d *Directives) restrictTargeted(value string) {
	d.restrict(value)
	if indexFold(value, "bypass-cache") >= 0 {
		d.NoStore = true
	}
	for _, name := range []string{"max-age", "maxage"} {
		for rest := value; ; {
			i := indexFold(rest, name)
			if i < 0 {
				break
			}
			rest = rest[i+len(name):]
			if !positive(strings.TrimLeft(rest, " \t=\"")) {
				d.SMaxAge, d.HasSMaxAge = 0, true
			}
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

func fromDelta(n cacheobject.DeltaSeconds) (time.Duration, bool) {
	if n < 0 {
		return 0, false
	}
	return time.Duration(n) * time.Second, true
}
