package attribution

import (
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/cacheward/cacheward/integration/cdn"
	"github.com/cacheward/cacheward/integration/edge"
)

// TestFronts: a cache in front that obeys keeps no response with a cookie, and nobody who
// comes through it is attributed to somebody else. Where the route tells it that it may
// keep the page, which is against the advice of lint, landings can be lost to it, and
// none is mistaken.
func TestFronts(t *testing.T) {
	for _, front := range []struct {
		name  string
		start func(t *testing.T, origin string) (address string)
	}{
		{"nginx", func(t *testing.T, origin string) string {
			return cdn.StartNginx(t, cdn.NginxConfig{Origin: origin}).Address
		}},
		{"nginx that keys no query", func(t *testing.T, origin string) string {
			return cdn.StartNginx(t, cdn.NginxConfig{Origin: origin, Rules: "\t\t\tproxy_cache_key $http_host$uri;\n"}).Address
		}},
		{"Varnish", func(t *testing.T, origin string) string { return cdn.StartVarnish(t, origin, "").Address }},
		{"Varnish that keys no query", func(t *testing.T, origin string) string {
			return cdn.StartVarnish(t, origin, `sub vcl_hash { hash_data(regsub(req.url, "\?.*", "")); hash_data(req.http.host); return (lookup); }`).Address
		}},
	} {
		for _, downstream := range []string{"", "    downstream: 60s\n"} {
			t.Run(front.name+strings.TrimRight(strings.ReplaceAll(downstream, "    ", ", "), "\n"), func(t *testing.T) {
				t.Parallel()
				_, app, file := startApp(t)
				s := site{"last", "header"}
				e := startEdge(t, edge.SiteConfig{Origin: app}, s.route(beaconTo(app)...)+downstream)
				f := &fronted{t: t, site: s, conn: &connection{address: front.start(t, e.Address)}, file: file, given: map[string]string{}}
				defer f.conn.close()
				f.crowd(downstream == "")
			})
		}
	}
}

// fronted are visitors who come through a cache.
type fronted struct {
	t     *testing.T
	site  site
	conn  *connection
	file  string
	given map[string]string // who was given a cookie, by its value
	n     int
}

// crowd has visitors land, each with a code of their own and some with those of others,
// before and after the page can be kept, and sign up. Where the cache may keep nothing, all
// of them are carried.
func (f *fronted) crowd(all bool) {
	for _, round := range []int{1, 2} {
		for _, code := range []string{"a", "b", "c", "a", "a"} {
			f.visit(fmt.Sprintf("%s%d", code, round), all)
		}
		f.ask(newBrowser(f.site.host()), "/lp", "nobody", false)
		f.ask(newBrowser(f.site.host()), "/lp", "nobody", false)
	}
	members := rowsOf(f.t, f.file, rowSignUp)
	if len(members) != f.n {
		f.t.Errorf("%d members, want %d", len(members), f.n)
	}
	for _, m := range members {
		_, code, _ := strings.Cut(m.Member, "-")
		if got := m.Values["ref"]; got != code && (all || got != "") {
			f.t.Errorf("%s is attributed to %q", m.Member, got)
		}
	}
}

func (f *fronted) visit(code string, all bool) {
	f.n++
	b, name := newBrowser(f.site.host()), fmt.Sprintf("%d-%s", f.n, code)
	f.ask(b, "/lp?ref="+code, name, all)
	f.ask(b, "/about", name, false)
	f.ask(b, "/lp?ref="+code, name, false) // says nothing new
	r := b.request("/register", "", url.Values{"member": {name}})
	if a, err := f.conn.ask(r); err != nil || a.status != 200 || a.body != thanksPage || len(a.cookies) > 0 {
		f.t.Errorf("%s signs up: %d %v %v", name, a.status, a.header, err)
	}
}

// ask asks for a page, and holds that no cookie is given to two.
func (f *fronted) ask(b *browser, target, name string, carried bool) {
	f.t.Helper()
	r := b.request(target, "", nil)
	a, err := f.conn.ask(r)
	if err != nil || a.status != 200 {
		f.t.Fatalf("%s asks for %s: %d %v %v", name, target, a.status, a.header, err)
	}
	set := a.carries()
	if carried && len(set) != 1 {
		f.t.Errorf("%s landed on %s, and was given the cookies %v; %v", name, target, set, a.header)
	}
	for _, c := range set {
		if other := f.given[c.Value]; other != "" {
			f.t.Errorf("%s and %s were given the same cookie", name, other)
		}
		f.given[c.Value] = name
		if !a.private() {
			f.t.Errorf("%s was given a cookie with %v", name, a.header)
		}
	}
	if name == "nobody" && len(a.cookies) > 0 {
		f.t.Errorf("who was sent by nobody was given %v", a.cookies)
	}
	b.take(r, a)
}
