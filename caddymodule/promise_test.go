package caddymodule

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/cacheward/cacheward/caddymodule/store"
)

// TestNoRequestOpensCachesFurtherOn: whatever a request says of itself, the answer
// that is made for it alone leaves as nobody else's. Who asks for a stream or an
// upgrade and is given a page would otherwise choose what caches further on keep.
func TestNoRequestOpensCachesFurtherOn(t *testing.T) {
	for name, headers := range map[string][]string{
		"event stream": {"Accept", "text/event-stream, */*"},
		"upgrade":      {"Connection", "Upgrade", "Upgrade", "echo"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, behind := range []string{"reverse_proxy %s", "reverse_proxy 127.0.0.1:1 # %s"} {
				e := start(t, strings.Replace(oncePage, "reverse_proxy %s", behind, 1), newOrigin(t, func(w http.ResponseWriter, _ *http.Request) {
					permissive(w, 200, "the page")
				}))
				a := e.get("/", headers...)
				if a.err != nil {
					t.Fatal(a.err)
				}
				onlyForbidden(t, a.header)
				if len(a.header["Cache-Status"]) != 1 {
					t.Errorf("Cache-Status: %q", a.header["Cache-Status"])
				}
			}
		})
	}
}

// TestFillsSeeTheSitesFiles: handlers below find files where the site has its
// root, for fills as for visitors, and never in the working directory.
func TestFillsSeeTheSitesFiles(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "page.txt"), []byte("the page"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, cache := range []string{"cache 5m", "cache origin"} {
		t.Run(cache, func(t *testing.T) {
			e := startEdge(t, fmt.Sprintf(`root * %s
			route {
				cacheward {
					route files {
						path /*
						%s
					}
				}
				header Cache-Control "public, max-age=60"
				file_server
			}`, root, cache))
			if a := e.get("/review_test.go"); a.status != http.StatusNotFound {
				t.Errorf("a file of the working directory: %d %.40q", a.status, a.body)
			}
			e.stored("/page.txt")
			if a := e.ok("/page.txt"); !a.hit() || a.body != "the page" {
				t.Errorf("%q %s", a.body, a.header.Get("Cache-Status"))
			}
		})
	}
}

// TestErrorRoutesPermitNothing: an upstream that makes the error pages may permit
// what it likes. One visitor's error would otherwise be everybody's page.
func TestErrorRoutesPermitNothing(t *testing.T) {
	errorPages := newOrigin(t, func(w http.ResponseWriter, _ *http.Request) { permissive(w, 200, "sorry") })
	e := startEdge(t, `cacheward {
		route page {
			path /*
			cache 5m
			param deny attack
		}
	}
	reverse_proxy 127.0.0.1:1
	handle_errors {
		cacheward
		reverse_proxy `+errorPages+`
	}`)
	for _, target := range []string{"/", "/?attack=1"} {
		onlyForbidden(t, e.get(target).header)
	}
}

// TestPagesRemadeAboveCarryNoPermission: what a handler above makes of a hit for
// one visitor is not what the permission was given for.
func TestPagesRemadeAboveCarryNoPermission(t *testing.T) {
	origin := newOrigin(t, func(w http.ResponseWriter, _ *http.Request) {
		page(w, `hello {{.Req.Header.Get "X-Name"}}`)
	})
	for name, above := range map[string]string{
		"templates": "templates",
		"intercept": "intercept {\nhandle_response {\nheader -Content-Length\nrespond \"hello {http.request.header.X-Name}\"\n}\n}",
		"nothing":   "",
	} {
		t.Run(name, func(t *testing.T) {
			e := startEdge(t, above+"\n"+fmt.Sprintf(contractSite, origin))
			e.stored("/downstream/1")
			a := e.ok("/downstream/1", "X-Name", "anna")
			if name == "nothing" {
				onlyPermitted(t, a.header, time.Minute, 10*time.Second)
				return
			}
			if !strings.HasSuffix(a.body, "hello anna") {
				t.Fatalf("body %q", a.body)
			}
			onlyForbidden(t, a.header)
		})
	}
}

