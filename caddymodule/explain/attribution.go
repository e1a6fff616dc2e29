package explain

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cacheward/cacheward/caddymodule/attribution"
	"github.com/cacheward/cacheward/policies"
)

// Attribution is what a route with attribution makes of the request.
type Attribution struct {
	// At is where the route declares it.
	At string `json:"at,omitempty"`
	// Model, Carry and Window (seconds) are as declared, or the defaults.
	Model  string `json:"model"`
	Carry  string `json:"carry"`
	Window int64  `json:"window"`
	// Cookie is the name of the one that carries; empty: none does. Encrypted: nobody but
	// the proxy can read what is in it.
	Cookie    string `json:"cookie,omitempty"`
	Encrypted bool   `json:"encrypted,omitempty"`
	// Beacon is the host that landings are reported to, with its scheme. Path and query are
	// not told: apps know the edge by them.
	Beacon string `json:"beacon,omitempty"`
	// Taken are the declared parameters that the URL has, decoded; Referer is what is taken
	// of that field. Paid: they make it a paid visit.
	Taken   []Field `json:"taken,omitempty"`
	Referer string  `json:"referer,omitempty"`
	Paid    bool    `json:"paid,omitempty"`
	// URL is the request's as everything behind the proxy sees it: without the declared
	// parameters.
	URL string `json:"url"`
	// Landing says that the request is one, with something that can be carried. LeftOut is
	// why it would not be, as in the audit log.
	Landing bool   `json:"landing"`
	LeftOut string `json:"left_out,omitempty"`
	// Sentence is what it comes to.
	Sentence string `json:"sentence"`
}

// Delivery is what the app would be told with the request.
type Delivery struct {
	// Route is the one that declares it, At where.
	Route string `json:"route"`
	At    string `json:"at,omitempty"`
	// As is header, query or form-cookie, Names those of the fields, parameters or cookies;
	// of parameters and cookies as declared, with globs.
	As    string   `json:"as"`
	Names []string `json:"names"`
	// Cookie is the name of the one that carries. HasCookie: the request has it; whether it
	// is genuine only the running proxy can tell.
	Cookie    string `json:"cookie"`
	HasCookie bool   `json:"has_cookie,omitempty"`
	// Sentence is what it comes to.
	Sentence string `json:"sentence"`
}

// explainAttribution says what is taken off the request, and what the app would be told.
func (e *Explanation) explainAttribution(compiled *policies.Compiled) {
	if a := e.rule.Attribution; a != nil {
		e.Attribution = e.attributionOf(a)
	}
	if a := compiled.Delivers(e.req.Host, e.req.Path); a != nil {
		e.Delivery = e.deliveryOf(compiled, a)
	}
}

func (e *Explanation) attributionOf(a *policies.CompiledAttribution) *Attribution {
	out := &Attribution{
		At: at(e.route.At("attribution")), Model: string(a.Model), Carry: string(a.Carry), Window: seconds(a.Window),
		Encrypted: a.Encrypt == policies.On, URL: e.Request.URL,
	}
	if !e.Observed {
		stripped := *e.req
		stripped.RawQuery = attribution.StripQuery(e.req.RawQuery, a.Takes)
		stripped.ForceQuery = stripped.ForceQuery && stripped.RawQuery == e.req.RawQuery
		out.URL = urlOf(&stripped)
	}
	if a.Carry != policies.CarryBeacon {
		out.Cookie = e.carrier()
	}
	if a.Beacon != nil {
		out.Beacon = hostOnly(a.Beacon.URL)
	}
	referer := ""
	if a.Referer != "" {
		referer = e.req.Header.Get("Referer")
	}
	touch, problem := attribution.Read(e.req.RawQuery, referer, e.req.Host, a.Takes, a.Referer == policies.RefererFull, a.IsPaid, time.Now())
	for _, v := range touch.Values {
		out.Taken = append(out.Taken, Field(v))
	}
	out.Referer, out.Paid = touch.Referer, touch.Paid
	switch {
	case e.Observed:
		out.Sentence = "The route only observes: nothing is taken or carried."
	case problem != "":
		out.LeftOut = string(problem)
	case touch.Landing == "":
		out.Sentence = "Nothing that is declared is on the request: it is no landing."
	case e.req.Method != "GET":
		out.Sentence = "The parameters leave the request, and nothing of it is carried: only a GET is a landing."
	case attribution.Prefetch(e.req.Header):
		out.LeftOut = string(attribution.NotCountedPrefetch)
	case attribution.Crawler(e.req.Header.Get("User-Agent")):
		out.LeftOut = string(attribution.NotCountedCrawler)
	case !a.Consented(e.req.Header["Cookie"]):
		out.LeftOut = string(attribution.NoConsent)
	default:
		out.Landing = true
		out.Sentence = out.carried()
	}
	if out.LeftOut != "" {
		out.Sentence = "The parameters leave the request, and nothing of it is carried: " + leftOut(attribution.Problem(out.LeftOut), a) + "."
	}
	return out
}

