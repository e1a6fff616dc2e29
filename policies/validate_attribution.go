package policies

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The bounds of an attribution.
const (
	minWindow      = Duration(time.Minute)
	maxWindow      = Duration(400 * 24 * time.Hour) // beyond which browsers keep no cookie (RFC 6265bis §5.5)
	minBeaconEvery = Duration(10 * time.Millisecond)
	maxBeaconEvery = Duration(time.Hour)
	maxBeaconBatch = 1000
	maxBeaconQueue = 1_000_000_000
	maxTaken       = 100 // names
	maxTakenName   = 64  // bytes, of what is carried
	maxConsentGlob = 256 // bytes
)

// attribution judges what keeps who sent a visitor. The identity is the one in force.
func (s section) attribution(r *Route, id *Identity) {
	a := r.Attribution
	if a == nil {
		return
	}
	if len(a.Params) == 0 && a.Referer == "" {
		s.fault("attribution", "the attribution takes nothing", "name params, or write referer: external")
	}
	if len(r.Match.Methods) > 0 && !slices.Contains(r.Match.Methods, http.MethodGet) {
		s.fault("attribution", "visitors land with GET, which this route does not match", "add GET under match.methods, or leave it out")
	}
	s.takenParams(r)
	oneOf(s, "attribution.referer", a.Referer, "use of Referer", []RefererUse{RefererHost, RefererFull})
	oneOf(s, "attribution.model", a.Model, "model", []AttributionModel{ModelFirst, ModelLast, ModelLastPaid})
	oneOf(s, "attribution.carry", a.Carry, "way to carry", []Carry{CarryCookie, CarryBeacon, CarryBoth})
	oneOf(s, "attribution.encrypt", a.Encrypt, "switch", []Switch{On, Off})
	if len(a.Paid) > maxTaken {
		s.fault("attribution.paid", fmt.Sprintf("there are more than %d signs of a paid visit", maxTaken), "name the parameters that your advertisements have")
	}
	for i, sign := range a.Paid[:min(len(a.Paid), maxTaken)] {
		s.judge("attribution.paid", i, sign, checkPaid)
	}
	if a.Window != 0 && (a.Window < minWindow || a.Window > maxWindow) {
		s.fault("attribution.window", fmt.Sprintf("%s is not between %s and %s", a.Window, minWindow, maxWindow), "give for how long after a visit it counts, such as 30d")
	}
	s.deliver(a)
	if a.Deliver != nil && a.Deliver.As == AsCookie {
		s.formCookies(a, id)
	}
	s.beacon(a)
	s.consent(r)
}

// takenParams judges the names, each by itself and against the route's verbs.
func (s section) takenParams(r *Route) {
	a := r.Attribution
	if len(a.Params) > maxTaken {
		s.fault("attribution.params", fmt.Sprintf("there are more than %d names", maxTaken), "use globs; of one visit, no more than 16 values are carried")
		return
	}
	for i, name := range a.Params {
		at := "attribution.params." + strconv.Itoa(i)
		if message, fix := checkTaken(name); message != "" {
			s.fault(at, message, fix)
			continue
		}
		if slices.Contains(a.Params[:i], name) {
			s.fault(at, fmt.Sprintf("%q is given twice", name), "leave one out")
		}
		if r.Params != nil {
			s.takenElsewhere(at, name, r.Params)
		}
	}
}

// checkTaken accepts names that are the same encoded and decoded: they are compared
// with what an app makes of a name.
func checkTaken(name string) (message, fix string) {
	switch {
	case name != "" && strings.Trim(name, "*") == "":
		return fmt.Sprintf("%q takes every parameter, also those that the page depends on", name), "name those that say who sent the visitor"
	case len(name) > maxTakenName:
		return fmt.Sprintf("%q is longer than %d bytes, and no parameter with such a name is carried", name, maxTakenName), "name a shorter one"
	case strings.ContainsAny(name, "%+"):
		return fmt.Sprintf("%q is not the name of a parameter that says who sent a visitor: it is compared with decoded names", name), "write a name without % and +"
	}
	return checkName(kindParam, name)
}

