package policies

import (
	"fmt"
	"slices"
	"strconv"
)

func (d *decoder) policy(n *node) *Policy {
	p := new(Policy)
	d.placed("", n.pos)
	d.object(n, "", "a policy",
		member{"version", d.integer(&p.Version, "the version, 1")},
		member{"mode", word(d, &p.Mode, "a mode")},
		member{"default", word(d, &p.Default, "never or origin")},
		member{"ambiguous", word(d, &p.Ambiguous, "bypass or deny")},
		member{"on_leak", word(d, &p.OnLeak, "trip or warn")},
		member{"identity", d.identity(&p.Identity)},
		member{"downstream", d.cdn(&p.Downstream)},
		member{"routes", func(n *node, path string) {
			p.Routes = slices.Grow(p.Routes, len(n.items))
			each(d, n, path, "a list of routes", func(item *node, path string) {
				p.Routes = append(p.Routes, d.route(item, path))
			})
		}},
	)
	p.source = d.source
	return p
}

// routeDecoder reads routes, one after the other. What it reads them with is made once.
type routeDecoder struct {
	route   Route // the one being read
	members []member
	source  positions // room for the places of its fields
}

// route reads a route. Its fields are known by the route's name from here on, and
// their places are the route's own, so that routes can move between policies.
func (d *decoder) route(n *node, path string) Route {
	if d.routes == nil {
		d.routes = d.routeDecoder()
	}
	o := d.routes
	outer, outerPrefix := d.source, d.prefix
	d.source, d.prefix = o.source[:0], path
	if name := n.get("name"); name != nil && name.form == formText && routeName(name.text) {
		d.prefix = "routes." + name.text
	}
	o.route = Route{}
	d.placed("", n.pos)
	d.object(n, "", "a route", o.members...)
	o.route.source, o.source = slices.Clone(d.source), d.source
	d.source, d.prefix = outer, outerPrefix
	return o.route
}

func (d *decoder) routeDecoder() *routeDecoder {
	o := new(routeDecoder)
	o.members = []member{
		{"name", word(d, &o.route.Name, "a name")},
		{"match", d.match(&o.route.Match)},
		{"cache", d.cache(&o.route.Cache)},
		{"params", d.inputs(&o.route.Params)},
		{"cookies", d.inputs(&o.route.Cookies)},
		{"headers", d.headers(&o.route.Headers)},
		{"attribution", d.attribution(&o.route.Attribution)},
		{"admission", d.choice(&o.route.Admission, "corroborated or once")},
		{"set_cookie", d.choice(&o.route.SetCookie, "refuse or strip")},
		{"downstream", d.downstream(&o.route.Downstream)},
		{"heuristic", word(d, &o.route.Heuristic, "on or off")},
		{"error_ttl", func(n *node, path string) {
			o.route.ErrorTTL = new(Duration)
			d.duration(o.route.ErrorTTL, true)(n, path)
		}},
		{"targeted", d.targeted(&o.route.Targeted)},
		{"authorization", d.choice(&o.route.Authorization, "bypass or rfc9111")},
		{"address", d.choice(&o.route.Address, "strip or forward")},
		{"request_directives", word(d, &o.route.RequestDirectives, "obey or ignore")},
		{"vouch", d.vouch(&o.route.Vouch)},
		{"inspect", d.choice(&o.route.Inspect, "on or off")},
		{"ignore", d.ignore(&o.route.Ignore)},
		{"tolerate", d.tolerate(&o.route.Tolerate)},
		{"recheck", d.share(&o.route.Recheck)},
		{"mode", word(d, &o.route.Mode, "a mode")},
		{"ambiguous", word(d, &o.route.Ambiguous, "bypass or deny")},
		{"on_leak", word(d, &o.route.OnLeak, "trip or warn")},
		{"identity", d.identity(&o.route.Identity)},
	}
	return o
}

func (d *decoder) identity(into **Identity) reader {
	return func(n *node, path string) {
		id := new(Identity)
		*into = id
		d.object(n, path, "cookies and headers",
			member{"cookies", d.words(&id.Cookies, "cookie name")},
			member{"headers", d.words(&id.Headers, "header name")},
		)
	}
}

func (d *decoder) match(into *Match) reader {
	return func(n *node, path string) {
		d.object(n, path, "hosts, paths and methods",
			member{"hosts", d.words(&into.Hosts, "host")},
			member{"paths", d.words(&into.Paths, "path")},
			member{"methods", d.words(&into.Methods, "method")},
		)
	}
}

