package lint

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

// Counterexamples are not argued but tried: both requests go through the engine that
// judges real ones, and are shown only if it would give both one response.

// twoRequests makes two requests to the route, from visitor 0 and visitor 1, has change
// make each of them its visitor's own, and returns them if they differ and would share
// one stored response. Nil if they would not, or if no request to the route was found.
func twoRequests(p *Pass, route *policies.Route, change func(r *Request, visitor int)) []Request {
	return twoRequestsTo(p, route, route.Match.Paths, change)
}

// twoRequestsTo does so for one of these paths of the route.
func twoRequestsTo(p *Pass, route *policies.Route, paths []string, change func(r *Request, visitor int)) []Request {
	base, ok := exampleRequest(p, route, paths)
	if !ok {
		return nil
	}
	two := []Request{base, base}
	for visitor := range two {
		two[visitor].Note = visitors[visitor]
		change(&two[visitor], visitor)
	}
	if two[0].URL == two[1].URL && slices.Equal(two[0].Header, two[1].Header) || !share(p, route, two[0], two[1]) {
		return nil
	}
	return two
}

// visitors are the notes of those who say nothing else.
var visitors = [...]string{"Alice, who comes first", "Bob, a minute later: he gets Alice's page"}

// exampleRequest is a GET request for one of the path patterns (none: any path) that the
// route governs and answers from the store. It has the route's first host, or else one
// that the site or the policy names.
func exampleRequest(p *Pass, route *policies.Route, paths []string) (Request, bool) {
	if p.Compiled == nil {
		return Request{}, false
	}
	if len(paths) == 0 {
		paths = []string{"/"}
	}
	for _, host := range exampleHosts(p, route) {
		for _, pattern := range paths[:min(len(paths), 8)] {
			u := url.URL{Scheme: "https", Host: host, Path: examplePath(pattern)}
			r := Request{Method: http.MethodGet, URL: u.String()}
			if _, _, ok := dispose(p, route, r); ok {
				return r, true
			}
		}
	}
	return Request{}, false
}

// exampleHosts are a few hosts to try, the likeliest first.
func exampleHosts(p *Pass, route *policies.Route) []string {
	const enough = 4
	var hosts []string
	add := func(patterns []string) {
		for _, pattern := range patterns {
			if host := exampleHost(pattern); len(hosts) < enough && host != "" && !slices.Contains(hosts, host) {
				hosts = append(hosts, host)
			}
		}
	}
	if add(route.Match.Hosts); len(hosts) > 0 {
		return hosts
	}
	if p.Scope != nil {
		add(p.Scope.Hosts)
	}
	// Once a policy names hosts, a request for another one is ambiguous.
	for i := range p.Policy.Routes[:min(len(p.Policy.Routes), 100)] {
		if len(hosts) >= enough {
			return hosts
		}
		add(p.Policy.Routes[i].Match.Hosts)
	}
	return append(hosts, "example.com")
}

// exampleHost is a host that the pattern matches, or "" if it is none.
func exampleHost(pattern string) string {
	host := strings.ToLower(pattern)
	if rest, ok := strings.CutPrefix(host, "*."); ok {
		host = "www." + rest
	}
	if strings.HasPrefix(host, ":") || strings.ContainsAny(host, "*/{} ") {
		return ""
	}
	return host
}

// examplePath is a path that the pattern matches.
func examplePath(pattern string) string {
	switch {
	case pattern == "/*":
		return "/"
	case strings.HasPrefix(pattern, "*."):
		return "/page" + pattern[1:]
	}
	pattern = strings.ReplaceAll(pattern, "**", "*")
	if rest, ok := strings.CutSuffix(pattern, "/*"); ok {
		pattern = rest + "/page"
	}
	path := strings.ReplaceAll(pattern, "*", "a")
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	return path
}

// share reports whether both requests are governed by the route and would be given one
// stored response: equal keys, and equal values of all that the origin may vary on.
func share(p *Pass, route *policies.Route, a, b Request) bool {
	first, key, ok := dispose(p, route, a)
	if !ok {
		return false
	}
	second, other, ok := dispose(p, route, b)
	return ok && bytes.Equal(key, other) && slices.Equal(first.Varying, second.Varying)
}

// dispose puts a request through the engine. It is ok if the route governs it and it
// would be answered from the store.
func dispose(p *Pass, route *policies.Route, r Request) (parts policies.Parts, key []byte, ok bool) {
	req, ok := engineRequest(r)
	if !ok || p.Compiled == nil {
		return parts, nil, false
	}
	rule := p.Compiled.Route(req)
	if rule.Name != route.Name || rule.Cache.Kind == policies.CacheNever {
		return parts, nil, false
	}
	if rule.Inspect(req).Action != policies.ActCache || rule.Dispose(req, &parts).Action != policies.ActCache {
		return parts, nil, false
	}
	return parts, parts.AppendKey(nil), true
}

// engineRequest is the request as the engine reads it.
func engineRequest(r Request) (*policies.Request, bool) {
	u, err := url.Parse(r.URL)
	if err != nil || u.Host == "" {
		return nil, false
	}
	header := make(http.Header)
	for _, field := range r.Header {
		header.Add(field[0], field[1])
	}
	return &policies.Request{
		Method: r.Method, Scheme: u.Scheme, Host: strings.ToLower(u.Host),
		Path: u.Path, EscapedPath: u.EscapedPath(), RawQuery: u.RawQuery, ForceQuery: u.ForceQuery,
		Header: header,
	}, true
}

// addParam appends a parameter, spelled as it is sent.
func (r *Request) addParam(name, value string) {
	separator := "?"
	if strings.Contains(r.URL, "?") {
		separator = "&"
	}
	r.URL += separator + name + "=" + value
}

// addCookie appends a cookie.
func (r *Request) addCookie(name, value string) { r.addHeader("Cookie", name+"="+value) }

// addHeader appends a field. Cookies of several calls stand on one line.
func (r *Request) addHeader(name, value string) {
	for i, field := range r.Header {
		if name == "Cookie" && field[0] == name {
			r.Header = slices.Clone(r.Header)
			r.Header[i][1] += "; " + value
			return
		}
	}
	r.Header = append(slices.Clone(r.Header), [2]string{name, value})
}
