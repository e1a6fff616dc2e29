package incidents

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cacheward/cacheward/integration/edge"
)

// The framework told its own requests apart by parameters and headers that anybody
// could send, and answered them with the status 200.
func TestNextJS(t *testing.T) {
	reproduce(t, incident{
		number: 13, who: "Next.js", when: "2023 to 2024",
		harm:  "got what somebody else had caused",
		names: []property{isolation, proof, completeKey},
		forms: []form{
			{
				name: "internal switches",
				// As many CDNs do: the query and Vary do not count.
				cache:   nginx(`proxy_cache_key $scheme$http_host$uri; proxy_ignore_headers Vary; proxy_cache_use_stale updating; proxy_cache_background_update on;`),
				policy:  switchesPolicy,
				scene:   switches,
				stopped: []string{"fragment", "no-cache", "no-store", "param-bypass", "private"},
				shows:   []property{completeKey},
				checks:  []check{{"switches reach the app with who sent them, or not at all", completeKey, onlyOwn}},
			},
			{
				name:   "a refresh with a visitor's cookies",
				cache:  nginx(`proxy_cache_use_stale updating; proxy_cache_background_update on;`),
				policy: refreshPolicy,
				scene:  feed,
				shows:  []property{isolation},
				checks: []check{{"the answer to a refresh is judged anew", proof, judgedAnew}},
			},
		},
	})
}

// switchesPolicy takes the app's word. One host leaves the query out of the key, as the
// CDN does, and one keeps the switches from the app altogether. Behind that CDN only
// what has no query may be shared.
const switchesPolicy = `
	route stripped {
		host stripped.test
		path /*
		cache origin
		param others strip
	}
	route keyed {
		host keyed.test
		path /*
		cache origin
	}
	route denied {
		host denied.test
		path /*
		cache origin
		header deny X-Now-Route-Matches X-Middleware-Prefetch Rsc X-Invoke-Status
	}
	route page {
		host bypassing.test
		path /*
		cache origin
		param others bypass
		downstream 60s {
			browser 60s
		}
	}
`

// attempts are those of an attacker on a page each.
var attempts = []struct{ target, name, value string }{
	{"/data?__nextDataReq=1", "X-Now-Route-Matches", "1"},
	{"/prefetch", "X-Middleware-Prefetch", "1"},
	{"/rsc", "Rsc", "1"},
	{"/error", "X-Invoke-Status", "200"},
}

// mallory is the attacker's User-Agent.
const mallory = "<script>mallory()</script>"

// pageForAll is what everybody is to get.
const pageForAll = "<!doctype html><title>Page</title><p>Hello"

// framework answers its own requests with something else than the page.
type framework struct {
	// asked counts the requests; carried are those with a switch that the attacker did
	// not send.
	asked, carried atomic.Int64
}

func (f *framework) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.asked.Add(1)
	sent := func(name string) bool { return r.Header.Get(name) != "" }
	for _, m := range attempts {
		if sent(m.name) && r.UserAgent() != mallory {
			f.carried.Add(1)
		}
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "s-maxage=31536000, stale-while-revalidate")
	switch {
	case r.URL.Query().Has("__nextDataReq"):
		if sent("X-Now-Route-Matches") {
			h.Set("Cache-Control", "s-maxage=1, stale-while-revalidate")
		} else {
			h.Set("Cache-Control", "private, no-cache, no-store, max-age=0, must-revalidate")
		}
		fmt.Fprintf(w, `{"pageProps":{"agent":"%s"}}`, r.Header.Get("User-Agent"))
	case sent("X-Middleware-Prefetch"):
		h.Set("Content-Type", "application/json")
		fmt.Fprint(w, "{}")
	case sent("Rsc"):
		h.Set("Content-Type", "text/x-component")
		h.Set("Vary", "RSC, Next-Router-State-Tree, Next-Router-Prefetch")
		fmt.Fprint(w, `0:["page"]`)
	case sent("X-Invoke-Status"):
		fmt.Fprint(w, "<!doctype html><title>Error</title><p>Something went wrong")
	default:
		fmt.Fprint(w, pageForAll)
	}
}

