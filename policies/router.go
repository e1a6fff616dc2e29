package policies

import (
	"slices"
	"strings"
)

// router finds the first route that matches a request. It looks up what the
// request says instead of trying routes in turn, so ten thousand routes cost
// about what ten cost; only globs that begin with the same directories are tried
// one after the other. It does not change once made and is safe for concurrent
// use.
type router struct {
	hosts     map[string]*pathIndex // by host, or host:port
	wildcards map[string]*pathIndex // by what follows *. (with a port, if it has one)
	anyHost   pathIndex             // routes that name no host
	none      int                   // more than the index of any route
}

// pathIndex are the routes of one host pattern, by the form of their paths.
// Every list is in the order of the routes.
type pathIndex struct {
	anyPath []routeEntry
	exact   map[string][]routeEntry
	under   map[string][]routeEntry // prefixes, and globs by their literal prefix
	ext     map[string][]routeEntry // by extension, with its dot

	// The longest keys of under and ext: longer ones of a path need not be
	// looked up, however many slashes and dots somebody sends.
	longestUnder, longestExt int
}

type routeEntry struct {
	route   int
	methods []string     // empty: any
	glob    *pathPattern // nil: being found under its key is enough
}

// newRouter makes a router of the matches of all routes, in their order.
func newRouter(matches []Match) *router {
	r := &router{
		hosts:     make(map[string]*pathIndex),
		wildcards: make(map[string]*pathIndex),
		none:      len(matches),
	}
	for route, m := range matches {
		if len(m.Hosts) == 0 {
			r.anyHost.add(route, m)
		}
		for _, host := range m.Hosts {
			r.hostIndex(strings.ToLower(host)).add(route, m)
		}
	}
	return r
}

// hostIndex is the index of a host pattern, which is made if there is none.
func (r *router) hostIndex(pattern string) *pathIndex {
	hosts := r.hosts
	if rest, ok := strings.CutPrefix(pattern, "*."); ok {
		hosts, pattern = r.wildcards, rest
	}
	if hosts[pattern] == nil {
		hosts[pattern] = new(pathIndex)
	}
	return hosts[pattern]
}

func (x *pathIndex) add(route int, m Match) {
	if len(m.Paths) == 0 {
		x.anyPath = append(x.anyPath, routeEntry{route: route, methods: m.Methods})
	}
	for _, path := range m.Paths {
		entry := routeEntry{route: route, methods: m.Methods}
		pattern := compilePath(path)
		switch pattern.kind {
		case pathExact:
			addEntry(&x.exact, pattern.text, entry)
		case pathExt:
			addEntry(&x.ext, pattern.text, entry)
			x.longestExt = max(x.longestExt, len(pattern.text))
		case pathPrefix:
			addEntry(&x.under, pattern.text, entry)
			x.longestUnder = max(x.longestUnder, len(pattern.text))
		case pathGlob:
			entry.glob = &pattern
			prefix := pattern.literalPrefix()
			addEntry(&x.under, prefix, entry)
			x.longestUnder = max(x.longestUnder, len(prefix))
		}
	}
}

func addEntry(index *map[string][]routeEntry, key string, entry routeEntry) {
	if *index == nil {
		*index = make(map[string][]routeEntry)
	}
	(*index)[key] = append((*index)[key], entry)
}

// find returns the index of the first route that matches, or -1. Host is
// lower-case and may have a port; path is decoded. It allocates nothing.
func (r *router) find(method, host, path string) int {
	best := r.anyHost.first(method, path, r.none)
	r.eachHost(host, func(x *pathIndex, _ bool) {
		best = x.first(method, path, best)
	})
	if best == r.none {
		return -1
	}
	return best
}

// namesHosts reports whether any route names a host.
func (r *router) namesHosts() bool { return len(r.hosts)+len(r.wildcards) > 0 }

// knowsHost reports whether any route names the host (lower-case, with or
// without a port), exactly or by a wildcard, and whether one names it with the
// port that it has.
func (r *router) knowsHost(host string) (named, withPort bool) {
	r.eachHost(host, func(_ *pathIndex, port bool) {
		named = true
		withPort = withPort || port
	})
	return named, withPort
}

// eachHost calls visit with the index of every pattern that matches the host,
// and with whether the pattern has a port.
func (r *router) eachHost(host string, visit func(x *pathIndex, withPort bool)) {
	name := withoutPort(host)
	hasPort := len(name) < len(host)
	if x := r.hosts[host]; x != nil {
		visit(x, hasPort)
	}
	if hasPort {
		if x := r.hosts[name]; x != nil {
			visit(x, false)
		}
	}
	if len(r.wildcards) == 0 {
		return
	}
	for i := 1; i < len(name); i++ {
		if name[i] != '.' {
			continue
		}
		if x := r.wildcards[host[i+1:]]; x != nil {
			visit(x, hasPort)
		}
		if hasPort {
			if x := r.wildcards[name[i+1:]]; x != nil {
				visit(x, false)
			}
		}
	}
}

// first returns the lowest route below best that matches, or best.
func (x *pathIndex) first(method, path string, best int) int {
	best = firstEntry(x.anyPath, method, path, best)
	best = firstEntry(x.exact[path], method, path, best)
	if len(x.under) > 0 {
		best = firstEntry(x.under[""], method, path, best) // globs such as **/a
		for i := range min(len(path), x.longestUnder) {
			if path[i] == '/' {
				best = firstEntry(x.under[path[:i+1]], method, path, best)
			}
		}
	}
	if len(x.ext) > 0 {
		shortest := max(0, len(path)-x.longestExt)
		for i := len(path) - 1; i >= shortest && path[i] != '/'; i-- {
			if path[i] == '.' {
				best = firstEntry(x.ext[path[i:]], method, path, best)
			}
		}
	}
	return best
}

func firstEntry(entries []routeEntry, method, path string, best int) int {
	for i := range entries {
		e := &entries[i]
		switch {
		case e.route >= best:
			return best
		case len(e.methods) > 0 && !slices.Contains(e.methods, method):
		case e.glob != nil && !e.glob.match(path):
		default:
			return e.route
		}
	}
	return best
}

// withoutPort cuts the port off a host. An address in brackets has colons of
// its own.
func withoutPort(host string) string {
	if colon := strings.LastIndexByte(host, ':'); colon > strings.LastIndexByte(host, ']') {
		return host[:colon]
	}
	return host
}
