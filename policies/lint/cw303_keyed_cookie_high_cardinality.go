package lint

import (
	"fmt"
	"strings"
)

func init() {
	register(Rule{
		ID: "CW303", Name: "keyed-cookie-high-cardinality", Severity: Warning,
		Summary: "A cookie or parameter is keyed that has a value of its own for each visitor or click.",
		check:   keyedHighCardinality,
	})
}

// clickParams have a new value at each click on an advertisement. Campaign parameters
// (utm_*) have few values, and may be keyed on purpose.
var clickParams = words(`gclid dclid gbraid wbraid fbclid msclkid ttclid twclid yclid ysclid srsltid igshid igsh li_fat_id rdt_cid ScCid
	epik mc_eid oly_anon_id oly_enc_id mkt_tok _hsenc __hstc __hssc _ga _gl vero_id ef_id`)

// visitorWords are the words of cookies by which a visitor is counted again. Sessions
// are CW207's.
var visitorWords = words("uid uuid guid fingerprint")

func keyedHighCardinality(p *Pass) {
	for i := range p.Policy.Routes {
		r := &p.Policy.Routes[i]
		if !caches(r) {
			continue
		}
		report := func(field, name, what, per, fix string) {
			p.Report(Finding{
				Pos: r.At(field), Route: r.Name,
				Message: fmt.Sprintf("%s `%s` has a value of its own for each %s: nobody gets a page that was stored for somebody else, and the store fills with copies",
					what, name, per),
				Suggestion: fix,
			})
		}
		if r.Cookies != nil {
			for j, name := range r.Cookies.Key {
				if visitorCookie(name) {
					report(item("cookies.key", j), name, whatIs("cookie", name), "visitor",
						"strip it if the app does not read it to make the page; else leave it out, and requests that have it bypass the cache")
				}
			}
		}
		if r.Params != nil {
			for j, name := range r.Params.Key {
				if clickParams[name] || name == "@analytics" {
					report(item("params.key", j), name, whatIs("parameter", name), "click",
						"strip it ("+spelled(p, r, `strip: ["@analytics"]`, "param strip @analytics")+"): a script in the page reads it, the app does not")
				}
			}
		}
	}
}

func visitorCookie(name string) bool {
	if name == "@analytics" || isAnalytics(name, true) {
		return true
	}
	if strings.HasPrefix(name, "@") {
		return false
	}
	if _, session := names().sessions.find(name); session {
		return false
	}
	for _, word := range splitName(name) {
		if visitorWords[word] {
			return true
		}
	}
	joined := joinedName(name)
	return strings.HasSuffix(joined, "visitorid") || strings.HasSuffix(joined, "deviceid") || strings.HasSuffix(joined, "clientid")
}

func whatIs(kind, name string) string {
	if strings.HasPrefix(name, "@") {
		return "each " + kind + " of"
	}
	return "the " + kind
}
