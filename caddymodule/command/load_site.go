package command

import (
	"slices"
	"strconv"
	"strings"

	"github.com/cacheward/cacheward/policies"
	"github.com/cacheward/cacheward/policies/lint"
)

// siteReader makes a lint.Site of a Caddy configuration in JSON, adapted or written by
// hand. Where things stand is the business of its places.
type siteReader struct {
	places places
	// scopeOf returns the number of the scope of a cacheward handler; -1: none.
	scopeOf  func(handler *value, hosts []string) int
	named    *value
	handlers map[*value]lint.Handler
	chains   []lint.Chain
	invoking []string
}

// places tells where things of the JSON are written.
type places interface {
	// site is told of each outermost route of a server before what is in it.
	site(listen, hosts []string, route *value)
	handler(v *value, h lint.Handler) policies.Position
	admin(v *value) policies.Position
}

// maxChains bounds what a server is unfolded to.
const maxChains = 50_000

func (s *siteReader) read(root *value) *lint.Site {
	site := new(lint.Site)
	admin := root.get("admin")
	site.Admin, site.AdminPos = admin.get("listen").str(), s.places.admin(admin)
	if disabled := admin.get("disabled"); disabled != nil && disabled.text == "true" {
		site.Admin = "off"
	}
	s.handlers = make(map[*value]lint.Handler)
	for _, m := range root.get("apps", "http", "servers").object() {
		server := lint.Server{Name: m.key, Listen: m.value.get("listen").strings()}
		s.named, s.chains = m.value.get("named_routes"), nil
		var before []lint.Handler
		for _, route := range m.value.get("routes").list() {
			s.places.site(server.Listen, matchersOf(route).hosts, route)
			after, answered := s.route(route, way{handlers: before})
			if answered && matchersOf(route).all() {
				break
			}
			before = after
		}
		server.Chains = s.chains
		site.Servers = append(site.Servers, server)
	}
	return site
}

// way is how a request came to a route.
type way struct {
	hosts, paths []string
	other        bool
	handlers     []lint.Handler
}

// into is the way into what matchers guard.
func (w way) into(m matchers) way {
	if len(m.hosts) > 0 {
		w.hosts = m.hosts
	}
	if len(m.paths) > 0 {
		w.paths = m.paths
	}
	w.other = w.other || m.other
	return w
}

// routes follows a request through routes, one after the other. It returns the
// handlers that those requests went through which nobody has answered, and whether
// there are none such.
func (s *siteReader) routes(list []*value, w way) ([]lint.Handler, bool) {
	var group string
	start := w.handlers
	for _, route := range list {
		// Of a group only the first route that matches is entered.
		if name := route.get("group").str(); name == "" || name != group {
			group, start = name, w.handlers
		}
		entering := w
		entering.handlers = start
		after, answered := s.route(route, entering)
		if answered && matchersOf(route).all() {
			return nil, true
		}
		w.handlers = append(slices.Clip(w.handlers), after[len(start):]...)
	}
	return w.handlers, false
}

// route follows a request through one route. What it returns are the handlers on the
// way of requests that go on behind it.
func (s *siteReader) route(route *value, w way) (after []lint.Handler, answered bool) {
	if len(s.chains) >= maxChains {
		return w.handlers, false
	}
	m := matchersOf(route)
	inner := w.into(m)
	for _, h := range route.get("handle").list() {
		inner.handlers, answered = s.handler(h, inner)
		if answered {
			break
		}
	}
	if answered || route.get("terminal") != nil && route.get("terminal").text == "true" {
		return w.handlers, true // who was in there does not come here
	}
	// Some of those who come here went through it.
	after = slices.Clip(inner.handlers)
	if !m.all() {
		after = slices.Clone(after)
		for i := len(w.handlers); i < len(after); i++ {
			if after[i].When == "" {
				after[i].When, after[i].WhenPaths = m.String(), m.paths
			}
		}
	}
	return after, false
}

// responders answer each request that comes to them.
var responders = []string{"reverse_proxy", "static_response", "file_server", "error", "acme_server", "metrics", "copy_response"}

func (s *siteReader) handler(v *value, w way) ([]lint.Handler, bool) {
	module := v.get("handler").str()
	switch module {
	case "subroute":
		return s.routes(v.get("routes").list(), w)
	case "invoke":
		name := v.get("name").str()
		route := s.named.get(name)
		if route == nil || slices.Contains(s.invoking, name) {
			return w.handlers, false
		}
		s.invoking = append(s.invoking, name)
		defer func() { s.invoking = s.invoking[:len(s.invoking)-1] }()
		after, answered := s.route(route, w)
		return after, answered && matchersOf(route).all()
	}
	h, known := s.handlers[v]
	if !known {
		h = s.describe(v, w.hosts)
		s.handlers[v] = h
	}
	handlers := append(slices.Clip(w.handlers), h)
	if !slices.Contains(responders, h.Module) || h.Module == "file_server" && v.get("pass_thru") != nil {
		return handlers, false
	}
	s.chains = append(s.chains, lint.Chain{Hosts: w.hosts, Paths: w.paths, Other: w.other, Handlers: handlers})
	return handlers, true
}

