package policies

import (
	"fmt"
	"strings"
	"time"

	"pgregory.net/rapid"
)

// policyGenerator draws valid policies.
func policyGenerator() *rapid.Generator[*Policy] {
	return rapid.Custom(func(t *rapid.T) *Policy {
		p := &Policy{
			Version:   rapid.SampledFrom([]int{0, 1}).Draw(t, "version"),
			Mode:      rapid.SampledFrom([]Mode{"", Enforce, Observe}).Draw(t, "mode"),
			Default:   rapid.SampledFrom([]CacheKind{"", CacheNever, CacheOrigin}).Draw(t, "default"),
			Ambiguous: rapid.SampledFrom([]Verb{"", Bypass, Deny}).Draw(t, "ambiguous"),
			OnLeak:    rapid.SampledFrom([]LeakAnswer{"", LeakTrip, LeakWarn}).Draw(t, "on leak"),
			Identity:  drawIdentity(t),
		}
		p.Downstream = drawCDN(t)
		for i := range rapid.IntRange(0, 3).Draw(t, "routes") {
			p.Routes = append(p.Routes, drawRoute(t, fmt.Sprintf("r%d-%s", i, rapid.StringMatching(`[a-z0-9_-]{0,8}`).Draw(t, "name"))))
		}
		return p
	})
}

func drawIdentity(t *rapid.T) *Identity {
	if rapid.Bool().Draw(t, "no identity") {
		return nil
	}
	return &Identity{
		Cookies: drawSome(t, []string{"id_session", "id_remember_*"}),
		Headers: append(drawSome(t, []string{"X-Id-Key"}), "X-Id-*"),
	}
}

func drawCDN(t *rapid.T) *CDN {
	if rapid.Bool().Draw(t, "no CDN") {
		return nil
	}
	cdn := &CDN{Profile: rapid.SampledFrom(ProfileNames()).Draw(t, "CDN")}
	if cdn.Profile == "cloudfront" && rapid.Bool().Draw(t, "tags") {
		cdn.TagHeader = "cache-TAG"
	}
	return cdn
}

func drawSome(t *rapid.T, all []string) []string {
	var out []string
	for _, item := range all {
		if rapid.Bool().Draw(t, item) {
			out = append(out, item)
		}
	}
	return out
}

func drawDuration(t *rapid.T) Duration {
	return Duration(time.Duration(rapid.Int64Range(1, 1e10).Draw(t, "milliseconds")) * time.Millisecond)
}

func drawRoute(t *rapid.T, name string) Route {
	r := Route{Name: name, Cache: drawCache(t)}
	r.Match.Hosts = drawSome(t, []string{"hapitas.example", "*.Hapitas.example:8443", "[2001:db8::1]", "xn--r8jz45g.example"})
	r.Match.Paths = append(drawSome(t, []string{"/register/lp", "/検索/*", "*.css", "/a b/'c'", "/100%"}), "/**/x")
	r.Match.Methods = drawSome(t, []string{"HEAD", "POST"})
	if len(r.Match.Methods) > 0 {
		r.Match.Methods = append(r.Match.Methods, "GET")
	}
	r.Mode = rapid.SampledFrom([]Mode{"", Enforce, Observe}).Draw(t, "mode")
	r.Ambiguous = rapid.SampledFrom([]Verb{"", Bypass, Deny}).Draw(t, "ambiguous")
	r.Identity = drawIdentity(t)
	never := r.Cache.Kind == CacheNever
	r.Params = drawInputs(t, "params", kindParam, never)
	r.Cookies = drawInputs(t, "cookies", kindCookie, never)
	r.Headers = drawHeaders(t, r.Cache.Kind)
	r.Attribution = drawAttribution(t)
	if r.Attribution != nil && r.Cookies != nil && r.Cookies.Others == Deny {
		r.Attribution.Consent = nil
	}
	if never {
		return r
	}
	r.OnLeak = rapid.SampledFrom([]LeakAnswer{"", LeakTrip, LeakWarn}).Draw(t, "on leak")
	keyedCookies := r.Cookies != nil && (len(r.Cookies.Key) > 0 || r.Cookies.Others == Key)
	if !keyedCookies && rapid.Bool().Draw(t, "downstream") {
		r.Downstream = &Downstream{TTL: drawDuration(t)}
		if rapid.Bool().Draw(t, "browser") {
			r.Downstream.Browser = drawDuration(t)
		}
		if cdn := drawCDN(t); cdn != nil {
			r.Downstream.Profile, r.Downstream.TagHeader = cdn.Profile, cdn.TagHeader
		}
	}
	reason := rapid.SampledFrom([]string{"the load balancer's cookie", `say "why" # {`}).Draw(t, "reason")
	r.RequestDirectives = rapid.SampledFrom([]Obedience{"", Obey, Ignore}).Draw(t, "request directives")
	switch rapid.IntRange(0, 4).Draw(t, "choices") {
	case 0:
		r.Admission = &Choice{Rule: Corroborated}
	case 1:
		r.Admission = &Choice{Rule: Once, Reason: reason}
	case 2:
		r.SetCookie = &Choice{Rule: RefuseCookie}
	case 3:
		r.SetCookie = &Choice{Rule: StripCookie, Reason: reason}
	}
	if r.Cache.Kind == CacheOrigin {
		drawOrigin(t, &r, reason, keyedCookies)
	}
	drawInspected(t, &r, reason)
	return r
}

