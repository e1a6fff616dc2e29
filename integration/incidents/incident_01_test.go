package incidents

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// A reward site had its CDN keep the landing page for new members for five minutes. To
// show that page was to save who had referred the visitor; whoever got a kept copy
// registered with the record of somebody else.
func TestHapitas(t *testing.T) {
	// What says nothing is kept, and what permits it; the query is not in the key.
	byURL := nginx(`proxy_cache_valid 200 5m; proxy_cache_key $scheme$http_host$uri; proxy_cache_lock on;`)
	forced := overriding(nginx(`proxy_cache_valid 200 5m; proxy_cache_key $scheme$http_host$uri; proxy_cache_lock on;
		proxy_ignore_headers Cache-Control Expires Set-Cookie;`))
	silentCases := landingCases([]string{"hidden", "link", "script"}, []string{"none", "public"})
	allCases := landingCases([]string{"hidden", "set-cookie", "link", "script"}, []string{"none", "public", "private"})
	reproduce(t, incident{
		number: 1, who: "Hapitas", when: "December 2017",
		harm:  "new members were tied to somebody else's referrer",
		names: []property{isolation, refusalWins, completeKey, accountability},
		forms: []form{
			{
				name: "rule by URL", cache: byURL,
				policy:  landingPolicy(silentCases),
				scene:   func() scene { return landingScene(silentCases) },
				stopped: []string{"divergent"},
				shows:   []property{isolation},
				checks: []check{
					{"each case has its reason", accountability, func(t *testing.T, s *stage) { checkLandingReasons(t, s, silentCases) }},
					{"the two sites share no entry", completeKey, checkSitesApart},
					{"who got which copy can be listed", accountability, checkTermsServed},
					{"a page that begins to differ is noticed", isolation, checkTurning},
					{"what may differ has to be declared", isolation, checkStamp},
				},
			},
			{
				name: "rule that overrides headers", cache: forced,
				policy:  landingPolicy(allCases),
				scene:   func() scene { return landingScene(allCases) },
				stopped: []string{"divergent", "private", "set-cookie"},
				shows:   []property{refusalWins},
				checks: []check{
					{"each case has its reason", accountability, func(t *testing.T, s *stage) { checkLandingReasons(t, s, allCases) }},
				},
			},
		},
	})
}

// landingCase is one of the ways in which the page can have been made.
type landingCase struct {
	carrier string // how the page carried the handle of the record that it had saved
	input   string // how it learnt of the referrer
	control string // what the app said of caching
	host    string
	at      string // when visitors came: one after another, or at once
}

func (c landingCase) name() string {
	edition := "pc"
	if strings.HasPrefix(c.host, "sp.") {
		edition = "sp"
	}
	return strings.Join([]string{c.carrier, c.input, c.control, edition, c.at}, "-")
}

func (c landingCase) path() string {
	return "/" + strings.Join([]string{c.carrier, c.input, c.control, c.at}, "/") + "/register/lp"
}

func landingCases(carriers, controls []string) (all []landingCase) {
	for _, carrier := range carriers {
		for _, control := range controls {
			for _, input := range []string{"query", "cookie", "referer"} {
				for _, host := range []string{"hapitas.jp", "sp.hapitas.jp"} {
					for _, at := range []string{"after", "at-once"} {
						all = append(all, landingCase{carrier, input, control, host, at})
					}
				}
			}
		}
	}
	return all
}

// landingPolicy has the mistake in it, and beside it pages that are the same for all.
// Each case has a route, so that each is judged on its own: a route whose pages keep
// differing is not tried for a while.
func landingPolicy(cases []landingCase) string {
	var b strings.Builder
	for _, c := range cases {
		fmt.Fprintf(&b, `
			route %s {
				host %s
				path %s
				cache 5m
				param others strip
				cookie others strip
				downstream 5m
			}`, c.name(), c.host, c.path())
	}
	b.WriteString(`
			route terms {
				path /terms
				cache 5m
			}
			route turning {
				path /turning
				cache 1s
			}
			route stamped {
				path /stamped
				cache 5m
			}
			route declared {
				path /declared
				cache 5m
				ignore "the clock of the renderer" html comment "rendered at *"
			}`)
	return b.String()
}

func landingScene(cases []landingCase) scene {
	app := newLandingApp()
	return scene{app: app, visit: func(t *testing.T, s *stage) {
		const visitors = 3
		pages := map[landingCase][]answer{}
		// Those who come at once come together, in all cases at once; the others' turns
		// come one after another.
		for turn := range visitors {
			var requests []request
			var askedFor []landingCase
			for _, c := range cases {
				switch {
				case c.at == "after":
					requests = append(requests, c.request(turn))
					askedFor = append(askedFor, c)
				case turn == 0:
					for visitor := range visitors {
						requests = append(requests, c.request(visitor))
						askedFor = append(askedFor, c)
					}
				}
			}
			for i, a := range s.askAll(t, requests) {
				pages[askedFor[i]] = append(pages[askedFor[i]], a)
			}
		}
		for _, c := range cases {
			hurt := 0
			for visitor, page := range pages[c] {
				if got := app.register(t, s, c, visitor, page); got != c.referrer(visitor) {
					hurt++
				}
			}
			s.count(t, c.name(), hurt, visitors)
			if saved := app.saved(c.host + c.path()); s.curable() && saved < visitors {
				t.Errorf("%s: %d of %d visits reached the app", c.name(), saved, visitors)
			}
		}
	}}
}

// referrer is whoever had referred a visitor: each has one of their own.
func (c landingCase) referrer(visitor int) string {
	return fmt.Sprintf("ref-%c-of-%s", 'A'+visitor, c.name())
}

func (c landingCase) request(visitor int) request {
	r := request{host: c.host, target: c.path()}
	switch ref := c.referrer(visitor); c.input {
	case "query":
		r.target += "?i=" + ref
	case "cookie":
		r.cookie = "ref=" + ref
	case "referer":
		r.header = map[string][]string{"Referer": {"https://blog.test/" + ref}}
	}
	return r
}

var leadHandle = regexp.MustCompile(`lead[^0-9]{1,12}([0-9]+)`)

// register has the visitor send the form of the page, and returns the referrer to whom
// the app has tied them then.
func (a *landingApp) register(t *testing.T, s *stage, c landingCase, visitor int, page answer) string {
	t.Helper()
	found := leadHandle.FindStringSubmatch(page.body + strings.Join(page.header.Values("Set-Cookie"), "\n"))
	if page.status != 200 || found == nil {
		t.Fatalf("%s: status %d, and no handle in %q", c.name(), page.status, page.body)
	}
	member := fmt.Sprintf("%s-%d", c.name(), visitor)
	s.ask(t, request{method: "POST", host: c.host, target: "/register", form: "lead=" + found[1] + "&member=" + member})
	return a.referrerOf(member)
}
