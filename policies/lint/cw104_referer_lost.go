package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW104", Name: "referer-lost", Severity: Warning,
		Summary: "A cached page at which visitors arrive does not say what becomes of Referer, so the app never sees it.",
		check:   refererLost,
	})
}

func refererLost(p *Pass) {
	for i := range p.Policy.Routes {
		route := &p.Policy.Routes[i]
		landing, ok := landingPath(route)
		if !ok || !caches(route) || stripsHeader(route, "Referer") {
			continue
		}
		if route.Attribution != nil && route.Attribution.Referer != "" {
			continue // it is carried
		}
		two := twoRequestsTo(p, route, []string{landing.pattern}, func(r *Request, visitor int) {
			r.addHeader("Referer", referringPages[visitor])
			r.Note = comingFrom[visitor]
		})
		if two == nil {
			continue
		}
		severity := Warning
		if !isTimed(route) {
			severity = Info // the app has said that the page may be shared
		}
		p.Report(Finding{
			Severity: severity,
			Pos:      route.At(fmt.Sprintf("match.paths.%d", landing.index)),
			Route:    route.Name,
			Message: fmt.Sprintf("visitors arrive at `%s`, and header `Referer` is stripped, as it is by default: %s the app does not see from which site they came, "+
				"nor its logs", landing.pattern, forHowLong(route)),
			Suggestion: fmt.Sprintf("if the app does not look at it, say so: `%s`; if it does, name Referer under `%s`",
				spelled(p, route, "headers: {strip: [Referer]}", "header strip Referer"), spelled(p, route, "headers.bypass", "header bypass")),
			Counterexample: two,
		})
	}
}

// Two visitors who followed links.
var (
	referringPages = [...]string{"https://blog.example/", "https://news.example/"}
	comingFrom     = [...]string{"the first visitor, from a blog", "the next visitor, from a news site, gets the same page"}
)

// stripsHeader reports whether the route itself says that the header is stripped.
func stripsHeader(route *policies.Route, name string) bool {
	return route.Headers != nil && slices.ContainsFunc(route.Headers.Strip, func(pattern string) bool {
		return matchName(strings.ToLower(pattern), strings.ToLower(name))
	})
}
