package lint

import (
	"slices"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

// reach knows which requests earlier routes take. It looks patterns up, as the router
// does, instead of comparing each route with each: what can cover a pattern is found
// under the pattern itself, under the directories that it begins with, under what it
// ends with, and under the hosts that its host is one of.
type reach struct {
	hosts map[string]*pathReach // by host pattern, lower-case; "" is any
	// left is how many globs may still be compared with each other, which is the only
	// dear step. Where none is left, nothing is said of what only globs could cover.
	left int
}

// pathReach are the paths that the routes of one host pattern take.
type pathReach struct {
	any                owners
	exact, prefix, ext map[string]owners
	globs              map[string]*globReach // by the directories they begin with
}

// globReach are globs that begin with the same directories.
type globReach struct {
	bySuffix map[string][]globOwner // by what follows the last star
	lengths  []int                  // of those suffixes
}

type globOwner struct {
	glob string
	owners
}

// owners are the first routes that take a pattern, by method; "" is any method.
type owners map[string]int

const (
	// maxGlobPairs bounds the comparisons of globs in one policy.
	maxGlobPairs = 2_000
	// maxPairs bounds the pairs of host and path in one policy.
	maxPairs = 500_000
)

func newReach() *reach { return &reach{hosts: make(map[string]*pathReach), left: maxGlobPairs} }

// hostsOf and pathsOf are the patterns of a match, "" for any.
func hostsOf(m *policies.Match) []string { return orAny(m.Hosts) }
func pathsOf(m *policies.Match) []string { return orAny(m.Paths) }

func orAny(patterns []string) []string {
	if len(patterns) == 0 {
		return []string{""}
	}
	return patterns
}

// pairsLeft is how many pairs of host and path may still be looked at.
type pairsLeft int

// take says whether there is room for a match, and takes it. A match that is left out
// takes no requests, as far as lint knows, so nothing false is said of others.
func (left *pairsLeft) take(m *policies.Match) bool {
	pairs := pairsLeft(len(hostsOf(m)) * len(pathsOf(m)))
	if pairs > *left {
		return false
	}
	*left -= pairs
	return true
}

// add makes the route one of the earlier ones. Routes are added in their order.
func (x *reach) add(route int, m *policies.Match) {
	for _, host := range hostsOf(m) {
		host = strings.ToLower(host)
		paths := x.hosts[host]
		if paths == nil {
			paths = &pathReach{
				any: make(owners), exact: make(map[string]owners), prefix: make(map[string]owners),
				ext: make(map[string]owners), globs: make(map[string]*globReach),
			}
			x.hosts[host] = paths
		}
		for _, path := range pathsOf(m) {
			paths.owners(path).add(route, m.Methods)
		}
	}
}

func (o owners) add(route int, methods []string) {
	for _, method := range orAny(methods) {
		if _, taken := o[method]; !taken {
			o[method] = route
		}
	}
}

// owners are those of a pattern, made if there are none yet.
func (p *pathReach) owners(pattern string) owners {
	within := func(m map[string]owners, key string) owners {
		if m[key] == nil {
			m[key] = make(owners)
		}
		return m[key]
	}
	switch shapeOf(pattern) {
	case shapeAny:
		return p.any
	case shapeExact:
		return within(p.exact, pattern)
	case shapePrefix:
		return within(p.prefix, strings.TrimSuffix(pattern, "*"))
	case shapeExt:
		return within(p.ext, pattern[1:])
	}
	dir, suffix := directory(pattern), pattern[strings.LastIndexByte(pattern, '*')+1:]
	g := p.globs[dir]
	if g == nil {
		g = &globReach{bySuffix: make(map[string][]globOwner)}
		p.globs[dir] = g
	}
	for _, have := range g.bySuffix[suffix] {
		if have.glob == pattern {
			return have.owners
		}
	}
	if !slices.Contains(g.lengths, len(suffix)) {
		g.lengths = append(g.lengths, len(suffix))
	}
	fresh := globOwner{pattern, make(owners)}
	g.bySuffix[suffix] = append(g.bySuffix[suffix], fresh)
	return fresh.owners
}

// shape is the form of a path pattern, as the router tells them apart.
type shape int

const (
	shapeAny    shape = iota // no pattern, /* or /**
	shapeExact               // /about
	shapePrefix              // /shop/*
	shapeExt                 // *.css
	shapeGlob                // everything else
)

func shapeOf(pattern string) shape {
	star := strings.IndexByte(pattern, '*')
	switch {
	case pattern == "", pattern == "/*", pattern == "/**":
		return shapeAny
	case star < 0:
		return shapeExact
	case star == len(pattern)-1 && strings.HasSuffix(pattern, "/*"):
		return shapePrefix
	case strings.HasPrefix(pattern, "*."):
		return shapeExt
	}
	return shapeGlob
}

// directory is what all paths of a pattern begin with, up to the last slash in it.
func directory(pattern string) string {
	if star := strings.IndexByte(pattern, '*'); star >= 0 {
		pattern = pattern[:star]
	}
	return pattern[:strings.LastIndexByte(pattern, '/')+1]
}

// taken returns the routes that take every request for the host, the path (patterns)
// and one of the methods before any later route could; nil if some are left.
func (x *reach) taken(host, path string, methods []string) []int {
	var by []int
	for _, method := range orAny(methods) {
		first := -1
		x.eachOwner(host, path, func(o owners) {
			for _, m := range []string{"", method} {
				if route, ok := o[m]; ok && (first < 0 || route < first) {
					first = route
				}
			}
		})
		if first < 0 {
			return nil
		}
		if !slices.Contains(by, first) {
			by = append(by, first)
		}
	}
	slices.Sort(by)
	return by
}

// eachOwner calls visit with the owners of all patterns that cover host and path.
func (x *reach) eachOwner(host, path string, visit func(owners)) {
	eachHost(host, func(pattern string) {
		if paths := x.hosts[pattern]; paths != nil {
			x.eachPath(paths, path, visit)
		}
	})
}

// eachHost calls visit with every pattern that can cover a host pattern: itself, any
// host, the same without the port, and the wildcards above it.
func eachHost(host string, visit func(pattern string)) {
	host = strings.ToLower(host)
	visit("")
	if host == "" {
		return
	}
	visit(host)
	name := strings.TrimPrefix(host, "*")
	port := ""
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, ']') {
		name, port = name[:colon], name[colon:]
		visit(strings.TrimSuffix(host, port))
	}
	if strings.HasPrefix(name, "[") {
		return
	}
	for i := 1; i < len(name); i++ {
		if name[i] == '.' {
			visit("*" + name[i:] + port)
			if port != "" {
				visit("*" + name[i:])
			}
		}
	}
}

