package caddymodule

import (
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cacheward/cacheward/caddymodule/attribution"
	"github.com/cacheward/cacheward/policies"
)

// attribute takes who sent the visitor off the request, so that nothing after it sees that:
// neither the key nor the origin. It goes with the response, in a cookie or to the queue of
// landings; and it is put on the request that converts. It says whether this is one.
func (x *exchange) attribute() (delivers bool) {
	withoutOwnFields(x.r.Header) // where it is only observed, too: the app believes them
	withoutOwnTrailers(x.r)
	if x.rule.Mode == policies.Observe {
		return false
	}
	lines := takeCookies(x.r.Header, policies.AttributionCookie, policies.AttributionCookiePlain)
	rule, receiver := x.rule.Attribution, x.h.policy.Delivers(x.req.Host, x.req.Path)
	if rule == nil && receiver == nil {
		return false
	}
	have, problem := x.carried(lines)
	x.attributed.Dropped = string(problem)
	var came sentBy
	if rule != nil {
		came = x.came(rule)
		setQuery(x.r, attribution.StripQuery(x.r.URL.RawQuery, rule.Takes))
	}
	if receiver != nil {
		own := came
		if receiver != rule {
			own = x.came(receiver)
		}
		delivers = x.deliver(receiver, have, own)
	}
	if rule != nil {
		x.land(rule, have, came, len(lines) > 0)
	}
	return delivers
}

// withoutOwnFields removes what clients send under the names by which the app is told.
// Many an app takes an underscore for a hyphen.
func withoutOwnFields(h http.Header) {
	for name := range h {
		if len(name) >= len(policies.AttributionField) &&
			strings.EqualFold(strings.ReplaceAll(name[:len(policies.AttributionField)], "_", "-"), policies.AttributionField) {
			delete(h, name)
		}
	}
}

// withoutOwnTrailers does so with what comes after a body. Some of it is announced; what is
// not is known once the body has been read.
func withoutOwnTrailers(r *http.Request) {
	if r.Body == nil || r.Trailer == nil && r.ContentLength >= 0 {
		return
	}
	withoutOwnFields(r.Trailer)
	r.Body = &guardedBody{ReadCloser: r.Body, r: r}
}

// guardedBody has none of the edge's own fields in its trailer.
type guardedBody struct {
	io.ReadCloser
	r *http.Request
}

// Read implements io.Reader.
func (b *guardedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		withoutOwnFields(b.r.Trailer)
	}
	return n, err
}

// notOfConnection has no client say that fields whose names begin so end here (RFC 9110
// §7.6.1): the app would not be told, and the record would say that it was.
func notOfConnection(h http.Header, prefix string) {
	lines := h["Connection"]
	if len(lines) == 0 {
		return
	}
	var kept []string
	for option := range strings.SplitSeq(strings.Join(lines, ","), ",") {
		option = strings.TrimSpace(option)
		if len(option) < len(prefix) || !strings.EqualFold(option[:len(prefix)], prefix) {
			kept = append(kept, option)
		}
	}
	h["Connection"] = []string{strings.Join(kept, ", ")}
}

// cookieLine is a cookie of the edge's own, as the client sent it.
type cookieLine struct{ name, value string }

// takeCookies takes the named cookies out of the request.
func takeCookies(h http.Header, names ...string) (taken []cookieLine) {
	lines := h["Cookie"]
	for i, line := range lines {
		if !strings.Contains(line, policies.AttributionCookiePlain) {
			continue
		}
		var left []string
		found := false
		for pair := range strings.SplitSeq(line, ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
			own := false
			for _, n := range names {
				own = own || strings.TrimSpace(name) == n
			}
			if own {
				taken = append(taken, cookieLine{strings.TrimSpace(name), strings.TrimSpace(value)})
				found = true
				continue
			}
			left = append(left, strings.TrimSpace(pair))
		}
		if found {
			lines[i] = strings.Join(left, "; ")
		}
	}
	if len(taken) > 0 {
		kept := lines[:0:0]
		for _, line := range lines {
			if line != "" {
				kept = append(kept, line)
			}
		}
		if h["Cookie"] = kept; len(kept) == 0 {
			delete(h, "Cookie")
		}
	}
	return taken
}

// cookieName is the name that is believed of a request of this scheme.
func cookieName(scheme string) string {
	if scheme == "https" {
		return policies.AttributionCookie
	}
	return policies.AttributionCookiePlain
}

// carried is what the visitor's cookie says. Of several with the right name, one may have
// been put there by a subdomain, and none is believed.
func (x *exchange) carried(lines []cookieLine) (attribution.Touch, attribution.Problem) {
	var value string
	count := 0
	for _, line := range lines {
		if line.name == cookieName(x.req.Scheme) {
			value, count = line.value, count+1
		}
	}
	if count == 0 {
		return attribution.Touch{}, ""
	}
	if count > 1 {
		return attribution.Touch{}, attribution.Ambiguous
	}
	codec := x.h.attributing.cookies.codec()
	if codec == nil {
		return attribution.Touch{}, attribution.NoKeys
	}
	touch, _, problem := codec.Open(value, x.req.Host, x.started)
	return touch, problem
}

