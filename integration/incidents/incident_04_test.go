package incidents

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// A shop put a CDN in front of itself in a hurry. Whoever had signed in found themselves
// in another account: the front page had been kept, with the cookie that it set. The
// rule that was to mend it did not arrive at the edge, and the site was opened again.
func TestSODPrime(t *testing.T) {
	reproduce(t, incident{
		number: 4, who: "SOD Prime", when: "March 2020",
		harm:  "found themselves in another's account",
		names: []property{isolation, refusalWins, containment},
		forms: []form{{
			name:    "everything, and the cookies with it",
			cache:   nginx(`proxy_cache_valid 200 5m; proxy_ignore_headers Set-Cookie;`),
			policy:  shopPolicy("/"),
			scene:   shop,
			stopped: []string{"set-cookie"},
			shows:   []property{isolation, refusalWins},
			checks: []check{
				{"another policy reaches nothing of the old one, and can be told from it", containment, checkRepair},
				{"a policy with a fault changes nothing, and says so", containment, checkFaultyPolicy},
			},
		}},
	})
}

// shopPolicy keeps what is at the path, and the news.
func shopPolicy(path string) string {
	return fmt.Sprintf(`
		route front {
			path %s
			cache 5m
			cookie others strip
		}
		route news {
			path /news
			cache 5m
			cookie others strip
		}`, path)
}

// shop is an app that sets its session cookie with every page that it shows a member.
func shop() scene {
	mux := http.NewServeMux()
	signedIn := func(w http.ResponseWriter, who string) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: who, Path: "/", HttpOnly: true})
	}
	mux.HandleFunc("POST /login", func(w http.ResponseWriter, r *http.Request) {
		signedIn(w, r.PostFormValue("who"))
		http.Redirect(w, r, "/", http.StatusFound)
	})
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) {
		who := "guest"
		if c, err := r.Cookie("session"); err == nil {
			who = c.Value
		}
		signedIn(w, who)
		page(w, "<h1>Welcome, "+who+".</h1>")
	})
	mux.HandleFunc("/news", func(w http.ResponseWriter, _ *http.Request) { page(w, "<h1>News</h1>") })
	return scene{app: mux, visit: func(t *testing.T, s *stage) {
		hurt := 0
		for _, who := range []string{"anna", "ben", "carla"} {
			in := s.ask(t, request{method: "POST", target: "/login", form: "who=" + who})
			if in.status != http.StatusFound {
				t.Fatalf("signing in: status %d", in.status)
			}
			b := browser{"session=" + who}
			front := b.ask(t, s, "/")
			// What was set is what comes with the next request.
			if again := b.ask(t, s, "/"); !strings.Contains(front.body+again.body, who) || b.cookie != "session="+who {
				hurt++
			}
		}
		s.count(t, "members", hurt, 3)
	}}
}

// browser keeps the last cookie that was set.
type browser struct{ cookie string }

func (b *browser) ask(t *testing.T, s *stage, target string) answer {
	t.Helper()
	a := s.ask(t, request{target: target, cookie: b.cookie})
	if set := a.header.Get("Set-Cookie"); set != "" {
		b.cookie, _, _ = strings.Cut(set, ";")
	}
	return a
}
