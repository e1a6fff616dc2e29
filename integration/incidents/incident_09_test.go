package incidents

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cacheward/cacheward/integration/edge"
)

// A web framework refreshed its session cookie with nearly every answer, with those that
// were for everybody and for half a day as well. Whoever was given such a file was
// signed in as somebody else.
func TestPennyDreadful(t *testing.T) {
	// The rule of CDNs of that time for files: the header is obeyed, the cookie is not
	// looked at.
	files := nginx(`proxy_ignore_headers Set-Cookie;`)
	reproduce(t, incident{
		number: 9, who: "Penny Dreadful", when: "2019, and Rails, February 2024",
		harm:  "were signed in as somebody else",
		names: []property{isolation, refusalWins},
		forms: []form{{
			name: "files with a cookie", cache: files,
			policy: `
				route files {
					path /static/** /rails/**
					cache origin
					cookie others strip
					downstream 1h
				}
				route bare {
					path /bare/*
					cache 1s {
						stale_if_error 1h
					}
					cookie others strip
					set_cookie strip "the framework refreshes the session with every answer"
				}
				route forced {
					path /forced/*
					cache 12h
					cookie others strip
				}`,
			scene:   cookieFiles,
			stopped: []string{"set-cookie"},
			shows:   []property{isolation},
			checks: []check{
				{"a lifetime of the operator's does not outrank the cookie", refusalWins, checkForced},
				{"what is kept without its cookie sets nobody's state", isolation, checkBare},
			},
		}},
	})
}

// sets are the fields that set state at a visitor. Several lines count each.
var sets = map[string][]string{
	"Set-Cookie":          {"session=%s; HttpOnly; Path=/", "seen=%s"},
	"Set-Cookie2":         {"session=%s; Version=1"},
	"Authentication-Info": {`nextnonce="%s"`},
	"Clear-Site-Data":     {`"cookies"`},
}

// fileApp serves files, and refreshes the session with each of them.
type fileApp struct {
	http.ServeMux
	down atomic.Bool
}

func (a *fileApp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if a.down.Load() {
		http.Error(w, "overloaded", http.StatusServiceUnavailable)
		return
	}
	a.ServeMux.ServeHTTP(w, r)
}

const icon = `<svg xmlns="http://www.w3.org/2000/svg"/>`

func cookieFiles() scene {
	a := new(fileApp)
	file := func(w http.ResponseWriter, r *http.Request) {
		who := "guest"
		if c, err := r.Cookie("session"); err == nil {
			who = c.Value
		}
		h := w.Header()
		h.Set("Content-Type", "image/svg+xml")
		h.Set("Cache-Control", "public, max-age=43200")
		h.Set("Etag", `W/"1528555860.2967603-3489-829430019"`)
		h.Set("Vary", "Accept-Encoding")
		for name, lines := range sets {
			if name != "Set-Cookie" && !strings.HasSuffix(r.URL.Path, "/"+strings.ToLower(name)+".svg") {
				continue
			}
			for _, line := range lines {
				if strings.Contains(line, "%s") {
					line = fmt.Sprintf(line, who)
				}
				h.Add(name, line)
			}
		}
		if r.Header.Get("If-None-Match") == h.Get("Etag") {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		fmt.Fprint(w, icon)
	}
	for _, path := range []string{"/static/", "/rails/", "/bare/", "/forced/"} {
		a.HandleFunc(path, file)
	}
	return scene{app: a, visit: func(t *testing.T, s *stage) {
		for _, target := range []string{
			"/static/images/language_icon.svg",
			"/rails/active_storage/blobs/proxy/eyJfcmFpbHMi--5f2a/photo.svg",
		} {
			s.ask(t, request{target: target, cookie: "session=anna"})
			hurt := 0
			for _, b := range []browser{{}, {"session=ben"}} {
				if got := b.ask(t, s, target); got.body != icon {
					t.Errorf("%s: %q", target, got.body)
				}
				if strings.HasPrefix(b.cookie, "session=anna") {
					hurt++
				}
			}
			s.count(t, target, hurt, 2)
		}
	}}
}

// checkForced: the file is delivered as it is to whoever asked for it, and not kept.
func checkForced(t *testing.T, s *stage) {
	for _, who := range []string{"anna", "ben", "anna"} {
		a := s.ask(t, request{target: "/forced/icon.svg", cookie: "session=" + who})
		if a.hit() || !strings.HasPrefix(a.header.Get("Set-Cookie"), "session="+who+";") {
			t.Errorf("%s was answered with Set-Cookie %q, Cache-Status %q", who, a.header["Set-Cookie"], a.header.Get("Cache-Status"))
		}
	}
}

// checkBare: neither a hit, nor the answer to a condition, nor what is made anew, nor
// what is stale has a field that sets state. What has another one than a cookie is not
// kept at all.
func checkBare(t *testing.T, s *stage) {
	bare := func(a answer) {
		t.Helper()
		for name := range sets {
			if a.header[http.CanonicalHeaderKey(name)] != nil {
				t.Errorf("status %d, Cache-Status %q with %s: %q", a.status, a.header.Get("Cache-Status"), name, a.header[name])
			}
		}
	}
	r := request{target: "/bare/icon.svg", cookie: "session=anna"}
	hit := s.untilHit(t, r)
	bare(hit)
	condition := s.ask(t, request{target: r.target, header: http.Header{"If-None-Match": {hit.header.Get("Etag")}}})
	if condition.status != http.StatusNotModified {
		t.Errorf("a condition that holds was answered with %d", condition.status)
	}
	bare(condition)
	edge.Eventually(t, "a refill", func() bool { // asked again after a second, the app sets its cookie again
		a := s.ask(t, r)
		bare(a)
		return !a.hit()
	})
	for _, name := range []string{"authentication-info", "clear-site-data", "set-cookie2"} {
		for range 3 {
			if a := s.ask(t, request{target: "/bare/" + name + ".svg"}); a.hit() {
				bare(a)
			}
		}
	}
	s.untilHit(t, r)
	s.app.(*fileApp).down.Store(true)
	defer s.app.(*fileApp).down.Store(false)
	edge.Eventually(t, "a stale answer", func() bool {
		a := s.ask(t, r)
		bare(a)
		return strings.Contains(a.header.Get("Cache-Status"), "ttl=-")
	})
}
