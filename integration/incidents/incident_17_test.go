package incidents

import (
	"fmt"
	"net/http"
	"testing"
)

// The redirect to the sign-in page that somebody unknown had got was kept for everybody,
// and who was signed in was sent to and fro.
func TestRedirectReplay(t *testing.T) {
	reproduce(t, incident{
		number: 17, who: "a login door", when: "September 2026",
		harm:  "who were signed in went round in circles",
		names: []property{silence, completeKey},
		forms: []form{{
			name:    "redirects kept",
			cache:   nginx(`proxy_cache_valid any 60s;`),
			policy:  doorPolicy,
			scene:   door,
			stopped: []string{"cookie-bypass", "identity", "not-explicit", "status"},
			shows:   []property{silence, completeKey},
		}},
	})
}

// doorPolicy has the operator's rule on each host, with the cookie in the places where
// an operator can have put it.
const doorPolicy = `
	route origin {
		host origin.test
		path /*
		cache origin
		cookie others strip
	}
	route stripped {
		host stripped.test
		path /*
		cache 60s
		cookie others strip
	}
	route others {
		host others.test
		path /*
		cache 60s {
			status 302 60s
		}
	}
	route recognised {
		host recognised.test
		path /*
		cache 60s {
			status 302 60s
		}
		identity {
			cookie session
		}
		cookie others strip
	}
`

// door is an app that only lets in who is signed in, and says nothing of caching.
func door() scene {
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := r.Cookie("session")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		switch signedIn := err == nil; {
		case r.URL.Path == "/app" && !signedIn:
			w.Header().Set("Location", "/sign-in")
			w.WriteHeader(http.StatusFound)
		case r.URL.Path == "/sign-in" && signedIn:
			w.Header().Set("Location", "/app")
			w.WriteHeader(http.StatusFound)
		default:
			fmt.Fprintf(w, "<!doctype html><title>%s</title>", r.URL.Path)
		}
	})
	return scene{app: app, visit: func(t *testing.T, s *stage) {
		for _, host := range []string{"origin.test", "stripped.test", "others.test", "recognised.test"} {
			for range 2 {
				s.ask(t, request{host: host, target: "/app"})
			}
			a := request{host: host, target: "/app", cookie: "session=anna"}
			hurt := 1
			for range 10 { // as a browser follows
				answer := s.ask(t, a)
				if answer.status == http.StatusOK && a.target == "/app" {
					hurt = 0
					break
				}
				if to := answer.header.Get("Location"); to != "" {
					a.target = to
				}
			}
			s.count(t, host, hurt, 1)
		}
		s.shares(t, request{host: "recognised.test", target: "/about"})
	}}
}
