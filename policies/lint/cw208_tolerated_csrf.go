package lint

import (
	"fmt"
	"slices"
	"strings"
)

func init() {
	register(Rule{
		ID: "CW208", Name: "tolerated-csrf", Severity: Warning,
		Summary: "The detector of forms' tokens or of sessions is turned off on a page that has a form by its name.",
		check:   toleratedCSRF,
	})
}

func toleratedCSRF(p *Pass) {
	for i := range p.Policy.Routes {
		route := &p.Policy.Routes[i]
		if len(route.Tolerate) == 0 || !caches(route) {
			continue
		}
		path, ok := formPath(route)
		if !ok {
			continue
		}
		for j, tolerated := range route.Tolerate {
			if !findsTokens(tolerated.Detector) {
				continue
			}
			p.Report(Finding{
				Pos:   route.At(fmt.Sprintf("tolerate.%d.detector", j)),
				Route: route.Name,
				Message: fmt.Sprintf("detector `%s` is turned off on `%s`, which is about %s: a form's token or a session that is in the page goes to everybody, "+
					"their forms fail, or are sent in another visitor's name", tolerated.Detector, path.pattern, path.what),
				Suggestion: "let the page fetch the token when the form is used, and take this `tolerate` out",
			})
		}
	}
}

// findsTokens reports whether the detector looks for tokens of forms, or of sessions.
func findsTokens(id string) bool {
	if id == "csp-nonce" { // of the page's own scripts
		return false
	}
	return slices.ContainsFunc([]string{"csrf", "forgery", "session", "token", "sesskey", "form-key", "nonce", "viewstate", "secret", "jwt"},
		func(part string) bool { return strings.Contains(id, part) })
}
