package incidents

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Caches had only the path in the key, and apps took their own address from headers
// that anybody could send.
func TestHostAndScheme(t *testing.T) {
	reproduce(t, incident{
		number: 15, who: "Pingora and React Router", when: "2025 to 2026",
		harm:  "visitors got a page made for another host or scheme",
		names: []property{isolation, completeKey, oneMeaning},
		forms: []form{{
			name:    "path alone in the key",
			cache:   nginx(`proxy_cache_key $uri; proxy_cache_valid any 5m;`),
			policy:  tenantsPolicy,
			scene:   tenants,
			stopped: []string{"divergent", "routing-override"},
			shows:   []property{isolation, completeKey},
			checks: []check{
				{"each host has its own pages, and others none", completeKey, hostsApart},
				{"X-Forwarded-Host is the proxy's", completeKey, forwardedHost},
				{"an absolute target and Host that disagree are for nobody else", oneMeaning, absoluteTarget},
			},
		}},
	})
}

const tenantsPolicy = `
	route tenants {
		host tenant-m.test tenant-b.test shop.test
		path /*
		cache 5m {
			status 301 5m
		}
	}
`

// tenants is an app for several hosts, which believes what it is told of its address.
func tenants() scene {
	app := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := cmp.Or(r.Header.Get("X-Forwarded-Host"), r.Header.Get("X-Host"), r.Host)
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		at, err := url.Parse("https://" + host + r.RequestURI)
		switch {
		case r.Header.Get("X-Forwarded-Scheme") == "http": // as Rack reads it
			h.Set("Location", "https://"+r.Host+r.RequestURI)
			w.WriteHeader(http.StatusMovedPermanently)
		case err == nil && at.Query().Has("_data"): // as React Router built the URL
			h.Set("Content-Type", "application/json")
			fmt.Fprint(w, `{"data":["ssr"]}`)
		default:
			fmt.Fprintf(w, "<!doctype html><title>Shop</title><script src=https://%s/app.js></script>", host)
		}
	})
	return scene{app: app, visit: func(t *testing.T, s *stage) {
		for _, tt := range []struct{ path, mallory, field, victim string }{
			{"/", "tenant-m.test", "Accept: */*", "tenant-b.test"},
			{"/products", "shop.test", "X-Forwarded-Host: x:/ssr?_data=routes/ssr&", "shop.test"},
			{"/home", "shop.test", "X-Forwarded-Host: evil.test", "shop.test"},
			{"/about", "shop.test", "X-Host: evil.test", "shop.test"},
			{"/login", "shop.test", "X-Forwarded-Scheme: http", "shop.test"},
		} {
			s.askRaw(t, tt.mallory, tt.path, tt.field)
			hurt := 0
			if b := s.ask(t, request{host: tt.victim, target: tt.path}); !madeFor(b, tt.victim) {
				hurt++
			}
			s.count(t, tt.path+" after "+tt.field, hurt, 1)
		}
		s.shares(t, request{host: "tenant-b.test", target: "/shared"})
	}}
}

// madeFor says whether the answer is the page as it was made for the host.
func madeFor(a answer, host string) bool {
	return a.status == http.StatusOK && strings.Contains(strings.ToLower(a.body), "src=https://"+host+"/app.js")
}

// hostsApart sees that letter case does not matter in a host, and that all else does.
func hostsApart(t *testing.T, s *stage) {
	s.shares(t, request{host: "shop.test", target: "/apart"})
	for _, tt := range []struct {
		host string
		hit  bool
	}{
		{"shop.test", true}, {"SHOP.Test", true},
		{"shop.test:8443", false}, {"shop.test.", false}, {"evil.test", false}, {"x.shop.test", false}, {"tenant-b.test", false},
	} {
		for range 2 {
			a := s.askRaw(t, tt.host, "/apart")
			if a.status == http.StatusOK && !madeFor(a, strings.ToLower(tt.host)) {
				t.Errorf("%s got %s", tt.host, a.body)
			}
			if tt.host != "tenant-b.test" && a.hit() != tt.hit {
				t.Errorf("%s: %v; served from the store: want %t", tt.host, a.header["Cache-Status"], tt.hit)
			}
		}
	}
	for _, code := range []string{"host-port", "host-trailing-dot", "host-unknown"} {
		s.awaitReason(t, "/apart", code)
	}
}

// forwardedHost sees that the app is not told what a visitor says of its address, in
// whose own answer either.
func forwardedHost(t *testing.T, s *stage) {
	for _, target := range []string{"/forwarded", "/forwarded?own"} {
		if a := s.askRaw(t, "shop.test", target, "X-Forwarded-Host: evil.test"); !madeFor(a, "shop.test") {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
	}
}

// absoluteTarget sees that the host of a target in absolute form, which counts (RFC 9112
// §3.2.2), and that of Host are not mixed up.
func absoluteTarget(t *testing.T, s *stage) {
	for range 2 {
		for _, target := range []string{"http://evil.test/absolute", "http://tenant-b.test/absolute"} {
			host := strings.Split(target, "/")[2]
			if a := s.askRaw(t, "shop.test", target); a.hit() || a.status == http.StatusOK && !madeFor(a, host) {
				t.Errorf("%s with Host: shop.test: %d %v %s", target, a.status, a.header, a.body)
			}
		}
		for _, host := range []string{"shop.test", "tenant-b.test"} {
			if a := s.ask(t, request{host: host, target: "/absolute"}); !madeFor(a, host) {
				t.Errorf("%s got %s", host, a.body)
			}
		}
	}
	s.awaitReason(t, "/absolute", "path-form")
}