// ask is get with headers, pairs of name and value.
func (b *bubble) ask(next caddyhttp.HandlerFunc, headers ...string) *httptest.ResponseRecorder {
	b.t.Helper()
	rec := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/page/1", nil)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), rec, nil)
	if err := b.ServeHTTP(rec, r, next); err != nil {
		b.t.Error(err)
	}
	synctest.Wait()
	return rec
}

// TestVisitorsCannotPinARefusal: a visitor whose forwarded header comes back has
// caused that, so it is not remembered for longer each time.
func TestVisitorsCannotPinARefusal(t *testing.T) {
	const policy = `
version: 1
routes:
  - name: page
    match: {paths: [/page/*]}
    cache: 60s
    headers: {forward: [{name: Traceparent, reason: links the traces}]}
`
	synctest.Test(t, func(t *testing.T) {
		b := newBubble(t, policy, Limits{})
		defer b.close()
		below := func(w http.ResponseWriter, _ *http.Request) error {
			page(w, pageText)
			return nil
		}
		for range 10 {
			b.ask(below, "Traceparent", pageText[:1])
			time.Sleep(visitorRefusal)
		}
		if got := b.reasons("refuse"); len(got) != 10 || got[9] != "reflects-input" {
			t.Errorf("refused for %v", got)
		}
		b.ask(below)
		if a := b.ask(below); !strings.HasPrefix(a.Header().Get("Cache-Status"), "Cacheward; hit") {
			t.Errorf("Cache-Status: %s", a.Header().Get("Cache-Status"))
		}
	})
}

// TestRateLimitedRefreshKeepsTheObject: that the origin has enough for now says
// nothing about the page, and all fills seem to come from one client.
func TestRateLimitedRefreshKeepsTheObject(t *testing.T) {
	const policy = `
version: 1
routes:
  - name: page
    match: {paths: [/page/*]}
    cache: {ttl: 60s, stale_while_revalidate: 1h}
`
	for _, status := range []int{http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBubble(t, policy, Limits{})
				defer b.close()
				var limited atomic.Bool
				below := func(w http.ResponseWriter, r *http.Request) error {
					if limited.Load() && canonical(r) {
						w.WriteHeader(status)
						return nil
					}
					page(w, pageText)
					return nil
				}
				b.ask(below)
				limited.Store(true)
				time.Sleep(2 * time.Minute)
				for range 5 {
					if a := b.ask(below); !strings.HasPrefix(a.Header().Get("Cache-Status"), "Cacheward; hit") {
						t.Fatalf("Cache-Status: %s", a.Header().Get("Cache-Status"))
					}
					time.Sleep(2 * originRefusal)
				}
				limited.Store(false)
				time.Sleep(2 * originRefusal)
				b.ask(below)
				if b.ask(below); len(b.reasons("refuse")) != 5 {
					t.Errorf("refused for %v", b.reasons("refuse"))
				}
			})
		})
	}
}

// TestVisitorsCannotSuspendARoute: answers that differ because of what a visitor
// sent do not keep the route's pages from everybody.
func TestVisitorsCannotSuspendARoute(t *testing.T) {
	inBubble(t, Limits{}, func(t *testing.T, b *bubble) {
		below := func(w http.ResponseWriter, r *http.Request) error {
			page(w, pageText+r.Header.Get("Accept-Language"))
			return nil
		}
		for range store.DefaultDivergences {
			b.ask(below, "Accept-Language", "xx")
			time.Sleep(visitorRefusal)
		}
		b.ask(below)
		if a := b.ask(below); !strings.HasPrefix(a.Header().Get("Cache-Status"), "Cacheward; hit") {
			t.Errorf("Cache-Status: %s", a.Header().Get("Cache-Status"))
		}
	})
}