// cache reads never, origin, a duration, or an object with ttl, which is itself a
// duration or origin.
func (d *decoder) cache(into *Cache) reader {
	return func(n *node, path string) {
		if n.kind == mapping {
			d.cacheObject(n, path, into)
			return
		}
		text, ok := d.text(n, path, "never, origin, a duration, or an object with ttl")
		if !ok {
			return
		}
		if kind := CacheKind(text); kind == CacheNever || kind == CacheOrigin {
			into.Kind = kind
			return
		}
		if near := nearest(text, []CacheKind{CacheNever, CacheOrigin}); near != "" {
			d.fault(n.pos, path, fmt.Sprintf("%q is not never, origin or a duration", text), fmt.Sprintf("did you mean %q?", near))
			return
		}
		into.Kind = CacheTTL
		d.duration(&into.TTL, false)(n, path)
	}
}

func (d *decoder) cacheObject(n *node, path string, into *Cache) {
	into.Kind = CacheTTL
	d.object(n, path, "cache",
		member{"ttl", d.cacheTTL(into)},
		member{"stale_while_revalidate", d.duration(&into.StaleWhileRevalidate, false)},
		member{"stale_if_error", d.duration(&into.StaleIfError, false)},
		member{"statuses", d.statuses(&into.Statuses)},
	)
	if n.get("ttl") == nil {
		d.fault(n.pos, path, "ttl is missing", "write for how long a response with status 200 may be shared, or origin")
	}
}

// cacheTTL reads a duration, or origin.
func (d *decoder) cacheTTL(into *Cache) reader {
	return func(n *node, path string) {
		if n.kind == scalar && n.form == formText {
			if n.text == string(CacheOrigin) {
				into.Kind = CacheOrigin
				return
			}
			if d.nearWord(n, path, CacheOrigin) {
				return
			}
		}
		d.duration(&into.TTL, false)(n, path)
	}
}

// nearWord reports text that is neither the word nor a duration, but close to the
// word.
func (d *decoder) nearWord(n *node, path string, word CacheKind) bool {
	near := nearest(n.text, []CacheKind{word})
	if near != "" {
		d.fault(n.pos, path, fmt.Sprintf("%q is not %s or a duration", n.text, word), fmt.Sprintf("did you mean %q?", near))
	}
	return near != ""
}

// statuses reads a mapping of statuses to durations.
func (d *decoder) statuses(into *map[int]Duration) reader {
	return func(n *node, path string) {
		if n.kind != mapping || len(n.fields) == 0 {
			d.expected(n, path, `statuses and their durations, such as 404: 10s`)
			return
		}
		*into = make(map[int]Duration, len(n.fields))
		for i, f := range n.fields {
			at := d.join(path, f.key)
			status, err := strconv.Atoi(f.key)
			if err != nil || strconv.Itoa(status) != f.key || status < 100 || status > 999 {
				d.fault(f.pos, path, fmt.Sprintf("%q is not a status", f.key), "write a number such as 404")
				continue
			}
			if d.repeated(n, i, path) {
				continue
			}
			d.placed(at, f.pos)
			var lifetime Duration
			d.duration(&lifetime, false)(f.value, at)
			(*into)[status] = lifetime
		}
	}
}

func (d *decoder) inputs(into **Inputs) reader {
	return func(n *node, path string) {
		in := new(Inputs)
		*into = in
		d.object(n, path, "names by verb",
			member{"key", d.words(&in.Key, "name")},
			member{"strip", d.words(&in.Strip, "name")},
			member{"bypass", d.words(&in.Bypass, "name")},
			member{"deny", d.words(&in.Deny, "name")},
			member{"others", word(d, &in.Others, "a verb")},
			member{"plain", d.words(&in.Plain, "name")},
		)
	}
}

func (d *decoder) headers(into **HeaderInputs) reader {
	return func(n *node, path string) {
		in := new(HeaderInputs)
		*into = in
		d.object(n, path, "header names by verb",
			member{"key", d.headerKeys(&in.Key)},
			member{"strip", d.words(&in.Strip, "header name")},
			member{"bypass", d.words(&in.Bypass, "header name")},
			member{"deny", d.words(&in.Deny, "header name")},
			member{"vary", d.words(&in.Vary, "header name")},
			member{"forward", d.headerForwards(&in.Forward)},
			member{"others", word(d, &in.Others, "a verb")},
		)
	}
}

// headerKeys reads names, or objects with name and values.
func (d *decoder) headerKeys(into *[]HeaderKey) reader {
	return func(n *node, path string) {
		each(d, n, path, "a list of headers", func(item *node, path string) {
			var key HeaderKey
			if item.kind == mapping {
				d.object(item, path, "a header",
					member{"name", word(d, &key.Name, "a header name")},
					member{"values", d.words(&key.Values, "value")},
				)
				d.required(item, path, "name")
			} else {
				word(d, &key.Name, "a header name, or an object with name and values")(item, path)
			}
			*into = append(*into, key)
		})
	}
}

// headerForwards reads objects with name and reason. A name alone is read as well,
// so that the missing reason is reported as just that.
func (d *decoder) headerForwards(into *[]HeaderForward) reader {
	return func(n *node, path string) {
		each(d, n, path, "a list of headers", func(item *node, path string) {
			var forward HeaderForward
			if item.kind == mapping {
				d.object(item, path, "a header",
					member{"name", word(d, &forward.Name, "a header name")},
					member{"reason", word(d, &forward.Reason, "a reason")},
				)
				d.required(item, path, "name")
			} else {
				word(d, &forward.Name, "an object with name and reason")(item, path)
			}
			*into = append(*into, forward)
		})
	}
}

