package incidents

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// A platform's CDN, switched off by the apps' owners, came on. It obeyed Cache-Control
// and kept nothing that set a cookie; but most pages had neither.
func TestRailway(t *testing.T) {
	obeying := nginx(`proxy_cache_valid 200 1m;`)
	reproduce(t, incident{
		number: 6, who: "Railway", when: "March 2026",
		harm:  "were shown a member's dashboard",
		names: []property{isolation, silence},
		forms: []form{
			{
				name: "a lifetime for all hosts", cache: obeying,
				policy: `
					route all {
						path /*
						cache 1m
						param others strip
						cookie others strip
						downstream 1m
					}`,
				scene:   dashboards,
				stopped: []string{"authorization", "divergent", "reflects-input"},
				shows:   []property{isolation},
			},
			{
				name: "a CDN that nobody had asked for", cache: obeying,
				policy: `
					route enrolled {
						host enrolled.test
						path /*
						cache 1m
						cookie others strip
					}`,
				scene:   dashboards,
				stopped: []string{"host-unknown"},
				shows:   []property{silence},
			},
			{
				name: "caching where the app permits it", cache: obeying,
				policy: `
					default origin`,
				scene:   dashboards,
				stopped: []string{"authorization", "cookie-bypass", "not-explicit"},
				shows:   []property{silence},
			},
		},
	})
}

// dashboards is an app that says who asks, and nothing of caching.
func dashboards() scene {
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		if c, err := r.Cookie("session"); err == nil {
			who = c.Value
		}
		if strings.HasPrefix(r.URL.Path, "/api/") {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"projects_of":%q}`, who)
			return
		}
		page(w, "<h1>Projects of "+who+"</h1>")
	})
	return scene{app: app, visit: func(t *testing.T, s *stage) {
		as := func(path, who string) request {
			if strings.HasPrefix(path, "/api/") {
				return request{target: path, header: http.Header{"Authorization": {"Bearer " + who}}}
			}
			return request{target: path, cookie: "session=" + who}
		}
		for _, path := range []string{"/dashboard", "/api/projects"} {
			s.ask(t, as(path, "anna"))
			hurt := 0
			// One who is nobody, and one who is somebody else.
			if strings.Contains(s.ask(t, request{target: path}).body, "anna") {
				hurt++
			}
			if a := s.ask(t, as(path, "ben")); !strings.Contains(a.body, "ben") {
				hurt++
			}
			s.count(t, path, hurt, 2)
		}
	}}
}