func (x *reach) eachPath(paths *pathReach, path string, visit func(owners)) {
	visit(paths.any)
	form := shapeOf(path)
	if form == shapeAny {
		return
	}
	if form == shapeExact {
		visit(paths.exact[path])
	}
	start := path // what all paths of the pattern begin with, and what they end with
	if star := strings.IndexByte(path, '*'); star >= 0 {
		start = path[:star]
	}
	end := path[strings.LastIndexByte(path, '*')+1:]
	for i := range len(start) {
		if start[i] == '/' {
			visit(paths.prefix[start[:i+1]])
		}
	}
	for i := range len(end) {
		if end[i] == '.' {
			visit(paths.ext[end[i:]])
		}
	}
	if len(paths.globs) == 0 {
		return
	}
	globs := func(dir string) {
		g := paths.globs[dir]
		if g == nil {
			return
		}
		for _, length := range g.lengths {
			if length > len(end) {
				continue
			}
			for _, glob := range g.bySuffix[end[len(end)-length:]] {
				if x.left--; x.left < 0 {
					return
				}
				if policies.PathCovers(glob.glob, path) {
					visit(glob.owners)
				}
			}
		}
	}
	if form == shapeExt {
		globs("/") // /**.css
	}
	for i := range len(start) {
		if start[i] == '/' {
			globs(start[:i+1])
		}
	}
}
