package caddymodule

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// TestSpellingsOfAPath: two spellings are two keys, and the origin gets each as it
// was written.
func TestSpellingsOfAPath(t *testing.T) {
	for _, c := range []struct{ name, one, other string }{
		{"case of hexadecimal digits", "/caf%C3%A9", "/caf%c3%a9"},
		{"a sub-delimiter", "/a+b", "/a%2Bb"},
		{"a trailing slash", "/shop", "/shop/"},
		{"case of letters", "/Shop", "/shop"},
		{"an empty query", "/page", "/page?"},
		{"order of parameters", "/origin/p?a=1&b=2", "/origin/p?b=2&a=1"},
		{"encoded value", "/page?ref=a~b", "/page?ref=a%7Eb"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWire(t)
			e := startEdge(t, fmt.Sprintf(wireSite, w.addr, wirePolicy))
			for i, target := range []string{c.one, c.other} {
				if a := e.ok(target, "X-Side", "a"); a.hit() {
					t.Errorf("%s is a hit", target)
				}
				eventually(t, "the object of "+target, func() bool { return len(records("store")) == i+1 })
				if len(w.got(fromCacheward, "GET "+target+" HTTP/1.1\r\n")) != 1 {
					t.Errorf("the canonical request for %s is not there:\n%s", target, w.got(fromCacheward))
				}
			}
			for _, target := range []string{c.one, c.other} {
				if a := e.ok(target, "X-Side", "a"); !a.hit() {
					t.Errorf("%s: %s", target, a.header.Get("Cache-Status"))
				}
			}
		})
	}
}

// TestPrefixesDoNotCollide: two origins behind two prefixes that are taken away
// before the cache sees the path.
func TestPrefixesDoNotCollide(t *testing.T) {
	origins := [2]string{}
	for i := range origins {
		origins[i] = newOrigin(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			fmt.Fprintf(w, "origin %d", i)
		})
	}
	const handler = "cacheward {\nroute page {\npath /*\ncache 5m\n}\n}\n"
	for _, c := range []struct{ name, site string }{
		{"a handler behind each", "handle_path /0/* {\n" + handler + "reverse_proxy " + origins[0] + "\n}\n" +
			"handle_path /1/* {\n" + handler + "reverse_proxy " + origins[1] + "\n}"},
		{"one handler for both", "uri strip_prefix /0\nuri strip_prefix /1\n" + handler +
			"@first vars_regexp {http.request.orig_uri.path} ^/0/\n" +
			"reverse_proxy @first " + origins[0] + "\nreverse_proxy " + origins[1]},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := startEdge(t, c.site)
			for round := range 3 {
				for i := range origins {
					want := fmt.Sprintf("origin %d", i)
					a := e.ok(fmt.Sprintf("/%d/page", i))
					if a.body != want || a.hit() != (round > 0) {
						t.Errorf("/%d/page has %q: %s", i, a.body, a.header.Get("Cache-Status"))
					}
					if round == 0 {
						eventually(t, "the object", func() bool { return len(records("store")) == i+1 })
					}
				}
			}
		})
	}
}

// TestServersDoNotShare: one directive that became a handler in each of two
// servers, which have origins of their own.
func TestServersDoNotShare(t *testing.T) {
	servers := make([]string, 2)
	for i := range servers {
		addr := newOrigin(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain")
			fmt.Fprintf(w, "origin %d", i)
		})
		servers[i] = site(`{"handler": "cacheward", "id": "both", "instance": 1,
			"policy": {"routes": [{"name": "page", "match": {"paths": ["/*"]}, "cache": "5m"}]}},
			{"handler": "reverse_proxy", "upstreams": [{"dial": "` + addr + `"}]}`)
	}
	e := startEdge(t, "respond idle")
	if err := caddy.Load(configOf(servers...), true); err != nil {
		t.Fatal(err)
	}
	app, err := caddy.ActiveContext().App("http")
	if err != nil {
		t.Fatal(err)
	}
	for round := range 2 {
		for i := range servers {
			e.addr = app.(*caddyhttp.App).Servers[fmt.Sprintf("s%d", i)].Listeners()[0].Addr().String()
			var a answer
			eventually(t, "the page", func() bool {
				a = e.ok("/page")
				return round == 0 || a.hit()
			})
			if want := fmt.Sprintf("origin %d", i); a.body != want {
				t.Errorf("server %d gave %q", i, a.body)
			}
			if round == 0 && a.hit() {
				t.Errorf("server %d: the first request is a hit", i)
			}
		}
	}
}
