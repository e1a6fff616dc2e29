package incidents

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Somebody signed in was lured to a URL that looked to the CDN like a file, or like a
// page below a public prefix, and to the app like their account. Then the attacker asked
// for the same URL.
func TestWebCacheDeception(t *testing.T) {
	overridden := varnish(fmt.Sprintf(staticRules, "true"))
	reproduce(t, incident{
		number: 12, who: "PayPal and ChatGPT", when: "2017 to 2024",
		harm:  "attacks showed the account to the attacker",
		names: []property{isolation, refusalWins, oneMeaning},
		forms: []form{
			{
				name:    "refusals overridden",
				cache:   overriding(overridden),
				policy:  deceptionPolicy,
				scene:   func() scene { return lured("private, no-store") },
				stopped: slices.Concat(ambiguous, []string{"content-type-contradicts", "private", "no-store"}),
				shows:   []property{isolation, refusalWins, oneMeaning},
			},
			{
				name:    "nothing said",
				cache:   varnish(fmt.Sprintf(staticRules, "!beresp.http.Cache-Control")),
				policy:  deceptionPolicy,
				scene:   func() scene { return lured("") },
				stopped: slices.Concat(ambiguous, []string{"content-type-contradicts", "divergent", "reflects-input"}),
				shows:   []property{isolation, oneMeaning},
			},
		},
	})
}

// staticRules keep for ten minutes what looks static.
const staticRules = `
sub vcl_recv {
	if (req.url ~ "\.(css|js)(\?|$)" || req.url ~ "^/(share|static)/") { return (hash); }
}
sub vcl_backend_response {
	if ((bereq.url ~ "\.(css|js)(\?|$)" || bereq.url ~ "^/(share|static)/") && %s) {
		set beresp.ttl = 10m;
		return (deliver);
	}
}
`

const deceptionPolicy = `
	route static {
		path *.css *.js /share/* /static/*
		cache 10m
		param others strip
		cookie others strip
	}
`

// ambiguous are the reasons for which nobody looks a URL up, or stores its answer.
var ambiguous = []string{
	"path-control", "path-delimiter", "path-dot-segment", "path-double-encoding", "path-double-slash",
	"path-encoded-slash", "path-needless-encoding", "path-parameter",
}

// deceptions are targets that look static to the CDN's rule, and lead to somebody's
// account.
var deceptions = []string{
	"/myaccount/home/attack.css",                      // PayPal
	"/myaccount/theme.css",                            // fits its name
	"/api/auth/session/x.css",                         // ChatGPT, 2023
	"/share/%2F..%2Fapi/auth/session?cachebuster=123", // ChatGPT, 2024
	"/share/%2f..%2fapi/auth/session", "/static/%2e%2e/myaccount", "/static/../myaccount",
	"/static/..%2fmyaccount", "/static/.%2e/myaccount", `/static/..\myaccount`, "/static/..%5cmyaccount",
	"/myaccount;x.css", "/myaccount%3Bx.css", "/myaccount%00x.css", "/myaccount%0ax.css",
	"/myaccount%23x.css", "/myaccount%3fx.css", "/static//../myaccount", "/static/x/%2e%2e/%2E%2E/myaccount",
	"/static/%252e%252e/myaccount", "/my%61ccount/x.css",
}

// lured is an app that reads a path generously, with the visitors of each deception. It
// says that of caching.
func lured(control string) scene {
	var received targets
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		received.add(r.RequestURI)
		h := w.Header()
		if control != "" {
			h.Set("Cache-Control", control)
		}
		who := "nobody"
		if c, err := r.Cookie("session"); err == nil {
			who = c.Value
		}
		switch at := generous(r.RequestURI); {
		case at == "/myaccount/theme.css":
			h.Set("Content-Type", "text/css")
			fmt.Fprintf(w, "/* the theme of %s */", who)
		case at == "/static/site.css":
			h.Set("Content-Type", "text/css")
			fmt.Fprint(w, "/* the same for all */")
		case who == "nobody":
			h.Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, "<!doctype html><title>Sign in</title>")
		case strings.HasPrefix(at, "/api/auth/session"):
			h.Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"user":{"name":%q},"accessToken":"token-of-%[1]s"}`, who)
		case strings.HasPrefix(at, "/myaccount"):
			h.Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprintf(w, "<!doctype html><title>Account</title><h1>%s</h1>", who)
		default:
			http.NotFound(w, r)
		}
	})
	return scene{app: app, visit: func(t *testing.T, s *stage) {
		for _, target := range deceptions {
			a := s.askRaw(t, "shop.test", target, "Cookie: session=anna")
			hurt := 0
			if m := s.askRaw(t, "shop.test", target); strings.Contains(m.body, "anna") {
				hurt++
			}
			s.count(t, target, hurt, 1)
			if s.position == without && !strings.Contains(a.body, "anna") {
				t.Errorf("%s: A got %d %q; it is not the incident", target, a.status, a.body)
			}
			if s.position == instead {
				// What is sent on is what was judged. A backslash is judged encoded.
				received.check(t, strings.ReplaceAll(target, `\`, "%5C"))
			}
		}
		if control == "" {
			s.shares(t, request{target: "/static/site.css"})
		}
	}}
}

// generous is the path that the target leads to: decoded, cut off at what some
// frameworks take for its end, and without dot segments.
func generous(target string) string {
	p, _, _ := strings.Cut(target, "?")
	for range 2 { // some decode once more behind the router
		if decoded, err := url.PathUnescape(p); err == nil {
			p = decoded
		}
	}
	p = strings.ReplaceAll(p, `\`, "/")
	if i := strings.IndexAny(p, ";\x00\n#?"); i >= 0 {
		p = p[:i]
	}
	return path.Clean(p)
}

// targets are those that the app received.
type targets struct {
	mu  sync.Mutex
	all map[string]bool
}

func (r *targets) add(target string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.all = map[string]bool{}
	}
	r.all[target] = true
}

// check sees that the app received no target but this.
func (r *targets) check(t *testing.T, target string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for other := range r.all {
		if other != target {
			t.Errorf("the app received %s, and not %s", other, target)
		}
	}
	r.all = nil
}