// choice reads a rule, or an object with rule and reason.
func (d *decoder) choice(into **Choice, what string) reader {
	return func(n *node, path string) {
		c := new(Choice)
		*into = c
		if n.kind != mapping {
			word(d, &c.Rule, what)(n, path)
			return
		}
		d.object(n, path, what,
			member{"rule", word(d, &c.Rule, what)},
			member{"reason", word(d, &c.Reason, "a reason")},
		)
		d.required(n, path, "rule")
	}
}

// targeted reads fields and their order.
func (d *decoder) targeted(into **Targeted) reader {
	return func(n *node, path string) {
		t := new(Targeted)
		*into = t
		d.object(n, path, "fields and order",
			member{"fields", d.words(&t.Fields, "field name")},
			member{"order", word(d, &t.Order, "an order")},
		)
	}
}

// vouch reads fields and the reason.
func (d *decoder) vouch(into **Vouch) reader {
	return func(n *node, path string) {
		v := new(Vouch)
		*into = v
		d.object(n, path, "fields and reason",
			member{"fields", d.words(&v.Fields, "field name")},
			member{"reason", word(d, &v.Reason, "a reason")},
		)
	}
}

// ignore reads a list of declared differences.
func (d *decoder) ignore(into *[]Harmless) reader {
	return func(n *node, path string) {
		each(d, n, path, "a list of places that may differ", func(item *node, path string) {
			var h Harmless
			d.object(item, path, "html, json or header, matching and reason",
				member{"html", word(d, &h.HTML, "a place in HTML")},
				member{"json", word(d, &h.JSON, "a path of JSON")},
				member{"header", word(d, &h.Header, "a field name")},
				member{"matching", word(d, &h.Matching, "a glob")},
				member{"reason", word(d, &h.Reason, "a reason")},
			)
			*into = append(*into, h)
		})
	}
}

// tolerate reads a list of detectors and the reasons.
func (d *decoder) tolerate(into *[]Tolerance) reader {
	return func(n *node, path string) {
		each(d, n, path, "a list of detectors", func(item *node, path string) {
			var t Tolerance
			d.object(item, path, "detector and reason",
				member{"detector", word(d, &t.Detector, "the id of a detector")},
				member{"reason", word(d, &t.Reason, "a reason")},
			)
			*into = append(*into, t)
		})
	}
}

// share reads a part of a whole.
func (d *decoder) share(into *Share) reader {
	return func(n *node, path string) {
		if n.kind != scalar || n.form != formText {
			d.expected(n, path, "a share such as 1%")
			return
		}
		value, err := ParseShare(n.text)
		if err != nil {
			d.fault(n.pos, path, err.Error(), "")
			return
		}
		*into = value
	}
}

// cdn reads the policy's own downstream.
func (d *decoder) cdn(into **CDN) reader {
	return func(n *node, path string) {
		cdn := new(CDN)
		*into = cdn
		d.object(n, path, "an object with profile; for how long is said on a route",
			member{"profile", word(d, &cdn.Profile, "a profile")},
			member{"tag_header", word(d, &cdn.TagHeader, "the name of a field")},
		)
		if n.kind == mapping {
			d.required(n, path, "profile")
		}
	}
}

// downstream reads origin, a duration, or an object with ttl.
func (d *decoder) downstream(into **Downstream) reader {
	return func(n *node, path string) {
		down := new(Downstream)
		*into = down
		if n.kind != mapping {
			d.downstreamWord(n, path, down)
			return
		}
		d.object(n, path, "downstream",
			member{"ttl", d.duration(&down.TTL, false)},
			member{"browser", d.duration(&down.Browser, true)},
			member{"profile", word(d, &down.Profile, "a profile")},
			member{"tag_header", word(d, &down.TagHeader, "the name of a field")},
		)
		if down.Profile == ProfileOrigin && n.get("ttl") == nil {
			d.fault(n.pos, path, "ttl is missing", "write downstream: origin, if what the origin says is to be passed on")
			return
		}
		d.required(n, path, "ttl")
	}
}

func (d *decoder) downstreamWord(n *node, path string, down *Downstream) {
	if n.kind == scalar && n.form == formText {
		if n.text == ProfileOrigin {
			down.Profile = ProfileOrigin
			return
		}
		if d.nearWord(n, path, ProfileOrigin) {
			return
		}
	}
	d.duration(&down.TTL, false)(n, path)
}

// required reports a key without which the object means nothing.
func (d *decoder) required(n *node, path, key string) {
	if n.get(key) == nil {
		d.fault(n.pos, path, key+" is missing", "")
	}
}