// describe says of a handler what rules ask about.
func (s *siteReader) describe(v *value, hosts []string) lint.Handler {
	h := lint.Handler{Module: v.get("handler").str(), Scope: -1}
	switch h.Module {
	case "cacheward":
		h.Scope = s.scopeOf(v, hosts)
	case "reverse_proxy":
		var dials []string
		for _, up := range v.get("upstreams").list() {
			dials = append(dials, up.get("dial").str())
		}
		h.Detail = strings.Join(dials, ", ")
		if asksForPermission(v) {
			h.Module = "forward_auth"
		}
	case "rewrite":
		h.Detail = rewriting(v)
	case "headers":
		h.Changes = append(changes(v.get("request"), true), changes(v.get("response"), false)...)
	}
	h.Pos = s.places.handler(v, h)
	return h
}

// asksForPermission says whether a reverse_proxy is what forward_auth becomes: it asks
// another server, and on its yes the request goes on to the handlers behind.
func asksForPermission(proxy *value) bool {
	if proxy.get("rewrite", "method").str() != "GET" {
		return false
	}
	for _, on := range proxy.get("handle_response").list() {
		if codes := on.get("match", "status_code").list(); len(codes) == 1 && codes[0].text == "2" {
			return true
		}
	}
	return false
}

// rewriting is what a rewrite does to the path; empty if it leaves the path alone or
// takes a fixed part off it, which keeps different paths different.
func rewriting(v *value) string {
	if uri := v.get("uri").str(); uri != "" && !strings.HasPrefix(uri, "?") &&
		!strings.HasPrefix(uri, "{http.request.uri}") && !strings.HasPrefix(uri, "{http.request.uri.path}") &&
		!strings.Contains(uri, "{http.matchers.file.") {
		return uri
	}
	for _, r := range v.get("uri_substring").list() {
		return strconv.Quote(r.get("find").str()) + " replaced by " + strconv.Quote(r.get("replace").str())
	}
	for _, r := range v.get("path_regexp").list() {
		return "what matches " + r.get("find").str() + " replaced by " + strconv.Quote(r.get("replace").str())
	}
	return ""
}

func changes(ops *value, request bool) []lint.Change {
	var out []lint.Change
	deferred := ops.get("require") != nil || ops.get("deferred") != nil && ops.get("deferred").text == "true"
	for _, op := range []string{"add", "set", "replace"} {
		for _, field := range ops.get(op).object() {
			values := strings.Join(field.value.strings(), ", ")
			out = append(out, lint.Change{Request: request, Op: op, Field: field.key, Value: values, Deferred: deferred})
		}
	}
	for _, name := range ops.get("delete").strings() {
		out = append(out, lint.Change{Request: request, Op: "delete", Field: name, Deferred: deferred})
	}
	return out
}

// matchers are those of a route, as far as chains tell of them.
type matchers struct {
	hosts, paths []string
	other        bool
}

// all says whether they match every request.
func (m matchers) all() bool { return len(m.hosts) == 0 && len(m.paths) == 0 && !m.other }

func (m matchers) String() string {
	var parts []string
	if len(m.hosts) > 0 {
		parts = append(parts, "host "+strings.Join(m.hosts, " "))
	}
	if len(m.paths) > 0 {
		parts = append(parts, "path "+strings.Join(m.paths, " "))
	}
	if m.other {
		parts = append(parts, "other matchers")
	}
	return strings.Join(parts, ", ")
}

// matchersOf joins the matcher sets of a route: any of them may let a request in.
func matchersOf(route *value) matchers {
	var m matchers
	anyHost, anyPath := false, false
	for _, set := range route.get("match").list() {
		host, path := set.get("host").strings(), set.get("path").strings()
		anyHost, anyPath = anyHost || len(host) == 0, anyPath || len(path) == 0
		m.hosts, m.paths = append(m.hosts, host...), append(m.paths, path...)
		for _, matcher := range set.object() {
			m.other = m.other || matcher.key != "host" && matcher.key != "path"
		}
	}
	// If one set asks for a host and the other does not, hosts do not decide; but
	// something does, unless one of the sets asks for nothing.
	if anyHost && len(m.hosts) > 0 {
		m.hosts, m.other = nil, true
	}
	if anyPath && len(m.paths) > 0 {
		m.paths, m.other = nil, true
	}
	return m
}