// drawInspected draws what is looked for in bodies, and what is not.
func drawInspected(t *rapid.T, r *Route, reason string) {
	switch rapid.IntRange(0, 2).Draw(t, "inspect") {
	case 1:
		r.Inspect = &Choice{Rule: InspectOn}
	case 2:
		r.Inspect = &Choice{Rule: InspectOff, Reason: reason}
	}
	if rapid.Bool().Draw(t, "recheck") {
		r.Recheck = Share(float64(rapid.IntRange(1, shareUnit).Draw(t, "units")) / shareUnit)
	}
	if corroborates(r) || r.Recheck != 0 {
		for i, h := range []Harmless{
			{HTML: "comment", Matching: "generated at *"},
			{HTML: "meta[name=generated] content"},
			{HTML: "span#stamp", Matching: "*"},
			{JSON: "$.items[*]['rendered at'][0]"},
			{Header: "X-Node", Matching: "web-??"},
			{Header: "x-build"},
		} {
			if rapid.Bool().Draw(t, fmt.Sprint("ignore ", i)) {
				h.Reason = reason
				r.Ignore = append(r.Ignore, h)
			}
		}
	}
	if inspects(r) {
		for _, id := range drawSome(t, DetectorIDs()[:3]) {
			r.Tolerate = append(r.Tolerate, Tolerance{Detector: id, Reason: reason})
		}
	}
}

// drawOrigin draws what is for cache: origin routes only.
func drawOrigin(t *rapid.T, r *Route, reason string, keyedCookies bool) {
	r.Heuristic = rapid.SampledFrom([]Switch{"", On, Off}).Draw(t, "heuristic")
	if rapid.Bool().Draw(t, "error_ttl") {
		r.ErrorTTL = new(Duration)
		*r.ErrorTTL = Duration(time.Duration(rapid.Int64Range(0, 60_000).Draw(t, "milliseconds")) * time.Millisecond)
	}
	if rapid.Bool().Draw(t, "targeted") {
		r.Targeted = &Targeted{
			Fields: append(drawSome(t, []string{"cdn-Cache-Control", "X-Cache-Control"}), "Hapitas-Cache-Control"),
			Order:  rapid.SampledFrom([]string{"", RefusalFirst, TargetFirst}).Draw(t, "order"),
		}
		if r.Targeted.Order != "" && rapid.Bool().Draw(t, "order alone") {
			r.Targeted.Fields = nil
		}
	}
	strips := r.SetCookie != nil && r.SetCookie.Rule == StripCookie
	if !keyedCookies && !strips && rapid.Bool().Draw(t, "relay") {
		r.Downstream = &Downstream{Profile: ProfileOrigin}
	}
	switch once := !corroborates(r); rapid.IntRange(0, 2).Draw(t, "persons") {
	case 1:
		r.Authorization, r.Address = &Choice{Rule: AuthorizationBypass}, &Choice{Rule: AddressStrip}
	case 2:
		if once {
			r.Authorization = &Choice{Rule: AuthorizationRFC9111, Reason: reason}
			r.Address = &Choice{Rule: AddressForward, Reason: reason}
		}
	}
	if !corroborates(r) && rapid.Bool().Draw(t, "vouch") {
		r.Vouch = &Vouch{Fields: append(drawSome(t, []string{"Clear-Site-Data", "content-range", "1"}), "Refresh"), Reason: reason}
	}
}

