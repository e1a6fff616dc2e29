package lint

import (
	"fmt"
	"slices"

	"github.com/cacheward/cacheward/policies"
)

func init() {
	register(Rule{
		ID: "CW202", Name: "set-cookie-stripped", Severity: Warning,
		Summary: "A cookie that begins something for a visitor is taken out of the page that everybody gets.",
		check:   setCookieStripped,
	})
}

func setCookieStripped(p *Pass) {
	for i := range p.Policy.Routes {
		route := &p.Policy.Routes[i]
		if !isTimed(route) || route.SetCookie == nil || route.SetCookie.Rule != policies.StripCookie {
			continue
		}
		where := ""
		if path, ok := statePath(route); ok {
			where = fmt.Sprintf("`%s` is about %s", path.pattern, path.what)
		} else if path, ok := landingPath(route); ok {
			where = fmt.Sprintf("visitors arrive at `%s`", path.pattern)
		} else if word, ok := sessionWord(route.SetCookie.Reason); ok {
			where = fmt.Sprintf("the reason speaks of %q", word)
		} else {
			continue
		}
		p.Report(Finding{
			Pos:   route.At("set_cookie"),
			Route: route.Name,
			Message: fmt.Sprintf("every cookie that the app sets here is thrown away, and %s: for %s nobody gets a session, a cart or a mark of who sent them from this page, "+
				"and what the app wrote with the cookie belongs to nobody", where, route.Cache.TTL),
			Suggestion: "let the app set the cookie on another URL (one that is never cached), or only when something is put into it; until then leave `set_cookie` out: pages that set cookies are not shared",
		})
	}
}

var sessionWords = words("session sessions sessionid phpsessid jsessionid login signin signed csrf xsrf cart basket token tokens auth remember member account lead referrer referral affiliate")

// sessionWord is a word of a reason that says that a cookie is more than a load
// balancer's.
func sessionWord(reason string) (string, bool) {
	all := splitName(reason)
	i := slices.IndexFunc(all, func(word string) bool { return sessionWords[word] })
	if i < 0 {
		return "", false
	}
	return all[i], true
}
