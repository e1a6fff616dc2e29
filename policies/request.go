package policies

import (
	"net/http"
	"slices"
)

// Request is what a policy judges: a request as it would be forwarded, after
// every rewrite. The fields are read, never changed.
type Request struct {
	Method string
	// Scheme is http or https, as the visitor used it.
	Scheme string
	// Host is the Host field or :authority in lower case, with its port if it had one.
	Host string
	// Path is the decoded path, EscapedPath the same as it is sent. Routes match
	// the decoded one; keys and canonical requests hold the other.
	Path, EscapedPath string
	// RawQuery is the query without its ?. ForceQuery says that there was a ?
	// with nothing behind it.
	RawQuery   string
	ForceQuery bool
	// AbsoluteForm says that the request target was a whole URL (RFC 9112 §3.2.2).
	AbsoluteForm bool
	// Header holds the request's fields under their canonical names.
	Header http.Header
	// HasBody says that a body follows, or may.
	HasBody bool
	// Port is the one that the request came in at, or empty if not known.
	Port string
}

// Action is what is to be done with a request.
type Action uint8

// The actions.
const (
	// ActCache: look the key up, and fill it if it is not there.
	ActCache Action = iota
	// ActBypass: straight to the origin, untouched; nothing is looked up or stored.
	ActBypass
	// ActDeny: answer 400.
	ActDeny
)

// Verdict is an action and why it is not ActCache.
type Verdict struct {
	Action Action
	// Reasons are all that were found, most telling first. Nil for ActCache.
	Reasons []Reason

	// cause is an input for which there is a reason: that of the most telling one.
	cause  Input
	causes Reason
}

// Cause is the input for which the first reason was given, without its value; ok is
// false where that is not about one input. Of several, it is always the same.
func (v *Verdict) Cause() (input Input, ok bool) {
	return v.cause, len(v.Reasons) > 0 && v.causes != ReasonNone && v.causes == v.Reasons[0]
}

// addFor is add, for an input.
func (v *Verdict) addFor(r Reason, kind InputKind, name string) { v.raiseFor(ActBypass, r, kind, name) }

// raiseFor is raise, for an input.
func (v *Verdict) raiseFor(a Action, r Reason, kind InputKind, name string) {
	v.raise(a, r)
	switch {
	case v.causes == ReasonNone, rank(r, v.causes) < 0:
	case r == v.causes && (kind < v.cause.Kind || kind == v.cause.Kind && name < v.cause.Name):
	default:
		return
	}
	v.cause, v.causes = Input{Kind: kind, Name: name}, r
}

// add records a reason that makes the request a bypass, once.
func (v *Verdict) add(r Reason) {
	v.raise(ActBypass, r)
}

// raise records a reason and an action, of which the strictest stays.
func (v *Verdict) raise(a Action, r Reason) {
	v.Action = max(v.Action, a)
	for _, have := range v.Reasons {
		if have == r {
			return
		}
	}
	v.Reasons = append(v.Reasons, r)
}

// order puts the reasons into the catalogue's order, that of a refusal first. A
// request's header map has none, and records are counted by their first reason.
func (v *Verdict) order() {
	slices.SortFunc(v.Reasons, rank)
}

// rank compares reasons: that of a refusal first, then as in the catalogue.
func rank(a, b Reason) int {
	switch {
	case a == b:
		return 0
	case a == ReasonDenied || b != ReasonDenied && a < b:
		return -1
	}
	return 1
}