func drawCache(t *rapid.T) Cache {
	kind := rapid.SampledFrom([]CacheKind{CacheNever, CacheOrigin, CacheTTL}).Draw(t, "cache")
	c := Cache{Kind: kind}
	switch kind {
	case CacheNever:
		return c
	case CacheTTL:
		c.TTL = drawDuration(t)
	}
	if rapid.Bool().Draw(t, "stale") {
		c.StaleWhileRevalidate, c.StaleIfError = drawDuration(t), drawDuration(t)
	}
	for _, status := range shareableStatuses {
		if rapid.IntRange(0, 9).Draw(t, "status") == 0 {
			if c.Statuses == nil {
				c.Statuses = make(map[int]Duration)
			}
			c.Statuses[status] = drawDuration(t)
		}
	}
	return c
}

// drawNames gives every name at most one verb.
func drawNames(t *rapid.T, label string, kind listKind, verbs ...*[]string) {
	pool := []string{"ref", "source", "true", "1", "no", "null", "a.b", "utm_*", "*_id", "x*y*z", "-"}
	switch kind {
	case kindParam:
		pool = append(pool, "filter[a]", "a%20b", "@analytics", "it's")
	case kindCookie:
		pool = append(pool, "Ref", "@analytics", "a:b")
	case kindHeader:
		pool = []string{"X-Plan", "x-lower", "X-Ab-*", "Accept-Language", "Referer", "1", "true"}
	}
	for _, name := range pool {
		if i := rapid.IntRange(0, 2*len(verbs)).Draw(t, label+" "+name); i < len(verbs) {
			*verbs[i] = append(*verbs[i], name)
		}
	}
}

func drawInputs(t *rapid.T, label string, kind listKind, never bool) *Inputs {
	if rapid.Bool().Draw(t, "no "+label) {
		return nil
	}
	in := new(Inputs)
	if never {
		drawNames(t, label, kind, &in.Bypass, &in.Deny)
		in.Others = rapid.SampledFrom([]Verb{"", Bypass, Deny}).Draw(t, "others")
	} else {
		drawNames(t, label, kind, &in.Key, &in.Strip, &in.Bypass, &in.Deny)
		in.Others = rapid.SampledFrom([]Verb{"", Key, Strip, Bypass, Deny}).Draw(t, "others")
	}
	in.Plain = drawSome(t, []string{"ref", "utm_*"})
	if len(in.Key)+len(in.Strip)+len(in.Bypass)+len(in.Deny)+len(in.Plain)+len(in.Others) == 0 {
		return nil // the Caddyfile cannot spell an empty block of inputs
	}
	return in
}

func drawHeaders(t *rapid.T, kind CacheKind) *HeaderInputs {
	if rapid.Bool().Draw(t, "no headers") {
		return nil
	}
	h := new(HeaderInputs)
	var key, forward, vary []string
	h.Others = rapid.SampledFrom([]Verb{"", Bypass}).Draw(t, "others")
	switch kind {
	case CacheNever:
		drawNames(t, "headers", kindHeader, &h.Bypass, &h.Deny)
	case CacheOrigin:
		drawNames(t, "headers", kindHeader, &key, &h.Strip, &h.Bypass, &h.Deny, &forward, &vary)
		h.Others = rapid.SampledFrom([]Verb{"", Strip, Bypass, Vary}).Draw(t, "others")
	default:
		drawNames(t, "headers", kindHeader, &key, &h.Strip, &h.Bypass, &h.Deny, &forward)
		h.Others = rapid.SampledFrom([]Verb{"", Strip, Bypass}).Draw(t, "others")
	}
	h.Vary = vary
	for _, name := range key {
		k := HeaderKey{Name: name}
		if !strings.Contains(name, "*") {
			k.Values = drawSome(t, []string{"ja", "en", "text/html; q=1"})
		}
		h.Key = append(h.Key, k)
	}
	for _, name := range forward {
		if !strings.Contains(name, "*") {
			h.Forward = append(h.Forward, HeaderForward{Name: name, Reason: "links the app's traces"})
		}
	}
	if len(h.Key)+len(h.Strip)+len(h.Bypass)+len(h.Deny)+len(h.Vary)+len(h.Forward)+len(h.Others) == 0 {
		return nil
	}
	return h
}