// takenElsewhere reports a name that the route gives a verb although the pattern takes
// it. A pattern that is narrower than the verb's is an exception from it, and none.
func (s section) takenElsewhere(at, pattern string, in *Inputs) {
	for _, v := range in.byVerb() {
		for i, name := range v.names {
			pos := place(s.source.at("params." + string(v.verb) + "." + strconv.Itoa(i)))
			switch {
			case pattern == name:
				s.fault(at, fmt.Sprintf("%q is taken at the edge, but also %s%s", name, v.verb, pos), "leave one out: what is taken is neither in the key nor sent to the origin")
			case strings.HasPrefix(name, "@"):
			case fitsPattern(kindParam, pattern, name):
				s.fault(at, fmt.Sprintf("%q takes %q at the edge, which is also %s%s", pattern, name, v.verb, pos), "name what is taken more narrowly, or leave the other out")
			case v.verb != Strip && fitsPattern(kindParam, strings.ToLower(pattern), strings.ToLower(name)):
				s.fault(at, fmt.Sprintf("%q is taken at the edge, but %q is %s%s: apps that ignore letter case take one for the other", pattern, name, v.verb, pos), "name only one of them")
			}
		}
	}
}

// checkPaid accepts a name, and a name and a glob for its value.
func checkPaid(sign string) (message, fix string) {
	name, value, valued := strings.Cut(sign, "=")
	const how = "write a parameter such as gclid, or one and its value such as utm_medium=cpc"
	switch {
	case name == "", strings.ContainsAny(name, "*@%+"):
		return fmt.Sprintf("%q names no single parameter", sign), how
	case valued && value == "":
		return fmt.Sprintf("%q has no value behind the =", sign), how
	}
	message, _ = checkName(kindParam, name)
	if message != "" {
		return message, how
	}
	return "", ""
}

// deliver judges which requests tell the app, and how.
func (s section) deliver(a *Attribution) {
	d := a.Deliver
	if d == nil {
		return
	}
	oneOf(s, "attribution.deliver.as", d.As, "way to deliver", []DeliverAs{AsHeader, AsQuery, AsCookie})
	if len(d.Paths) == 0 {
		s.fault("attribution.deliver", "deliver names no paths", "name the paths of the requests that convert, such as /register")
	}
	for i, path := range d.Paths {
		s.judge("attribution.deliver.paths", i, path, checkPath)
	}
	if a.Carry == CarryBeacon {
		s.fault("attribution.deliver", "deliver contradicts carry: beacon: visitors carry nothing that could be delivered", "write carry: both, or leave deliver out")
	}
	if len(a.Params) == 0 && a.Referer != "" && (d.As == AsQuery || d.As == AsCookie) {
		s.fault("attribution.deliver.as", fmt.Sprintf("%s delivers parameters, and the attribution takes the Referer alone", d.As), "write as: header")
	}
}

// formCookies judges parameters that come to the app as cookies: whoever makes a link
// chooses their values.
func (s section) formCookies(a *Attribution, id *Identity) {
	for i, name := range a.Params {
		at := "attribution.params." + strconv.Itoa(i)
		if strings.HasPrefix(name, "@") {
			s.fault(at, fmt.Sprintf("%q is a list, and no list was made for names of cookies", name), "name the parameters, or deliver as header or query")
			continue
		}
		if message, fix := checkName(kindCookie, name); message != "" {
			s.fault(at, message+", and it is delivered as one", fix)
			continue
		}
		if own := edgeCookieIn(name); own != "" {
			s.fault(at, fmt.Sprintf("%q takes %s, which is the edge's own cookie, and is delivered as a cookie", name, own), "name the parameters more narrowly")
		}
		if id == nil {
			continue
		}
		for _, person := range id.Cookies {
			if within(kindCookie, name, person) || within(kindCookie, person, name) {
				s.fault(at, fmt.Sprintf("the cookie %q makes a visitor a person, and %q would be delivered as it: whoever makes a link could choose who its visitor is", person, name),
					"name the parameters more narrowly, or deliver as header or query")
			}
		}
	}
}

// beacon judges where landings are reported to.
func (s section) beacon(a *Attribution) {
	b := a.Beacon
	reports := a.Carry == CarryBeacon || a.Carry == CarryBoth
	switch {
	case b == nil && reports:
		s.fault("attribution.carry", fmt.Sprintf("carry: %s reports landings, and there is no beacon to say where", a.Carry), "add a beacon with a url, or write carry: cookie")
	case b != nil && !reports:
		s.fault("attribution.beacon", fmt.Sprintf("there is a beacon, and carry: %s reports nothing", firstOf(a.Carry, CarryCookie)), "write carry: beacon or carry: both, or leave the beacon out")
	}
	if b == nil {
		return
	}
	if message, fix := checkBeaconURL(b.URL); message != "" {
		s.fault("attribution.beacon.url", message, fix)
	}
	if b.Batch < 0 || b.Batch > maxBeaconBatch {
		s.fault("attribution.beacon.batch", fmt.Sprintf("%d is not between 1 and %d", b.Batch, maxBeaconBatch), "say how many landings one report has at most")
	}
	if b.Every != 0 && (b.Every < minBeaconEvery || b.Every > maxBeaconEvery) {
		s.fault("attribution.beacon.every", fmt.Sprintf("%s is not between %s and %s", b.Every, minBeaconEvery, maxBeaconEvery), "say how long a landing waits for others at most, such as 1s")
	}
	if b.Queue < 0 || b.Queue > maxBeaconQueue {
		s.fault("attribution.beacon.queue", fmt.Sprintf("%d is not between 1 and %d", b.Queue, maxBeaconQueue), "say how many landings may wait")
	}
	oneOf(s, "attribution.beacon.sync", b.Sync, "choice of sync", []string{SyncAlways, SyncInterval, SyncNever})
}

