package policies

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// headerClass is what the built-in lists say of request headers. A route's own
// declaration of a name always comes first.
type headerClass struct {
	verb   Verb
	reason Reason
	names  []string // exact, or ending with *
}

// builtinVersion is part of every rule's digest: objects that were stored under
// other built-in lists are not served.
const builtinVersion = 1

var builtinHeaders = []headerClass{
	// Credentials. What a signed-in visitor gets is theirs (attacks 3.1).
	{Bypass, ReasonAuthorization, []string{"Authorization", "Proxy-Authorization"}},
	{Bypass, ReasonIdentity, []string{
		"X-Api-Key", "Api-Key", "X-Auth-*", "X-Access-Token", "X-Id-Token", "X-Amz-Security-Token", "X-Csrf-Token",
		"X-Xsrf-Token", "X-Csrftoken", "X-Session-*", "X-Forwarded-User", "X-Forwarded-Email", "X-Forwarded-Groups",
		"X-Forwarded-Preferred-Username", "X-Forwarded-Access-Token", "X-Forwarded-Client-Cert", "Client-Cert",
		"Client-Cert-Chain", "X-Client-Cert", "X-Ssl-Client-*", "Remote-User", "Remote-Email", "Remote-Groups",
		"X-Remote-User", "X-User-*", "X-Userid", "X-Webauth-*", "X-Goog-Iap-*", "X-Goog-Authenticated-*",
		"Cf-Access-*", "X-Ms-Client-Principal*", "X-Amzn-Oidc-*", "X-Tenant-*", "Dpop",
	}},
	// Requests for another method, URL or host than the one that is judged
	// (attacks 4.1, 4.2, 7.3).
	{Bypass, ReasonMethodOverride, []string{"X-Http-Method-Override", "X-Http-Method", "X-Method-Override", "X-Method"}},
	{Bypass, ReasonRoutingOverride, []string{
		"X-Original-Url", "X-Rewrite-Url", "X-Override-Url", "X-Forwarded-Uri", "X-Forwarded-Path", "X-Forwarded-Prefix",
		"X-Original-Host", "X-Host", "X-Http-Host-Override",
		"X-Http-Destinationurl", "X-Script-Name", "X-Envoy-Original-Path", "X-Url-Scheme", "X-Proxy-Url", "Destination",
	}},
	// Fragments and data instead of the page (attacks 10).
	{Bypass, ReasonFragment, []string{
		"Hx-*", "Turbo-Frame", "X-Turbo-*", "Turbolinks-*", "X-Inertia*", "X-Pjax*", "X-Requested-With", "Rsc",
		"Next-Router-*", "Next-Url", "Next-Action", "Next-Resume", "X-Nextjs-*", "X-Now-Route-Matches",
		"X-Matched-Path", "X-Invoke-*", "X-Middleware-*", "X-React-Router-*", "X-Remix-*", "X-Sveltekit-*",
		"X-Nuxt-*", "X-Livewire*", "X-Up-*", "X-Alpine-*", "X-Ic-Request", "X-Barba", "X-Swup", "X-Splinter-*",
		"Surrogate-Capability", "X-Esi*", "X-Fragment*", "X-Partial*", "X-Preview*", "X-Ghost-Preview", "X-Draft*",
		"X-Debug*", "X-Cache-Debug", "X-Feature-*", "Prefer", "Accept-Datetime", "Datastar-*", "Service-Worker-Navigation-Preload",
	}},
	{Bypass, ReasonCrossOrigin, []string{"Origin", "Access-Control-*"}},
	// What the cache answers or makes itself, and what is of one connection only.
	{Strip, ReasonNone, []string{
		"Range", "If-*", "Cache-Control", "Pragma", "Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding",
		"Upgrade", "Proxy-Connection", "Http2-Settings", "Expect", "Content-Length", "Content-Type", "Host", "Cookie",
		"Accept-Encoding", "Max-Forwards",
	}},
	// What browsers and honest proxies send with every request. It does not reach
	// the origin on a fill; that it makes no difference is for corroboration to
	// show. These are not counted among `headers: {others: bypass}`.
	{Strip, ReasonNone, browserHeaders},
	{Strip, ReasonNone, []string{
		"Via", "Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port",
		"X-Forwarded-Server", "X-Forwarded-Scheme", "X-Forwarded-Ssl", "Front-End-Https", "X-Real-Ip", "True-Client-Ip", "X-Client-Ip",
		"X-Cluster-Client-Ip", "Cf-*", "Cdn-Loop", "Fastly-*", "X-Amz-Cf-Id", "X-Amzn-Trace-Id", "Cloudfront-*",
		"X-Cloud-Trace-Context", "X-Request-Id", "X-Correlation-Id", "Traceparent", "Tracestate", "Baggage", "X-B3-*",
		"B3", "X-Azure-*", "X-Fd-*", "X-Akamai-*", "Akamai-*", "X-Varnish", "X-Timer", "X-Datadog-*", "Sentry-Trace", "Early-Data",
		"From", "Warning",
	}},
}