// carrier is the name of the cookie that carries, by the scheme of the request.
func (e *Explanation) carrier() string {
	if e.req.Scheme == "https" {
		return policies.AttributionCookie
	}
	return policies.AttributionCookiePlain
}

// hostOnly is a URL without what may be secret in it.
func hostOnly(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return ""
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host}).String()
}

// carried says where the values go, and what an earlier visit has to do with it.
func (a *Attribution) carried() string {
	var where []string
	if a.Cookie != "" {
		where = append(where, "carried in the cookie "+a.Cookie+" for "+length(a.Window))
	}
	if a.Beacon != "" {
		where = append(where, "reported by beacon to "+a.Beacon)
	}
	text := "A landing: it is " + strings.Join(where, ", and ") + "."
	if a.Cookie == "" {
		return text
	}
	text += " The answer that sets the cookie leaves as private, no-store."
	switch policies.AttributionModel(a.Model) {
	case policies.ModelFirst:
		return text + " An earlier visit within that time would stay in the cookie."
	case policies.ModelLastPaid:
		if !a.Paid {
			return text + " An earlier paid visit within that time would stay in the cookie."
		}
	}
	return text + " It takes the place of an earlier visit."
}

// leftOut says in words why a landing is not carried.
func leftOut(problem attribution.Problem, a *policies.CompiledAttribution) string {
	switch problem {
	case attribution.NotCountedPrefetch:
		return "it is fetched ahead, and nobody may ever see it"
	case attribution.NotCountedCrawler:
		return "a crawler is no visitor"
	case attribution.NoConsent:
		return "the cookie " + a.Consent.Cookie + " does not say that the visitor agrees"
	case attribution.Bounds:
		return "the values are too many or too long"
	case attribution.Malformed:
		return "the values cannot be read"
	}
	return string(problem)
}

// deliveryOf says what the app is told with the request.
func (e *Explanation) deliveryOf(compiled *policies.Compiled, a *policies.CompiledAttribution) *Delivery {
	cookie := e.carrier()
	out := &Delivery{Route: a.Route, As: string(a.Deliver.As), Cookie: cookie, HasCookie: hasCookie(e.req.Header["Cookie"], cookie)}
	i := slices.IndexFunc(e.policy.Routes, func(r policies.Route) bool { return r.Name == a.Route })
	if i >= 0 {
		out.At = at(e.policy.Routes[i].At("attribution.deliver"))
	}
	by := ""
	switch a.Deliver.As {
	case policies.AsQuery:
		out.Names, by = slices.Clone(a.Params), "with the parameters put back on its URL"
	case policies.AsCookie:
		out.Names, by = slices.Clone(a.Params), "with a cookie for each parameter"
	default:
		out.Names = []string{policies.AttributionField, policies.AttributionAtField, policies.AttributionRefererField, policies.AttributionLandingField}
		by = "in the fields " + strings.Join(out.Names, ", ")
	}
	if i >= 0 && compiled.Rules()[i].Mode == policies.Observe {
		out.Sentence = "The route " + a.Route + " only observes: nothing is delivered."
		return out
	}
	then := "the app is told who sent the visitor, " + by + ", and the request is theirs alone (" + policies.ReasonAttributionDelivered.String() + ")."
	if out.HasCookie {
		out.Sentence = "If the cookie " + cookie + " is genuine, of this host and not too old, " + then
	} else {
		out.Sentence = "The request has no cookie " + cookie + ". Had it a genuine one, " + strings.TrimSuffix(then, ".") + "; so there is nothing to tell, unless its own URL says who sent them."
	}
	return out
}

// hasCookie says whether the lines of a Cookie field have a cookie of the name.
func hasCookie(lines []string, name string) bool {
	for _, line := range lines {
		for pair := range strings.SplitSeq(line, ";") {
			if n, _, _ := strings.Cut(strings.Trim(pair, " \t"), "="); n == name {
				return true
			}
		}
	}
	return false
}
