package policies

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// maxErrorTTL bounds error_ttl: an error that is stored for longer outlives its
// cause, and whoever can cause one takes the page from everybody.
const maxErrorTTL = Duration(time.Minute)

// followed judges the options that say how far the origin is followed.
func (s section) followed(r *Route) {
	if r.Heuristic != "" && r.Heuristic != On && r.Heuristic != Off {
		// No suggestion: on is nearer to no than off is.
		s.fault("heuristic", fmt.Sprintf("%q is neither on nor off", r.Heuristic), "write on or off")
	}
	oneOf(s, "request_directives", r.RequestDirectives, "answer to request directives", []Obedience{Obey, Ignore})
	if d := r.ErrorTTL; d != nil {
		switch {
		case *d < 0:
			s.fault("error_ttl", "the duration is less than zero", "give a duration such as 5s, or 0s to store no errors")
		case *d > maxErrorTTL:
			s.fault("error_ttl", fmt.Sprintf("errors cannot be stored for %s, at most for %s", *d, maxErrorTTL),
				"give less; stale_if_error serves visitors meanwhile")
		}
	}
	s.targeted(r.Targeted)
	if ownLifetime(r) {
		s.notFollowed(r)
	}
	if relays(r) && r.SetCookie != nil && r.SetCookie.Rule == StripCookie {
		s.fault("downstream", "downstream: origin contradicts set_cookie: strip: what the origin says to caches, it says of a response with its cookie",
			"give a duration, or do not strip cookies")
	}
}

// notFollowed reports what only has a meaning where the origin gives the lifetime.
func (s section) notFollowed(r *Route) {
	for _, o := range []struct {
		path    string
		given   bool
		message string
		fix     string
	}{
		{"heuristic", r.Heuristic != "", "heuristic is for responses without a lifetime, and this route gives one", "leave it out"},
		{"error_ttl", r.ErrorTTL != nil, "error_ttl caps the lifetimes that the origin gives to errors, and this route stores no errors", "leave it out"},
		{"targeted", r.Targeted != nil, "targeted names fields in which the origin gives a lifetime, and this route gives its own", "leave it out"},
		{"vouch", r.Vouch != nil, "vouch is for responses that the origin itself declares shareable, and this route declares them so", "leave it out"},
		{"downstream", relays(r), "downstream: origin passes on the lifetime that the origin gives, and this route gives its own", "give a duration"},
	} {
		if o.given {
			s.fault(o.path, o.message, o.fix+", or write cache: origin")
		}
	}
}

// ownLifetime says whether the route gives the lifetime itself, and one that could
// be read.
func ownLifetime(r *Route) bool { return r.Cache.Kind == CacheTTL && r.Cache.TTL != 0 }

func relays(r *Route) bool { return r.Downstream != nil && r.Downstream.Profile == ProfileOrigin }

func (s section) targeted(t *Targeted) {
	if t == nil {
		return
	}
	if len(t.Fields) == 0 && t.Order == "" {
		s.fault("targeted", "targeted says nothing", "name fields or give an order, or leave it out")
	}
	oneOf(s, "targeted.order", t.Order, "order", []string{RefusalFirst, TargetFirst})
	s.fieldNames("targeted.fields", t.Fields, checkTarget)
}

// fieldNames judges a list of response fields, by their names and for repetition.
func (s section) fieldNames(path string, names []string, check func(name string) (message, fix string)) {
	seen := make(map[string]bool, len(names))
	for i, name := range names {
		s.judge(path, i, name, check)
		id := strings.ToLower(name)
		if seen[id] {
			s.fault(join(path, strconv.Itoa(i)), fmt.Sprintf("%q is given twice; letter case does not matter", name), "leave one out")
		}
		seen[id] = true
	}
}

// checkTarget accepts the names that RFC 9213 §3 gives to targeted fields.
func checkTarget(name string) (message, fix string) {
	const suffix = "-cache-control"
	if strings.Contains(name, "*") {
		return fmt.Sprintf("%q is no name of a field", name), "name each field; the first that a response has governs"
	}
	if message, fix := checkName(kindHeader, name); message != "" {
		return message, fix
	}
	switch lower := strings.ToLower(name); {
	case lower == "cache-control":
		return `"Cache-Control" is meant for every cache, and always read`, "name fields such as CDN-Cache-Control"
	case !strings.HasSuffix(lower, suffix) || len(lower) == len(suffix):
		return fmt.Sprintf("%q is no targeted field (RFC 9213 §3)", name), "name fields that end with -Cache-Control, such as CDN-Cache-Control"
	}
	return "", ""
}

// authorization judges sharing what a signed-in visitor caused to be stored.
func (s section) authorization(r *Route, inherited *Identity) {
	a := r.Authorization
	if a == nil {
		return
	}
	s.rule("authorization", "rule for Authorization", a.Rule, []string{AuthorizationBypass, AuthorizationRFC9111})
	if a.Rule != AuthorizationRFC9111 {
		return
	}
	if blank(a.Reason) {
		s.fault("authorization", "authorization: rfc9111 shares answers to signed-in visitors and needs a reason",
			"say why the origin declares only those shareable that are the same for everybody")
	}
	s.onceOfOrigin("authorization: rfc9111", "authorization", "bypass", r)
	const contradicts = "authorization: rfc9111 contradicts it: requests with Authorization are to be answered from the store"
	if h := r.Headers; h != nil {
		for _, v := range []verbNames{{Bypass, h.Bypass}, {Deny, h.Deny}} {
			s.authorizationIn("headers."+string(v.verb), v.names, contradicts, "name headers that are not Authorization")
		}
	}
	if inherited == nil {
		return
	}
	path := "identity.headers"
	if r.Identity == nil {
		path = "authorization" // the policy's identity has its place elsewhere
	}
	s.authorizationIn(path, inherited.Headers, "the identity names Authorization, which makes such requests a bypass; authorization: rfc9111 contradicts it",
		"name headers that are not Authorization, or leave authorization out")
}

// authorizationIn reports the first name that Authorization is among.
func (s section) authorizationIn(path string, names []string, message, fix string) {
	for i, name := range names {
		if !within(kindHeader, "Authorization", name) {
			continue
		}
		if path != "authorization" {
			path = join(path, strconv.Itoa(i))
		}
		s.fault(path, fmt.Sprintf("%q: %s", name, message), fix)
		return
	}
}

// address judges telling the origin who caused a fill.
func (s section) address(r *Route) {
	a := r.Address
	if a == nil {
		return
	}
	s.rule("address", "rule for the visitor's address", a.Rule, []string{AddressStrip, AddressForward})
	if a.Rule != AddressForward {
		return
	}
	if blank(a.Reason) {
		s.fault("address", "address: forward tells the origin a visitor's address without keying it, and needs a reason", "say why no page depends on it")
	}
	s.onceOfOrigin("address: forward", "address", "strip", r)
}

// onceOfOrigin reports a rule by which a fill carries what is one visitor's, where
// it is not the origin alone that declares the answer shareable: on its word such
// an answer may be shared (RFC 9111 §3.5), on the operator's it may not. Two fills
// that carry it say nothing about a visitor who does not.
func (s section) onceOfOrigin(what, path, instead string, r *Route) {
	switch {
	case ownLifetime(r):
		s.fault(path, what+" leaves it to the origin to say what may be shared, and this route says it itself", "write "+instead+", or cache: origin")
	case r.Cache.Kind == CacheOrigin && corroborates(r):
		s.fault(path, what+" contradicts corroboration: an answer to one visitor's fill is no second opinion on another's", "write "+instead+", or admission: once")
	}
}
