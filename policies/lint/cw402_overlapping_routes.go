package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW402", Name: "overlapping-routes", Severity: Info,
		Summary: "Two routes match the same requests and contradict each other, and only their order decides.",
		check:   overlappingRoutes,
	})
}

// overlappingRoutes leaves out what people mean by order: a narrow route before a wide
// one. A wide one before a narrow one is for CW401 and CW407. What remains are patterns
// of which neither holds the other, such as /shop/* and *.csv.
func overlappingRoutes(p *Pass) {
	if p.Compiled == nil {
		return
	}
	earlier := &partlyReach{hosts: make(map[string]map[string][]partly), left: maxGlobPairs}
	left := pairsLeft(maxPairs)
	for i := range p.Policy.Routes {
		if !left.take(&p.Policy.Routes[i].Match) {
			continue
		}
		reportOverlap(p, earlier, i)
		earlier.add(p, i)
	}
}

func reportOverlap(p *Pass, earlier *partlyReach, route int) {
	later := &p.Policy.Routes[route]
	for i, path := range later.Match.Paths {
		for _, host := range hostsOf(&later.Match) {
			first, against, r, ok := earlier.find(p, route, host, path)
			if !ok {
				continue
			}
			severity := Info
			if !caches(later) {
				severity = Warning
			}
			p.Report(Finding{
				Severity: severity,
				Pos:      later.At(fmt.Sprintf("match.paths.%d", i)), Route: later.Name,
				Message: fmt.Sprintf("routes %s and %s both match %s and contradict each other there: %s; route %s governs only because it stands first",
					first.Name, later.Name, r.URL, against, first.Name),
				Suggestion: fmt.Sprintf("put the one first that is meant, or make the paths of route %s narrower", first.Name),
				Related:    []Related{{first.At(""), "route " + first.Name}},
			})
			return
		}
	}
}

// contradiction says what of a later route an earlier one takes away where both match,
// or nothing if what they say goes together. That lifetimes differ is why there are two
// routes. What is stricter first is no danger.
func contradiction(first, later *policies.Route) string {
	switch {
	case !caches(first):
		return ""
	case !caches(later):
		return fmt.Sprintf("%s says that nothing is stored, but %s caches", later.Name, first.Name)
	case once(first) && !once(later) && later.Cache.Kind == policies.CacheTTL:
		return fmt.Sprintf("%s wants two answers that agree, but %s stores the first", later.Name, first.Name)
	case first.Inspect != nil && first.Inspect.Rule == policies.InspectOff && (later.Inspect == nil || later.Inspect.Rule != policies.InspectOff):
		return fmt.Sprintf("%s has bodies looked into, but %s has not", later.Name, first.Name)
	case first.Params != nil && later.Params != nil:
		for _, name := range later.Params.Key {
			if slices.Contains(first.Params.Strip, name) {
				return fmt.Sprintf("%s keys the parameter %s, but %s strips it", later.Name, name, first.Name)
			}
		}
	}
	return ""
}

func once(r *policies.Route) bool { return r.Admission != nil && r.Admission.Rule == policies.Once }

// partlyReach are the earlier routes that later ones may partly overlap with.
type partlyReach struct {
	// hosts has them by host pattern and by the first directory of the path; "" are
	// those that begin with a star.
	hosts map[string]map[string][]partly
	// left is how many patterns may still be compared with each other.
	left int
}

type partly struct {
	route int
	path  string
	shape shape
}

const (
	// maxPartly is how many earlier patterns one pattern is looked at beside, and
	// maxCompared with how many of them it is compared.
	maxPartly   = 500
	maxCompared = 64
	anyFolder   = "*" // all patterns of a host
)

func firstFolder(pattern string) string {
	dir := directory(pattern)
	if dir == "" || dir == "/" {
		return ""
	}
	return dir[:strings.IndexByte(dir[1:], '/')+1]
}

// partial says whether patterns of this form can overlap with others in part.
func partial(s shape) bool { return s == shapePrefix || s == shapeExt || s == shapeGlob }

func (x *partlyReach) add(p *Pass, route int) {
	r := &p.Policy.Routes[route]
	if !caches(r) {
		return // it takes nothing away that matters
	}
	for _, host := range hostsOf(&r.Match) {
		host = strings.ToLower(host)
		for _, path := range r.Match.Paths {
			form := shapeOf(path)
			if !partial(form) {
				continue
			}
			if x.hosts[host] == nil {
				x.hosts[host] = make(map[string][]partly)
			}
			for _, folder := range []string{firstFolder(path), anyFolder} {
				x.hosts[host][folder] = append(x.hosts[host][folder], partly{route, path, form})
			}
		}
	}
}

// find returns the first of the earlier routes that takes a request for host and path
// from the route, although it contradicts it.
func (x *partlyReach) find(p *Pass, route int, host, path string) (first *policies.Route, against string, r Request, ok bool) {
	form := shapeOf(path)
	if !partial(form) {
		return nil, "", Request{}, false
	}
	later := &p.Policy.Routes[route]
	folders := []string{firstFolder(path), ""}
	if folders[0] == "" {
		folders = []string{anyFolder}
	}
	left, compared := maxPartly, 0
	eachHost(host, func(pattern string) {
		for _, folder := range folders {
			for _, have := range x.hosts[pattern][folder] {
				if left--; ok || left < 0 {
					return
				}
				earlier := &p.Policy.Routes[have.route]
				why := contradiction(earlier, later)
				if why == "" || form == shapePrefix && have.shape == shapePrefix || knownOverlap(earlier, have) ||
					!methodsMeet(earlier, later) {
					continue
				}
				compared++
				if x.left--; compared > maxCompared || x.left < 0 {
					return
				}
				at, meet := policies.PathsMeet(have.path, path)
				if !meet || policies.PathCovers(have.path, path) || policies.PathCovers(path, have.path) {
					continue
				}
				wanted := host
				if wanted == "" {
					wanted = pattern
				}
				example := exampleAt(later, hostFor(p, later, wanted), at)
				if governs, known := governing(p, example); known && governs == earlier.Name {
					first, against, r, ok = earlier, why, example, true
				}
			}
		}
	})
	return first, against, r, ok
}

// knownOverlap leaves out files by extension: CW403 has those with a duration, and what
// the app itself calls shareable is a file.
func knownOverlap(r *policies.Route, have partly) bool {
	return have.shape == shapeExt && pathOfFiles(have.path) || r.Cache.Kind == policies.CacheOrigin && pathOfFiles(have.path)
}

func hostFor(p *Pass, r *policies.Route, pattern string) string {
	if host := exampleHost(pattern); host != "" {
		return host
	}
	return exampleHosts(p, r)[0]
}

func methodsMeet(a, b *policies.Route) bool {
	if len(a.Match.Methods) == 0 || len(b.Match.Methods) == 0 {
		return true
	}
	return slices.ContainsFunc(a.Match.Methods, func(m string) bool { return slices.Contains(b.Match.Methods, m) })
}
