package lint

import (
	"iter"
	"path"
	"slices"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

// What a path is for, by the words in its pattern.

// segmentTable finds what segments of paths are for.
type segmentTable map[string][]segmentMeaning

type segmentMeaning struct{ what, where string }

func newSegmentTable(entries ...segmentEntry) segmentTable {
	t := make(segmentTable)
	for _, e := range entries {
		for _, segment := range e.Segments {
			key := joinedName(segment)
			t[key] = append(t[key], segmentMeaning{e.What, e.Where})
		}
	}
	return t
}

func (t segmentTable) has(segment string) bool { return len(t[joinedName(segment)]) > 0 }

// pageExtensions are those of programs and pages, which say nothing of what they are for.
var pageExtensions = []string{".php", ".html", ".htm", ".aspx", ".asp", ".jsp", ".do", ".cgi", ".json", ".action"}

// plainSegment is the segment without the extension of a program or page.
func plainSegment(segment string) string {
	for _, extension := range pageExtensions {
		if plain, ok := strings.CutSuffix(segment, extension); ok {
			return plain
		}
	}
	return segment
}

// find returns the first segment of a path pattern that the table knows, and what it is
// for. Nothing is read into paths of articles (/docs/login) and of files.
func (t segmentTable) find(pattern string) (segment, what string, ok bool) {
	if pathOfFiles(pattern) && !strings.HasSuffix(pattern, "/cart.js") { // Shopify's is the visitor's own
		return "", "", false
	}
	segments := pathSegments(pattern)
	below := false // an API's prefix
	for i, s := range segments {
		if names().about.has(s) {
			return "", "", false
		}
		plain := strings.TrimSuffix(plainSegment(s), ".js")
		for _, m := range t[joinedName(plain)] {
			if m.where == "" || m.where == "last" && i == len(segments)-1 || m.where == "api" && below {
				return s, m.what, true
			}
		}
		below = below || names().api.has(s)
	}
	return "", "", false
}

func pathSegments(pattern string) []string {
	return strings.FieldsFunc(pattern, func(r rune) bool { return r == '/' })
}

// pathMeaning is a path of a route and what it is for.
type pathMeaning struct {
	index                  int // in match.paths
	pattern, segment, what string
}

// paths are the paths of the route that the table knows.
func (t segmentTable) paths(route *policies.Route) iter.Seq[pathMeaning] {
	return func(yield func(pathMeaning) bool) {
		for i, pattern := range route.Match.Paths {
			segment, what, ok := t.find(pattern)
			if ok && !yield(pathMeaning{i, pattern, segment, what}) {
				return
			}
		}
	}
}

// findPath returns the first path of the route that the table knows.
func (t segmentTable) findPath(route *policies.Route) (pathMeaning, bool) {
	for path := range t.paths(route) {
		return path, true
	}
	return pathMeaning{}, false
}

// landingPath is a path of the route at which visitors arrive who may register.
func landingPath(route *policies.Route) (pathMeaning, bool) { return names().landing.findPath(route) }

// registrationLanding reports whether a path ends with a word for a landing page
// (/register/lp): what is before it says of what, not that the page has its state.
func registrationLanding(pattern string) bool {
	segments := pathSegments(strings.TrimSuffix(pattern, "/*"))
	if len(segments) == 0 {
		return false
	}
	last := joinedName(plainSegment(segments[len(segments)-1]))
	return names().landing.has(last) && !names().state.has(last)
}

// statePath is a path of the route that smells of state.
func statePath(route *policies.Route) (pathMeaning, bool) { return names().state.findPath(route) }

// formPath is a path of the route that smells of a form.
func formPath(route *policies.Route) (pathMeaning, bool) {
	if m, ok := statePath(route); ok {
		return m, true
	}
	if m, ok := landingPath(route); ok {
		return m, true
	}
	m, ok := names().forms.findPath(route)
	m.what = "a form"
	return m, ok
}

// forMachines reports whether all paths of the route are of files, or of what programs
// fetch: nobody is sent there by a friend.
func forMachines(route *policies.Route) bool {
	return len(route.Match.Paths) > 0 && !slices.ContainsFunc(route.Match.Paths, func(pattern string) bool {
		return !pathOfFiles(pattern) && !machineExtensions[path.Ext(pattern)]
	})
}

var machineExtensions = words(".xml .txt .json .rss .atom .ics .webmanifest .yaml .yml .toml .asc .sig")
