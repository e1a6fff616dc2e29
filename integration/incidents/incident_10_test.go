package incidents

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// The framework had made the page beforehand and called it shareable for a year. The
// middleware in front of it added cookies for whose access token had just expired, and
// the CDN kept them with the page.
func TestAmplify(t *testing.T) {
	reproduce(t, incident{
		number: 10, who: "Amplify and Next.js", when: "July 2026",
		harm:  "were signed in as another",
		names: []property{isolation, proof, refusalWins},
		forms: []form{{
			name: "cookies on a static page",
			// As CloudFront does: what the origin calls shareable is kept, cookies and all.
			cache:   nginx(`proxy_ignore_headers Set-Cookie;`),
			policy:  middlewarePolicy,
			scene:   middleware,
			stopped: []string{"identity", "set-cookie"},
			shows:   []property{isolation, refusalWins},
			checks:  []check{{"a page that was safe a thousand times is judged again", proof, rareCookie}},
		}},
	})
}

// middlewarePolicy takes the origin's word for how long; the hosts differ in what it
// takes the cookie for.
const middlewarePolicy = `
	route stripped {
		host stripped.test
		path /*
		cache origin
		cookie others strip
	}
	route keyed {
		host keyed.test
		path /*
		cache origin
		cookie key refresh
		cookie others strip
	}
	route recognised {
		host recognised.test
		path /*
		cache origin
		identity {
			cookie refresh
		}
		downstream 60s {
			browser 60s
		}
	}
`

// middleware refreshes the tokens of everybody who has a refresh token. On /rare it
// gives the thousandth request an id as well.
func middleware() scene {
	var rare atomic.Int64
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Cache-Control", "s-maxage=31536000")
		if c, err := r.Cookie("refresh"); err == nil {
			for _, name := range []string{"accessToken", "idToken", "refreshToken"} {
				h.Add("Set-Cookie", name+"="+c.Value+"; Path=/; HttpOnly")
			}
		}
		if r.URL.Path == "/rare" && rare.Add(1) == 1000 {
			h.Add("Set-Cookie", "visitor=1000; Path=/")
		}
		fmt.Fprint(w, "<!doctype html><title>Dashboard</title><script src=/app.js></script>")
	})
	return scene{app: app, visit: func(t *testing.T, s *stage) {
		for _, host := range []string{"stripped.test", "keyed.test", "recognised.test"} {
			s.ask(t, request{host: host, target: "/dashboard", cookie: "refresh=anna"})
			hurt := 0
			for range 5 {
				if a := s.ask(t, request{host: host, target: "/dashboard"}); setsCookie(a, "anna") {
					hurt++
				}
			}
			s.count(t, "visitors of "+host, hurt, 5)
		}
		s.shares(t, request{host: "recognised.test", target: "/dashboard"})
	}}
}

// setsCookie says whether the answer sets a cookie with that in it.
func setsCookie(a answer, part string) bool {
	return strings.Contains(strings.Join(a.header.Values("Set-Cookie"), "\n"), part)
}

// rareCookie has visitors reload the page, each of whom makes the proxy ask the app
// again. The thousandth answer sets a cookie, which nobody else is given.
func rareCookie(t *testing.T, s *stage) {
	page := request{host: "stripped.test", target: "/rare"}
	reload := page
	reload.header = http.Header{"Cache-Control": {"no-cache"}}
	for range 999 {
		s.ask(t, reload)
	}
	if a := s.ask(t, page); !a.hit() {
		t.Errorf("a page that was safe so far is not served from the store: %v", a.header)
	}
	s.ask(t, reload)
	if a := s.ask(t, page); setsCookie(a, "visitor=") {
		t.Errorf("a visitor got %q, which was another's", a.header["Set-Cookie"])
	}
	s.awaitReason(t, "/rare", "set-cookie")
}
