package incidents

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// Caches that keep nothing that sets a cookie gave the cookie to those who waited for
// the same answer, when it was fetched first, and when it was asked about again.
func TestCollapsedForwarding(t *testing.T) {
	reproduce(t, incident{
		number: 11, who: "Squid and ocache", when: "December 2016 and 2026",
		harm:  "got the cookie of another",
		names: []property{isolation, proof},
		forms: []form{
			collapsing("first fetch", []int{2, 50, 500}, nil, "set-cookie"),
			collapsing("revalidation, 200", []int{2, 50}, func(w http.ResponseWriter) {
				w.Header().Set("Cache-Control", "private")
				fmt.Fprint(w, "<!doctype html><title>Home</title>")
			}, "private", "set-cookie"),
			collapsing("revalidation, 304", []int{2, 50}, func(w http.ResponseWriter) {
				w.WriteHeader(http.StatusNotModified)
			}, "set-cookie"),
		},
	})
}

const collapsingPolicy = `
	route once {
		host once.test
		path /*
		cache origin
	}
	route corroborated {
		host corroborated.test
		path /*
		cache 10s
	}
	limits {
		max_fills 2000
	}
`

// collapsing is the form in which that many come at once, and the app answers so, with a
// cookie, when the page is stale; without again, when it is asked first.
func collapsing(name string, crowds []int, again func(http.ResponseWriter), stopped ...string) form {
	front := new(collapser)
	return form{
		name: name,
		// It is not what it keeps that is wrong, so no header helps.
		cache:   cache{overrides: true, start: front.start},
		policy:  collapsingPolicy,
		scene:   func() scene { return cookieGivers(&rush{cache: front}, crowds, again) },
		stopped: stopped,
		shows:   []property{isolation, proof},
	}
}

// cookieGivers mints an id for each visitor who has none, and that is everybody here.
func cookieGivers(c *rush, crowds []int, again func(http.ResponseWriter)) scene {
	var minted atomic.Int64
	var mints atomic.Bool
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Cache-Control", "max-age=10")
		h.Set("ETag", `"1"`)
		if mints.Load() {
			c.hold()
			h.Set("Set-Cookie", fmt.Sprintf("sid=%d; Path=/", minted.Add(1)))
			if again != nil && r.Header.Get("If-None-Match") != "" {
				again(w)
				return
			}
		}
		fmt.Fprint(w, "<!doctype html><title>Home</title>")
	})
	return scene{app: app, visit: func(t *testing.T, s *stage) {
		for _, host := range []string{"once.test", "corroborated.test"} {
			for _, n := range crowds {
				r := request{host: host, target: fmt.Sprintf("/%d", n)}
				if again != nil {
					mints.Store(false)
					s.ask(t, r)
					s.shares(t, r)
					c.expire(t, s)
				}
				mints.Store(true)
				s.count(t, fmt.Sprintf("%d visitors of %s at once", n, host), sameCookies(c.come(t, s, n, r)), n)
			}
		}
	}}
}

// sameCookies is how many answers set a cookie that another set before.
func sameCookies(all []answer) (same int) {
	seen := map[string]bool{}
	for _, a := range all {
		cookie := strings.Join(a.header.Values("Set-Cookie"), ", ")
		if cookie != "" && seen[cookie] {
			same++
		}
		seen[cookie] = true
	}
	return same
}