func checkBeaconURL(text string) (message, fix string) {
	const example = "write it as in http://localhost:3000/landings"
	if text == "" {
		return "the beacon has no URL", example
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return fmt.Sprintf("%q is not a URL", text), example
	case u.User != nil:
		return "the URL has a user or password in it, which would be seen in logs", "let the app know the edge by its address, or by a path that nobody guesses"
	case u.Scheme != "http" && u.Scheme != "https":
		return fmt.Sprintf("%q does not begin with http:// or https://", text), example
	case u.Hostname() == "":
		return fmt.Sprintf("%q names no host", text), example
	case u.Fragment != "":
		return fmt.Sprintf("%q has a fragment, which is not sent", text), "leave out # and what follows"
	}
	return "", ""
}

// consent judges the cookie that says what the visitor has agreed to.
func (s section) consent(r *Route) {
	c := r.Attribution.Consent
	if c == nil {
		return
	}
	const at = "attribution.consent.cookie"
	message, fix := checkName(kindCookie, c.Cookie)
	switch {
	case message != "":
		s.fault(at, message, fix)
		return
	case strings.ContainsAny(c.Cookie, "*@"):
		s.fault(at, fmt.Sprintf("%q is not the name of one cookie", c.Cookie), "name the cookie that holds the consent")
		return
	case edgeCookieIn(c.Cookie) != "":
		s.fault(at, fmt.Sprintf("%q is the edge's own cookie and holds no consent", c.Cookie), "name the cookie of the consent banner")
		return
	}
	if len(c.Matches) > maxConsentGlob {
		s.fault("attribution.consent.matches", fmt.Sprintf("the glob is longer than %d bytes", maxConsentGlob), "write the part that says yes between two *")
	}
	if verb, _ := cookieMatcher(r, false).find(c.Cookie); verb == Deny {
		s.fault(at, fmt.Sprintf("%q holds the consent, and requests that have it are denied on this route", c.Cookie), "strip it: the app need not see it for pages that are shared")
	}
}

// edgeCookieIn returns the cookie of the edge that the pattern claims, or nothing.
func edgeCookieIn(pattern string) string {
	for _, own := range []string{AttributionCookie, AttributionCookiePlain} {
		if within(kindCookie, own, pattern) {
			return own
		}
	}
	return ""
}

// edgesOwn reports verbs for the names that are the edge's own in a policy that has an
// attribution. Globs that cover them mean others, and change nothing.
func (s section) edgesOwn(r *Route) {
	if r.Cookies != nil {
		for _, v := range append(r.Cookies.byVerb(), verbNames{"plain", r.Cookies.Plain}) {
			s.notEdges("cookies."+string(v.verb), v.names, "cookie", isEdgeCookie)
		}
	}
	if r.Headers != nil {
		for _, v := range r.Headers.byVerb() {
			s.notEdges("headers."+string(v.verb), v.names, "header", isEdgeField)
		}
	}
	s.identityNotEdges(r.Identity)
}

func (s section) identityNotEdges(id *Identity) {
	if id != nil {
		s.notEdges("identity.cookies", id.Cookies, "cookie", isEdgeCookie)
		s.notEdges("identity.headers", id.Headers, "header", isEdgeField)
	}
}

func (s section) notEdges(path string, names []string, what string, own func(string) bool) {
	for i, name := range names {
		if own(name) {
			s.fault(join(path, strconv.Itoa(i)), fmt.Sprintf("the %s %q is the edge's own in a policy that has an attribution: it is never in a key and never sent to an origin by a visitor", what, name), "leave it out")
		}
	}
}

func isEdgeCookie(name string) bool {
	return name == AttributionCookie || name == AttributionCookiePlain
}

func isEdgeField(name string) bool {
	fields := []string{AttributionField, AttributionAtField, AttributionRefererField, AttributionLandingField}
	return slices.Contains(fields, http.CanonicalHeaderKey(name))
}