// sentBy is what a request's own URL and Referer say of who sent the visitor.
type sentBy struct {
	attribution.Touch
	problem attribution.Problem
}

func (v *sentBy) saysNothing() bool { return len(v.Values) == 0 && v.Referer == "" }

func (x *exchange) came(a *policies.CompiledAttribution) (v sentBy) {
	referer := ""
	if a.Referer != "" {
		referer = x.r.Header.Get("Referer")
	}
	v.Touch, v.problem = attribution.Read(x.req.RawQuery, referer, x.req.Host, a.Takes, a.Referer == policies.RefererFull, a.IsPaid, x.started)
	return v
}

// tell notes for the record what the visit said.
func (x *exchange) tell(v *sentBy) {
	x.attributed.Referer = v.Referer
	x.attributed.Params = nil
	for _, value := range v.Values {
		x.attributed.Params = append(x.attributed.Params, value.Name)
	}
}

// land has a landing carried, if it is one.
func (x *exchange) land(a *policies.CompiledAttribution, have attribution.Touch, came sentBy, carries bool) {
	consented := a.Consented(x.r.Header["Cookie"])
	if carries && !consented {
		x.w = &carrier{ResponseWriterWrapper: wrap(x.w), x: x, clear: true}
	}
	if x.r.Method != http.MethodGet {
		return
	}
	if came.problem == "" && came.saysNothing() {
		return
	}
	x.tell(&came)
	out := &x.attributed
	switch {
	case came.problem != "":
		out.LeftOut = string(came.problem)
	case x.probe != nil:
		out.LeftOut = string(attribution.NotCountedProbe)
	case attribution.Prefetch(x.r.Header):
		out.LeftOut = string(attribution.NotCountedPrefetch)
	case attribution.Crawler(strings.Join(x.r.Header["User-Agent"], " ")):
		out.LeftOut = string(attribution.NotCountedCrawler)
	case !consented:
		out.LeftOut = string(attribution.NoConsent)
	}
	if out.LeftOut != "" {
		return
	}
	touch := came.Touch
	out.Landing, out.Paid, out.Model = touch.Landing, touch.Paid, string(a.Model)
	c := &carrier{ResponseWriterWrapper: wrap(x.w), x: x, rule: a, touch: touch}
	if a.Carry != policies.CarryBeacon {
		c.counts, c.changed = attribution.Merge(string(a.Model), have, touch, time.Duration(a.Window), x.started)
	}
	x.w = c
}

// unanswered notes that nothing went out with which the visit could have been carried: the
// page of an error is written by others.
func (x *exchange) unanswered() {
	if a := &x.attributed; a.Landing != "" && a.Carried == "" && a.LeftOut == "" && !a.BeaconLost {
		a.LeftOut = string(attribution.NotAnswered)
	}
}

func wrap(w http.ResponseWriter) *caddyhttp.ResponseWriterWrapper {
	return &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}
}

// deliver puts on the visitor's own request who sent them.
func (x *exchange) deliver(a *policies.CompiledAttribution, have attribution.Touch, own sentBy) bool {
	touch := have
	if own.problem == "" && !own.saysNothing() {
		touch, _ = attribution.Merge(string(a.Model), have, own.Touch, time.Duration(a.Window), x.started)
		x.tell(&own)
		x.receiver = a
	}
	if a.Deliver.As == policies.AsCookie {
		touch.Values = x.asCookies(touch.Values)
	}
	if len(touch.Values) == 0 && (touch.Referer == "" || a.Deliver.As != policies.AsHeader) {
		return false
	}
	if !a.Consented(x.r.Header["Cookie"]) {
		x.attributed.Withheld = string(attribution.NoConsent)
		return false
	}
	switch a.Deliver.As {
	case policies.AsQuery:
		setQuery(x.r, attribution.AddQuery(attribution.StripQuery(x.r.URL.RawQuery, a.Takes), touch))
	case policies.AsCookie:
		notOfConnection(x.r.Header, "Cookie")
		attribution.AddCookies(x.r.Header, touch)
	default:
		h := x.r.Header
		notOfConnection(h, policies.AttributionField)
		h[policies.AttributionField] = []string{attribution.Form(touch)}
		h[policies.AttributionAtField] = []string{touch.At.UTC().Format(time.RFC3339)}
		h[policies.AttributionLandingField] = []string{touch.Landing}
		if touch.Referer != "" {
			h[policies.AttributionRefererField] = []string{touch.Referer}
		}
	}
	out := &x.attributed
	out.Delivered, out.As, out.Landed = touch.Landing, string(a.Deliver.As), touch.At
	return true
}

// asCookies are those of the values that may be cookies. Another route, or another handler of
// the host, may have carried one whose name is here that of a session: whoever makes a link
// would choose who its visitor is.
func (x *exchange) asCookies(values []attribution.Value) (kept []attribution.Value) {
	for _, v := range values {
		if x.h.policy.AsCookie(x.rule, v.Name) {
			kept = append(kept, v)
		}
	}
	return kept
}

// setQuery changes the URL as the rewrite handler does, in place.
func setQuery(r *http.Request, query string) {
	if query == r.URL.RawQuery {
		return
	}
	r.URL.RawQuery, r.URL.ForceQuery = query, false
	r.RequestURI = r.URL.RequestURI()
}