// switches is the framework, attacked.
func switches() scene {
	return scene{app: new(framework), visit: func(t *testing.T, s *stage) {
		for _, host := range []string{"stripped.test", "keyed.test", "bypassing.test"} {
			for _, m := range attempts {
				s.ask(t, request{host: host, target: m.target, header: http.Header{m.name: {m.value}, "User-Agent": {mallory}}})
				path, _, _ := strings.Cut(m.target, "?")
				hurt := 0
				if b := s.ask(t, request{host: host, target: path}); b.body != pageForAll {
					hurt++
				}
				s.count(t, host+m.target, hurt, 1)
			}
		}
		// Without the header the app says that its data are private.
		for _, host := range []string{"keyed.test", "bypassing.test"} {
			s.ask(t, request{host: host, target: "/data?__nextDataReq=1"})
		}
		s.shares(t, request{host: "bypassing.test", target: "/rsc"})
	}}
}

// onlyOwn sees that no request but the attacker's had a switch, and that a policy can
// keep those from the app as well.
func onlyOwn(t *testing.T, s *stage) {
	app := s.app.(*framework)
	if n := app.carried.Load(); n > 0 {
		t.Errorf("%d requests had a switch that nobody else than the attacker sent", n)
	}
	before := app.asked.Load()
	for _, m := range attempts {
		a := s.ask(t, request{host: "denied.test", target: m.target, header: http.Header{m.name: {m.value}}})
		if a.status != http.StatusBadRequest {
			t.Errorf("%s with %s: %d; want 400", m.target, m.name, a.status)
		}
	}
	if after := app.asked.Load(); after != before {
		t.Errorf("the app was asked %d times", after-before)
	}
}

const refreshPolicy = `
	route feed {
		path /*
		cache origin {
			stale_while_revalidate 1h
		}
		cookie others strip
	}
`

// feed is a page with a lifetime of a second, which has its visitor's name in it if it
// knows it. From the second time on that it is asked for, /welcome sets a cookie.
func feed() scene {
	var made, welcomed atomic.Int64
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", "s-maxage=1, stale-while-revalidate=3600")
		who := "anyone"
		if c, err := r.Cookie("session"); err == nil {
			who = c.Value
		}
		n := made.Add(1)
		if r.URL.Path == "/welcome" {
			if n = welcomed.Add(1); n > 1 {
				h.Set("Set-Cookie", fmt.Sprintf("sid=%d; Path=/", n))
			}
		}
		fmt.Fprintf(w, `{"pageProps":{"for":%q,"edition":%d}}`, who, n)
	})
	return scene{app: app, visit: func(t *testing.T, s *stage) {
		first := s.ask(t, request{target: "/feed"})
		s.shares(t, request{target: "/feed"})
		n := made.Load()
		edge.Eventually(t, "a refresh that A caused", func() bool {
			s.ask(t, request{target: "/feed", cookie: "session=anna"})
			return made.Load() > n
		})
		var b answer
		edge.Eventually(t, "what was refreshed", func() bool {
			b = s.ask(t, request{target: "/feed"})
			return b.body != first.body
		})
		hurt := 0
		if strings.Contains(b.body, "anna") {
			hurt++
		}
		s.count(t, "who came after the refresh", hurt, 1)
	}}
}

// judgedAnew sees that the answer to a refresh is judged as one to a first fetch.
func judgedAnew(t *testing.T, s *stage) {
	welcome := request{target: "/welcome"}
	s.ask(t, welcome)
	s.shares(t, welcome)
	edge.Eventually(t, "an answer that sets a cookie", func() bool { return s.ask(t, welcome).header.Get("Set-Cookie") != "" })
	s.awaitReason(t, "/welcome", "set-cookie")
	var all []answer
	for range 5 {
		all = append(all, s.ask(t, welcome))
	}
	if n := sameCookies(all); n > 0 {
		t.Errorf("%d of %d visitors got the cookie of another", n, len(all))
	}
}
