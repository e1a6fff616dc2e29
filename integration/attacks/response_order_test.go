package attacks

import (
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/integration/edge"
)

const orderRoutes = `
		route duration {
			path /duration/*
			cache 1h
			downstream 60s
		}
		route origin {
			path /origin/*
			cache origin
			downstream 60s
		}
		route plain {
			path /plain/*
			cache origin
			header others vary
		}
`

// guards are ways to let only some in, behind the cache instead of before it. Each says
// how those ask whom it lets in.
var guards = []struct {
	name, caddyfile string
	member          []string
}{
	{"password", "basic_auth {\n member %s\n }", []string{"Authorization: Basic bWVtYmVyOnNlY3JldA=="}},
	{"field", "@stranger not header X-Pass yes\n respond @stranger \"not you\" 401", []string{"X-Pass: yes"}},
	{"cookie", "@stranger not header Cookie *pass=yes*\n respond @stranger \"not you\" 403", []string{"Cookie: pass=yes"}},
	{"browser", "@stranger not header User-Agent Member*\n error @stranger 403", []string{"User-Agent: Member/1.0"}},
	{"redirect", "@stranger not header X-Pass yes\n redir @stranger /login 302", []string{"X-Pass: yes"}},
	{"address", "@stranger not remote_ip 127.0.0.1\n respond @stranger \"not you\" 403", nil},
}

// Where somebody has put the check behind the cache, by document order, it still lets
// nobody in whom it would not, and keeps nobody out whom it would let in.
func TestGuardsBehindTheCache(t *testing.T) {
	hash, err := exec.Command(binary, "hash-password", "--plaintext", "secret").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, guard := range guards {
		t.Run(guard.name, func(t *testing.T) {
			t.Parallel()
			origin := startScripted(t)
			check := guard.caddyfile
			if strings.Contains(check, "%s") {
				check = fmt.Sprintf(check, strings.TrimSpace(string(hash)))
			}
			site := edge.StartSite(t, binary, edge.SiteConfig{
				Origin: origin.address,
				Before: "route {\n cacheward {\n" + orderRoutes + "}\n" + check + "\n reverse_proxy " + origin.address + "\n}",
			})
			w := &ward{site: site, origin: origin, client: newClient(site.Address)}
			for _, path := range []string{"/duration/x", "/origin/x", "/plain/x", "/nothing/x"} {
				origin.answer(path, always(script{fields: []string{permitted, htmlType}, body: "<h1>For members</h1>"}))
				for n := range 6 {
					member := w.client.ask(call{target: path, fields: guard.member})
					if string(member.body) != "<h1>For members</h1>" {
						t.Errorf("%s: a member was kept out: %s", denial, member)
					}
					if guard.member == nil {
						continue // all of us come from that address
					}
					stranger := w.client.ask(visitor(n, path))
					if stranger.status < 300 || strings.Contains(string(stranger.body), "members") {
						t.Errorf("%s: a stranger was let in: %s", leak, stranger)
					}
					if field := stranger.permits(); field != "" {
						t.Errorf("%s: what a stranger was told may be kept (%s): %s", leak, field, stranger)
					}
				}
			}
		})
	}
}

// Error pages, which are made outside of what is cached, are kept by nobody, where
// there is a cacheward before what makes them.
func TestErrorPages(t *testing.T) {
	origin := startScripted(t)
	site := edge.StartSite(t, binary, edge.SiteConfig{
		Origin: "127.0.0.1:1", Policy: orderRoutes, // where nobody listens
		Before: "handle_errors {\n cacheward\n rewrite * /error\n reverse_proxy " + origin.address + "\n}",
	})
	w := &ward{site: site, origin: origin, client: newClient(site.Address)}
	origin.answer("/error", always(script{fields: []string{permitted, htmlType, "Set-Cookie: sid=§"}, body: "<p>Sorry, §</p>"}))
	for _, path := range []string{"/duration/x", "/origin/x", "/plain/x", "/nothing/x"} {
		answers := w.ask(path)
		report(t, refused(answers))
		for _, a := range answers {
			if len(a.mints()) != 1 {
				t.Errorf("no error page: %s", a)
			}
		}
	}
}

// Two handlers before different apps share nothing, though host and path are the same.
func TestTwoHandlers(t *testing.T) {
	one, two := startScripted(t), startScripted(t)
	handler := func(o *scripted) string {
		return "cacheward {\n" + orderRoutes + "}\n reverse_proxy " + o.address + "\n"
	}
	site := edge.StartSite(t, binary, edge.SiteConfig{
		Origin: one.address,
		Before: "@beta header X-Beta yes\n handle @beta {\n" + handler(two) + "}\n handle {\n" + handler(one) + "}",
	})
	client := newClient(site.Address)
	for _, path := range []string{"/duration/x", "/origin/x", "/plain/x", "/nothing/x"} {
		one.answer(path, always(script{fields: []string{permitted, htmlType}, body: "one"}))
		two.answer(path, always(script{fields: []string{permitted, htmlType}, body: "two"}))
		hits := 0
		for n := range 12 {
			v := visitor(n/2, path)
			v.fields = v.fields[:3] // without the cookie
			want := "one"
			if n%2 == 1 {
				v.fields, want = append(v.fields, "X-Beta: yes"), "two"
			}
			a := client.ask(v)
			if a.status != http.StatusOK || string(a.body) != want {
				t.Errorf("%s: want %s: %s", leak, want, a)
			}
			if a.hit() {
				hits++
			}
		}
		if hits == 0 && path != "/nothing/x" {
			t.Errorf("%s: %s was never served from the store", denial, path)
		}
	}
}
