package httpcache

import (
	"net/http"
	"strings"
	"time"
)

// RequestDirectives is what a request asks of caches (RFC 9111 §5.2.1).
type RequestDirectives struct {
	// NoCache asks for a validated response, NoStore that nothing be stored
	// (§5.2.1.4, §5.2.1.5). OnlyIfCached asks for a stored response or a 504
	// (§5.2.1.7).
	NoCache, NoStore, OnlyIfCached bool

	// MaxAge is how old a response may be, MinFresh for how long it must stay
	// fresh, MaxStale for how long it may have been stale (§5.2.1.1–§5.2.1.3).
	// They are in whole seconds, at most 2³¹, which is also what a max-stale
	// without a value means. Each counts only with its Has.
	MaxAge, MinFresh, MaxStale          time.Duration
	HasMaxAge, HasMinFresh, HasMaxStale bool
}

// ReadRequest reads all lines of Cache-Control in a request, or Pragma where there
// is none (RFC 9111 §5.4). It looks under the canonical names only, as net/http
// hands requests over.
//
// What is malformed is read in the way that asks more of the cache: a max-age that
// is no number as 0, a min-fresh as the largest, a max-stale as absent. Of several
// the one that asks more counts. Unknown directives mean nothing.
func ReadRequest(h http.Header) RequestDirectives {
	var d RequestDirectives
	control := h["Cache-Control"]
	for _, line := range control {
		d.restrict(eachDirective(line, d.directive))
	}
	if blank(control) {
		for _, line := range h["Pragma"] {
			rest := eachDirective(line, func(name, _ string, _ bool) {
				d.NoCache = d.NoCache || strings.EqualFold(name, "no-cache")
			})
			d.NoCache = d.NoCache || indexFold(rest, "no-cache") >= 0
		}
	}
	return d
}

// directive reads a well-formed directive.
func (d *RequestDirectives) directive(name, value string, hasValue bool) {
	switch {
	case strings.EqualFold(name, "no-cache"):
		d.NoCache = true
	case strings.EqualFold(name, "no-store"):
		d.NoStore = true
	case strings.EqualFold(name, "only-if-cached"):
		d.OnlyIfCached = true
	case strings.EqualFold(name, "max-age"):
		seconds, _ := deltaSeconds(value) // nought if it is no number
		d.atMost(seconds)
	case strings.EqualFold(name, "min-fresh"):
		seconds, ok := deltaSeconds(value)
		if !ok {
			seconds = maxDelta
		}
		d.atLeast(seconds)
	case strings.EqualFold(name, "max-stale"):
		seconds, ok := deltaSeconds(value)
		if !hasValue {
			seconds, ok = maxDelta, true
		}
		if ok && (!d.HasMaxStale || seconds < d.MaxStale) {
			d.MaxStale, d.HasMaxStale = seconds, true
		}
	}
}

// restrict reads text that is no list of directives: the names of those that ask
// more of the cache count wherever they occur in it, with no value.
func (d *RequestDirectives) restrict(text string) {
	d.NoCache = d.NoCache || indexFold(text, "no-cache") >= 0
	d.NoStore = d.NoStore || indexFold(text, "no-store") >= 0
	if indexFold(text, "max-age") >= 0 {
		d.atMost(0)
	}
	if indexFold(text, "min-fresh") >= 0 {
		d.atLeast(maxDelta)
	}
}

func (d *RequestDirectives) atMost(age time.Duration) {
	if !d.HasMaxAge || age < d.MaxAge {
		d.MaxAge, d.HasMaxAge = age, true
	}
}

func (d *RequestDirectives) atLeast(fresh time.Duration) {
	if !d.HasMinFresh || fresh > d.MinFresh {
		d.MinFresh, d.HasMinFresh = fresh, true
	}
}