// browserHeaders are what `headers: {others: vary}` keys as well.
var browserHeaders = []string{
	"Accept", "Accept-Language", "User-Agent", "Referer", "Dnt", "Sec-*", "Upgrade-Insecure-Requests", "Priority",
	"Purpose", "X-Purpose", "X-Moz", "Save-Data", "Device-Memory", "Downlink", "Ect", "Rtt", "Viewport-Width", "Width",
	"Dpr",
}

// defaultVary are the negotiation fields of cache: origin routes. Accept-Encoding
// is none of them: the store holds identity bytes.
var defaultVary = []string{"Accept", "Accept-Language"}

type headerDisposition struct {
	verb   Verb
	reason Reason
	values []string // declared values of a keyed header
	// declared: by the route or the policy's identity, not by a built-in list
	declared bool
}

// headerTable finds the disposition of a header by its canonical name. It is
// read-only once built, and looking up does not allocate.
type headerTable struct {
	exact    map[string]*headerDisposition
	globs    []headerGlob // declared ones, the strictest first
	prefixes prefixTable  // of the built-in lists
	others   headerDisposition
	// personal: the route keys or varies on a header that makes a visitor a person,
	// or on a glob, of which no Vary can say what it stands for.
	personal bool
	// keyed names the single headers that the route itself keys, ordered. Those that
	// may vary are the origin's to name.
	keyed []string
}

type headerGlob struct {
	nameGlob
	headerDisposition
}

type headerPrefix struct {
	prefix string
	headerDisposition
}

// prefixTable has the prefixes in their order, by their third letter: that of X-Auth- is
// one of many, and the first two are not.
type prefixTable [32][]headerPrefix

// prefixSlot is where the prefixes are that a name of at least three letters may have.
func prefixSlot(name string) int { return int(name[2] & 31) }

func (t *prefixTable) add(p headerPrefix) {
	if len(p.prefix) < 3 {
		panic("policies: a prefix of header names of less than three letters: " + p.prefix)
	}
	slot := prefixSlot(p.prefix)
	t[slot] = append(t[slot], p)
}

// find returns the first prefix of the name, or nil.
func (t *prefixTable) find(name string) *headerPrefix {
	if len(name) < 3 {
		return nil
	}
	prefixes := t[prefixSlot(name)]
	for i := range prefixes {
		if strings.HasPrefix(name, prefixes[i].prefix) {
			return &prefixes[i]
		}
	}
	return nil
}

// headerTables are the tables of one policy, by what they are made of. Thousands of
// routes have but a few of them.
type headerTables map[string]*headerTable

// of returns the table of a route, which has the identity that is in force for it.
func (tables headerTables) of(route *Route) (*headerTable, error) {
	var identity []string
	if route.Identity != nil {
		identity = route.Identity.Headers
	}
	key, err := json.Marshal([]any{route.Headers, identity, route.Cache.Kind, sharesAuthorized(route)})
	if err != nil {
		return nil, err
	}
	t := tables[string(key)]
	if t == nil {
		t = newHeaderTable(route, route.Identity)
		tables[string(key)] = t
	}
	return t, nil
}

