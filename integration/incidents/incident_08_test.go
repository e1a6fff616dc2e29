package incidents

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cacheward/cacheward/integration/edge"
)

// A game store was under attack. In its emergency a caching partner kept everything,
// what was for signed-in users as well. It was noticed by front pages in the wrong
// language.
func TestSteam(t *testing.T) {
	const everything = `
		route everything {
			path / /account/*
			cache 60s {
				stale_while_revalidate 1m
				stale_if_error 1h
			}
			param others strip
			cookie others strip
			downstream 60s
		}
		route news {
			path /news
			cache 1s {
				stale_if_error 1h
			}
		}
		route start {
			path /start
			cache 60s
			header key Accept-Language en ru
			cookie others strip
		}
		route negotiated {
			path /negotiated
			cache origin
			cookie others strip
		}`
	reproduce(t, incident{
		number: 8, who: "Steam", when: "December 2015",
		harm:  "were shown another's account, or the front page in another's language",
		names: []property{isolation, refusalWins, completeKey},
		forms: []form{
			{
				name: "everything, for a minute", cache: nginx(`proxy_cache_valid any 60s;`),
				policy: everything, scene: func() scene { return newStore("") },
				stopped: []string{"divergent", "status"},
				shows:   []property{isolation, completeKey},
				checks: []check{
					{"a language that the key has is kept apart", completeKey, checkLanguages},
					{"in an emergency only what everybody may have is served stale", refusalWins, checkEmergency},
				},
			},
			{
				name: "everything, even what is refused",
				cache: overriding(nginx(`proxy_cache_valid any 60s;
					proxy_ignore_headers Cache-Control Expires Set-Cookie Vary;`)),
				policy: everything, scene: func() scene { return newStore("private") },
				stopped: []string{"divergent", "private", "status"},
				shows:   []property{refusalWins},
			},
		},
	})
}

// store negotiates the language of its front page without saying so, and shows accounts
// to those whose they are.
type store struct {
	http.ServeMux
	account string      // what it says of caching its account pages
	down    atomic.Bool // under the attack
}

func newStore(account string) scene {
	a := &store{account: account}
	language := func(r *http.Request) string {
		if strings.HasPrefix(r.Header.Get("Accept-Language"), "ru") {
			return "ru"
		}
		return "en"
	}
	front := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/negotiated" {
			w.Header().Set("Vary", "Accept-Language")
			w.Header().Set("Cache-Control", "public, max-age=60")
		}
		page(w, map[string]string{"ru": "<h1>Добро пожаловать</h1>", "en": "<h1>Welcome</h1>"}[language(r)])
	}
	for _, path := range []string{"/{$}", "/start", "/negotiated"} {
		a.HandleFunc(path, front)
	}
	a.HandleFunc("/news", func(w http.ResponseWriter, _ *http.Request) { page(w, "<h1>Winter sale</h1>") })
	a.HandleFunc("/account/", func(w http.ResponseWriter, r *http.Request) {
		if a.account != "" {
			w.Header().Set("Cache-Control", a.account)
		}
		c, err := r.Cookie("steamLogin")
		if err != nil {
			http.Error(w, "sign in", http.StatusUnauthorized)
			return
		}
		page(w, fmt.Sprintf("<h1>Account of %s.</h1>", c.Value))
	})
	return scene{app: a, visit: a.visit}
}

func (a *store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if a.down.Load() {
		http.Error(w, "overloaded", http.StatusServiceUnavailable)
		return
	}
	a.ServeMux.ServeHTTP(w, r)
}

func accept(language string) http.Header { return http.Header{"Accept-Language": {language}} }

func (a *store) visit(t *testing.T, s *stage) {
	s.ask(t, request{target: "/", cookie: "steamLogin=anna", header: accept("ru")})
	hurt := 0
	if got := s.ask(t, request{target: "/", header: accept("en")}); !strings.Contains(got.body, "Welcome") {
		hurt++
	}
	s.count(t, "the front page", hurt, 1)

	s.ask(t, request{target: "/account/", cookie: "steamLogin=anna"})
	hurt = 0
	for _, who := range []string{"ben", "carla"} {
		if got := s.ask(t, request{target: "/account/", cookie: "steamLogin=" + who}); !strings.Contains(got.body, "of "+who+".") {
			hurt++
		}
	}
	s.count(t, "account pages", hurt, 2)
}

// checkLanguages: where the language is in the key, by the policy or because the app has
// named it in Vary, everybody is shown theirs, out of the store.
func checkLanguages(t *testing.T, s *stage) {
	for _, target := range []string{"/start", "/negotiated"} {
		for language, title := range map[string]string{"ru": "Добро", "en": "Welcome"} {
			for range 2 {
				if got := s.untilHit(t, request{target: target, header: accept(language)}); !strings.Contains(got.body, title) {
					t.Errorf("%s in %s is %q", target, language, got.body)
				}
			}
		}
	}
}

// checkEmergency: while the app answers nobody, the news is served stale, and an account
// page is an error, not another's.
func checkEmergency(t *testing.T, s *stage) {
	s.untilHit(t, request{target: "/news"})
	s.app.(*store).down.Store(true)
	defer s.app.(*store).down.Store(false)
	edge.Eventually(t, "the news, stale", func() bool {
		a := s.ask(t, request{target: "/news"})
		if a.status != http.StatusOK || !strings.Contains(a.body, "Winter sale") {
			t.Fatalf("the news: status %d", a.status)
		}
		return strings.Contains(a.header.Get("Cache-Status"), "ttl=-")
	})
	if a := s.ask(t, request{target: "/account/", cookie: "steamLogin=dora"}); a.status != http.StatusServiceUnavailable || a.hit() {
		t.Errorf("an account page: status %d, Cache-Status %q", a.status, a.header.Get("Cache-Status"))
	}
}
