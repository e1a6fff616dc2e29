package lint

import (
	"strings"

	"github.com/cacheward/cacheward/policies"
)

// What rules ask about the attribution of a route.

// eachAttribution calls visit with all routes that have one, and with what it says, its
// defaults filled in.
func eachAttribution(p *Pass, visit func(route *policies.Route, a policies.Attribution)) {
	for i := range p.Policy.Routes {
		if route := &p.Policy.Routes[i]; route.Attribution != nil {
			visit(route, route.Attribution.WithDefaults())
		}
	}
}

// takes says whether the route's attribution takes the parameter.
func takes(p *Pass, route *policies.Route, param string) bool {
	if route.Attribution == nil {
		return false
	}
	return strings.HasPrefix(p.Policy.Decide(route, policies.InputParam, param).By, "attribution.")
}

// tells says whether the app learns who sent the visitor, whatever the page itself says.
func tells(route *policies.Route) bool {
	a := route.Attribution
	return a != nil && (a.Deliver != nil || a.Beacon != nil)
}

// deliversCookie says whether the app gets the cookie from the route's attribution when
// it matters.
func deliversCookie(p *Pass, route *policies.Route, name string) bool {
	a := route.Attribution
	return a != nil && a.Deliver != nil && a.Deliver.As == policies.AsCookie && takes(p, route, name)
}

// carriesCookie says whether an attribution keeps its values with the visitor.
func carriesCookie(a policies.Attribution) bool { return a.Carry != policies.CarryBeacon }

// replaceWord is the edit that writes another word where a field's own stands.
func (u *Unit) replaceWord(pos policies.Position, word, instead string) []Edit {
	start, end, found := u.source(pos.File).word(pos)
	if found != word || u.isYAML(pos.File) && u.source(pos.File).anchored() {
		return nil
	}
	return []Edit{{File: pos.File, Start: start, End: end, New: instead}}
}