// newHeaderTable layers, weakest first: others, the built-in lists, the policy's
// identity, the route's own declarations.
func newHeaderTable(route *Route, identity *Identity) *headerTable {
	in := route.Headers
	if in == nil {
		in = new(HeaderInputs)
	}
	t := &headerTable{exact: make(map[string]*headerDisposition, 128), others: headerDisposition{verb: Strip}}
	switch in.Others {
	case Bypass:
		t.others = headerDisposition{verb: Bypass, reason: ReasonHeaderBypass}
	case Vary:
		t.others = headerDisposition{verb: Vary}
	}
	for _, class := range builtinHeaders {
		for _, name := range class.names {
			d := headerDisposition{verb: class.verb, reason: class.reason}
			if in.Others == Vary && slices.Contains(browserHeaders, name) {
				d = t.others // plain RFC 9111: what Vary may name is sent
			}
			t.builtin(name, d)
		}
	}
	if route.Cache.Kind == CacheOrigin {
		for _, name := range defaultVary {
			t.exact[name] = &headerDisposition{verb: Vary}
		}
	}
	if sharesAuthorized(route) {
		// Not declared: what the route or the identity says of it is stricter.
		t.exact["Authorization"] = &headerDisposition{verb: Forward}
	}
	if identity != nil {
		for _, name := range identity.Headers {
			t.declare(name, headerDisposition{verb: Bypass, reason: ReasonIdentity})
		}
	}
	t.declareAll(in)
	slices.SortStableFunc(t.globs, func(a, b headerGlob) int { return stricter(a.verb, b.verb) })
	t.keyed = t.keyedNames()
	return t
}

func (t *headerTable) builtin(name string, d headerDisposition) {
	if prefix, ok := strings.CutSuffix(name, "*"); ok {
		t.prefixes.add(headerPrefix{prefix, d})
		return
	}
	t.exact[name] = &d
}

func (t *headerTable) declare(pattern string, d headerDisposition) {
	d.declared = true
	if strings.Contains(pattern, "*") {
		t.globs = append(t.globs, headerGlob{newNameGlob(pattern, kindHeader), d})
		return
	}
	t.exact[http.CanonicalHeaderKey(pattern)] = &d
}

func (t *headerTable) declareAll(in *HeaderInputs) {
	t.personal = slices.ContainsFunc(in.Vary, t.isPersonal)
	for _, k := range in.Key {
		t.personal = t.personal || t.isPersonal(k.Name)
		t.declare(k.Name, headerDisposition{verb: Key, values: k.Values})
	}
	for _, f := range in.Forward {
		t.declare(f.Name, headerDisposition{verb: Forward})
	}
	for _, list := range []struct {
		headerDisposition
		names []string
	}{
		{headerDisposition{verb: Strip}, in.Strip},
		{headerDisposition{verb: Vary}, in.Vary},
		{headerDisposition{verb: Bypass, reason: ReasonHeaderBypass}, in.Bypass},
		{headerDisposition{verb: Deny, reason: ReasonDenied}, in.Deny},
	} {
		for _, name := range list.names {
			t.declare(name, list.headerDisposition)
		}
	}
}

// isPersonal is asked of a name before it is declared.
func (t *headerTable) isPersonal(name string) bool {
	return strings.Contains(name, "*") || t.find(http.CanonicalHeaderKey(name)).reason == ReasonIdentity
}

// find returns the disposition of a canonical field name: that of the name if it
// is declared, else of a declared glob, else of a built-in list. A glob that
// strips does not reach what a built-in list guards: who means X-Auth-Token must
// say so. The disposition is the table's own.
func (t *headerTable) find(name string) *headerDisposition {
	d := t.exact[name]
	switch {
	case d == nil:
		d = t.findPrefix(name)
	case d.declared:
		return d
	}
	for i := range t.globs {
		if g := &t.globs[i]; g.match(name) {
			if g.verb == Strip && d.verb == Bypass && d.reason != ReasonHeaderBypass {
				return d
			}
			return &g.headerDisposition
		}
	}
	return d
}

func (t *headerTable) findPrefix(name string) *headerDisposition {
	if p := t.prefixes.find(name); p != nil {
		return &p.headerDisposition
	}
	return &t.others
}

// covers says whether a Vary on name is taken care of: the header is in the key,
// or tells stored variants apart, or no request that has it is served from the store, or the route itself says that
// it is to be stripped.
func (t *headerTable) covers(name string) bool {
	d := t.find(http.CanonicalHeaderKey(name))
	switch d.verb {
	case Key, Vary, Bypass, Deny:
		return true
	case Strip:
		return d.declared
	}
	return false
}

func (t *headerTable) keyedNames() []string {
	var names []string
	for name, d := range t.exact {
		if d.verb == Key {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
