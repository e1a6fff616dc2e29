package incidents

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// The frameworks answered a page's URL with its data when the query said so, and the
// edge left the query out of the key.
func TestIgnoredQuery(t *testing.T) {
	reproduce(t, incident{
		number: 14, who: "Nuxt and Remix", when: "2025",
		harm:  "pages were data for everybody",
		names: []property{completeKey},
		forms: []form{{
			name:    "query left out of the key",
			cache:   nginx(`proxy_cache_key $scheme$http_host$uri; proxy_cache_valid any 5m;`),
			policy:  queryPolicy,
			scene:   payloads,
			stopped: []string{"divergent", "not-explicit", "param-bypass", "query-empty-pair", "query-semicolon"},
			shows:   []property{completeKey},
			checks: []check{
				{"every byte of the query counts", completeKey, queryBytes},
				{"a URL has one content type", completeKey, oneType},
			},
		}},
	})
}

// queryPolicy leaves the query out of the key on one host, as the edge did. On another
// it is in it, and on the third only pages without a query are shared, with that edge,
// too.
const queryPolicy = `
	route stripped {
		host stripped.test
		path /*
		cache 5m
		param others strip
	}
	route keyed {
		host keyed.test
		path /*
		cache origin {
			status 200 5m
		}
	}
	route bypassed {
		host bypassed.test
		path /*
		cache 5m
		param others bypass
		downstream 5m {
			browser 5m
		}
	}
`

// payloads are two frameworks. A page says nothing of caching; what is below /echo is
// the target itself, for five minutes.
func payloads() scene {
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		data := func(status int) {
			h.Set("Content-Type", "application/json")
			w.WriteHeader(status)
			fmt.Fprint(w, `{"data":["page"]}`)
		}
		first, _, _ := strings.Cut(r.URL.RawQuery, "&")
		query, _ := url.ParseQuery(strings.ReplaceAll(r.URL.RawQuery, ";", "&")) // as far as it can be read
		switch {
		case strings.HasPrefix(r.URL.Path, "/echo"):
			h.Set("Cache-Control", "max-age=300")
			fmt.Fprintf(w, "<!doctype html><title>Echo</title><p>[%s]", r.RequestURI)
		case strings.HasSuffix(first, "/_payload.json"): // Nuxt
			data(http.StatusOK)
		case query.Get("_data") == "routes/missing":
			data(http.StatusNotFound)
		case query.Get("_data") == "routes/admin":
			data(http.StatusForbidden)
		case query.Has("_data"): // Remix
			data(http.StatusOK)
		default:
			fmt.Fprint(w, pageForAll)
		}
	})
	return scene{app: app, visit: func(t *testing.T, s *stage) {
		for _, host := range []string{"stripped.test", "keyed.test", "bypassed.test"} {
			for i, query := range []string{
				"?/_payload.json", "?/_payload.json&x", "?_data=routes%2Findex", "?_data=routes/admin", "?_data=routes/missing",
				"?a=1&&_data=routes/index", "?_data=routes/index;a=1",
			} {
				path := fmt.Sprintf("/page/%d", i)
				s.askRaw(t, host, path+query)
				hurt := 0
				if b := s.ask(t, request{host: host, target: path}); b.body != pageForAll || b.status != http.StatusOK {
					hurt++
				}
				s.count(t, host+path+query, hurt, 1)
			}
		}
		s.shares(t, request{host: "bypassed.test", target: "/page"})
	}}
}

// queries are spellings that some read as one.
var queries = []string{"", "?", "?/x", "?a", "?a=", "?a&a", "?a&&a", "?a;a", "?a=1&b=2", "?b=2&a=1", "?A=1&b=2", "?a=%31&b=2", "?a=+&b", "?a=%20&b", "?&", "?="}

// queryBytes sees that nobody is given the answer to another query, and that no query
// reaches the app in another spelling.
func queryBytes(t *testing.T, s *stage) {
	for range 3 {
		for _, q := range queries {
			target := "/echo" + q
			if a := s.askRaw(t, "keyed.test", target); !strings.Contains(a.body, "["+target+"]") {
				t.Errorf("%s: %d %v %s", target, a.status, a.header["Cache-Status"], a.body)
			}
		}
	}
	for _, q := range []string{"", "?a=1&b=2", "?b=2&a=1"} {
		if a := s.askRaw(t, "keyed.test", "/echo"+q); !a.hit() {
			t.Errorf("/echo%s is not served from the store: %v", q, a.header)
		}
	}
}

// oneType sees that a URL whose page is stored has no other content type, whoever asks
// first, and with what.
func oneType(t *testing.T, s *stage) {
	for _, host := range []string{"stripped.test", "keyed.test", "bypassed.test"} {
		for range 3 {
			s.askRaw(t, host, "/one?_data=routes/index")
			if a := s.askRaw(t, host, "/one"); !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
				t.Errorf("%s: /one is %v", host, a.header)
			}
			if a := s.askRaw(t, host, "/one?_data=routes/index"); a.hit() && strings.HasPrefix(a.header.Get("Content-Type"), "text/html") != strings.HasPrefix(a.body, "<") {
				t.Errorf("%s: data are %v\n%s", host, a.header, a.body)
			}
		}
	}
}
